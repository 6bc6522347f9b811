// Network interfaces: by their names, indexes and addresses, and as zones of IPv6 addresses
// ("fe80::1%eth0").
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "compat.h"

namespace pollux::net {

constexpr size_t kZoneRoom = 64;

// The number of a zone: an interface's name or index. 0 if there is no such interface.
uint32_t ZoneIndex(const char* zone);
// What a zone is called in an address, at most kZoneRoom bytes with its NUL.
void ZoneName(uint32_t index, char* name);

}  // namespace pollux::net
