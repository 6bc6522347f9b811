// The system that the portable verbs are built on: the same names on each, of which compat_posix.h
// and compat_windows.h tell what they are there. A Message has the fields of an mmsghdr, a Vector
// those of an iovec.
#pragma once

#ifdef _WIN32
#include "compat_windows.h"
#else
#include "compat_posix.h"
#endif
