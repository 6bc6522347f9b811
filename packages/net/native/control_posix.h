// What is told beside the bytes of a datagram (control messages, cmsg(3)): the address it was sent
// to and the interface it came in by (IP_PKTINFO, IPV6_PKTINFO), that it is several joined ones
// (UDP_GRO), and, to the kernel, where to send it from and how to cut it (UDP_SEGMENT). Where a
// system has one of these not, it is never told, and asking for it is refused.
#pragma once

#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <sys/socket.h>

// Of Linux (whose UDP_ENCAP is 100) 4.18 and 5.0, newer than many a C library; linux/udp.h would
// clash with netinet/udp.h.
#if defined(UDP_ENCAP) && UDP_ENCAP == 100 && !defined(UDP_SEGMENT)
#define UDP_SEGMENT 103
#endif
#if defined(UDP_ENCAP) && UDP_ENCAP == 100 && !defined(UDP_GRO)
#define UDP_GRO 104
#endif

namespace pollux::net {

// Whether a message may be several datagrams.
#ifdef UDP_SEGMENT
constexpr bool kHasSegments = true;
#else
constexpr bool kHasSegments = false;
#endif

// Room for all that one message may have, aligned as cmsghdr wants it.
struct ControlRoom {
  alignas(cmsghdr) uint8_t bytes[128];
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
