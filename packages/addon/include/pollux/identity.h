// Which open file a descriptor names, as far as the system tells.
#pragma once

#ifdef _WIN32
#include "pollux/identity_windows.h"
#else
#include "pollux/identity_posix.h"
#endif
