// See interfaces.h.
#include "interfaces.h"

#include <stdlib.h>
// After Winsock.
#include <iphlpapi.h>

namespace pollux::net {

uint32_t ZoneIndex(const char* zone) {
  char* end = nullptr;
  const unsigned long number = strtoul(zone, &end, 10);
  if (zone[0] >= '0' && zone[0] <= '9' && *end == '\0') return number;
  return if_nametoindex(zone);
}

// A number, as everywhere on Windows.
void ZoneName(uint32_t index, char* name) {
  static_assert(kZoneRoom >= sizeof "4294967295");
  _ultoa(index, name, 10);
}

}  // namespace pollux::net
