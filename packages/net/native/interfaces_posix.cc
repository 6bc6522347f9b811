// See interfaces.h.
#include "interfaces.h"

#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>

namespace pollux::net {

static_assert(kZoneRoom >= IF_NAMESIZE);

uint32_t ZoneIndex(const char* zone) {
  const uint32_t index = if_nametoindex(zone);
  if (index != 0) return index;
  char* end = nullptr;
  const unsigned long number = strtoul(zone, &end, 10);
  const bool is_number = zone[0] >= '0' && zone[0] <= '9' && *end == '\0';
  return is_number && number <= UINT32_MAX ? static_cast<uint32_t>(number) : 0;
}

void ZoneName(uint32_t index, char* name) {
  if (if_indextoname(index, name) == nullptr) snprintf(name, kZoneRoom, "%u", index);
}

}  // namespace pollux::net
