// What is told beside the bytes of a datagram (control messages, cmsg(3)): the address it was sent
// to and the interface it came in by (IP_PKTINFO, IPV6_PKTINFO), that it is several joined ones
// (UDP_GRO), and, to the kernel, where to send it from and how to cut it (UDP_SEGMENT). Where a
// system has one of these not, it is never told, and asking for it is refused.
#pragma once

#include <stdint.h>

#include "compat.h"

namespace pollux::net {

// Room for all that one message may have, aligned as the header of each part wants it.
struct ControlRoom {
  alignas(size_t) uint8_t bytes[128];
};

struct Control {
  int segment;  // of a joined datagram, else 0
  int interface_index;
  bool has_local;
};

// Reads what came with a message; the address it was sent to goes into a slot.
Control ReadControl(msghdr* header, uint8_t* local);

// Has a message sent from the address in a slot, and by the interface of its zone if it has one.
void SetSource(msghdr* header, ControlRoom* room, const uint8_t* local);

// Has a message cut into datagrams of that size, where there is such a thing.
void SetSegment(msghdr* header, ControlRoom* room, uint16_t size);

}  // namespace pollux::net
