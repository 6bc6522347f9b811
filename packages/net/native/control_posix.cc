// See control.h.
#include "control.h"

#include <string.h>

#include "slots.h"

namespace pollux::net {
namespace {

template <typename T>
T Take(const cmsghdr* message) {
  T value{};
  const size_t room = message->cmsg_len > CMSG_LEN(0) ? message->cmsg_len - CMSG_LEN(0) : 0;
  memcpy(&value, CMSG_DATA(message), room < sizeof value ? room : sizeof value);
  return value;
}

// Appends a control message; false if there is no room.
template <typename T>
bool Append(msghdr* header, ControlRoom* room, int level, int type, const T& value) {
  const size_t used = header->msg_control == nullptr ? 0 : header->msg_controllen;
  if (used + CMSG_SPACE(sizeof value) > sizeof room->bytes) return false;
  // The padding too: the kernel is shown none of our stack.
  memset(room->bytes + used, 0, CMSG_SPACE(sizeof value));
  auto* message = reinterpret_cast<cmsghdr*>(room->bytes + used);
  message->cmsg_level = level;
  message->cmsg_type = type;
  message->cmsg_len = CMSG_LEN(sizeof value);
  memcpy(CMSG_DATA(message), &value, sizeof value);
  header->msg_control = room->bytes;
  header->msg_controllen =
      static_cast<decltype(header->msg_controllen)>(used + CMSG_SPACE(sizeof value));
  return true;
}

}  // namespace

Control ReadControl(msghdr* header, uint8_t* local) {
  Control control{0, 0, false};
  for (cmsghdr* each = CMSG_FIRSTHDR(header); each != nullptr; each = CMSG_NXTHDR(header, each)) {
#ifdef IP_PKTINFO
    if (each->cmsg_level == IPPROTO_IP && each->cmsg_type == IP_PKTINFO && !control.has_local) {
      const auto info = Take<in_pktinfo>(each);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_addr = info.ipi_addr;
      PutSlot(local, &address, sizeof address);
      control.interface_index = static_cast<int>(info.ipi_ifindex);
      control.has_local = true;
    }
#endif
#ifdef IPV6_PKTINFO
    if (each->cmsg_level == IPPROTO_IPV6 && each->cmsg_type == IPV6_PKTINFO) {
      const auto info = Take<in6_pktinfo>(each);
      sockaddr_in6 address{};
      address.sin6_family = AF_INET6;
      address.sin6_addr = info.ipi6_addr;
      // Only such an address means nothing without its interface.
      if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr)) address.sin6_scope_id = info.ipi6_ifindex;
      PutSlot(local, &address, sizeof address);
      control.interface_index = static_cast<int>(info.ipi6_ifindex);
      control.has_local = true;
    }
#endif
#ifdef UDP_GRO
    if (each->cmsg_level == IPPROTO_UDP && each->cmsg_type == UDP_GRO) {
      const int segment = Take<int>(each);
      if (segment > 0) control.segment = segment;
    }
#endif
  }
  return control;
}

void SetSource(msghdr* header, ControlRoom* room, const uint8_t* local) {
  const Address any = ReadSlot(local);
#ifdef IP_PKTINFO
  if (any.family() == AF_INET) {
    sockaddr_in address;
    memcpy(&address, &any.storage, sizeof address);
    in_pktinfo info{};
    info.ipi_spec_dst = address.sin_addr;
    Append(header, room, IPPROTO_IP, IP_PKTINFO, info);
  }
#endif
#ifdef IPV6_PKTINFO
  if (any.family() == AF_INET6) {
    sockaddr_in6 address;
    memcpy(&address, &any.storage, sizeof address);
    in6_pktinfo info{};
    info.ipi6_addr = address.sin6_addr;
    info.ipi6_ifindex = address.sin6_scope_id;
    Append(header, room, IPPROTO_IPV6, IPV6_PKTINFO, info);
  }
#endif
}

void SetSegment(msghdr* header, ControlRoom* room, uint16_t size) {
#ifdef UDP_SEGMENT
  Append(header, room, IPPROTO_UDP, UDP_SEGMENT, size);
#else
  (void)header;
  (void)room;
  (void)size;
#endif
}

}  // namespace pollux::net
