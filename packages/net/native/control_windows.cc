// See control.h.
#include "control.h"

#include <string.h>

#include "slots.h"

namespace pollux::net {
namespace {

// The macros for parts want the whole of Winsock's header.
WSAMSG PartsOf(const msghdr* header) {
  WSAMSG message{};
  message.Control.buf = static_cast<char*>(header->msg_control);
  message.Control.len = header->msg_controllen;
  return message;
}

template <typename T>
T Take(const WSACMSGHDR* part) {
  T value{};
  const size_t header = WSA_CMSG_LEN(0);
  const size_t room = part->cmsg_len > header ? part->cmsg_len - header : 0;
  memcpy(&value, WSA_CMSG_DATA(part), room < sizeof value ? room : sizeof value);
  return value;
}

// As the only part.
template <typename T>
void Put(msghdr* header, ControlRoom* room, int level, int type, const T& value) {
  static_assert(WSA_CMSG_SPACE(sizeof value) <= sizeof room->bytes);
  memset(room->bytes, 0, WSA_CMSG_SPACE(sizeof value));
  auto* part = reinterpret_cast<WSACMSGHDR*>(room->bytes);
  part->cmsg_level = level;
  part->cmsg_type = type;
  part->cmsg_len = WSA_CMSG_LEN(sizeof value);
  memcpy(WSA_CMSG_DATA(part), &value, sizeof value);
  header->msg_control = room->bytes;
  header->msg_controllen = static_cast<ULONG>(WSA_CMSG_SPACE(sizeof value));
}

}  // namespace

Control ReadControl(msghdr* header, uint8_t* local) {
  Control control{0, 0, false};
  WSAMSG parts = PartsOf(header);
  for (WSACMSGHDR* each = WSA_CMSG_FIRSTHDR(&parts); each != nullptr;
       each = WSA_CMSG_NXTHDR(&parts, each)) {
    if (each->cmsg_level == IPPROTO_IP && each->cmsg_type == IP_PKTINFO && !control.has_local) {
      const auto info = Take<IN_PKTINFO>(each);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_addr = info.ipi_addr;
      PutSlot(local, &address, sizeof address);
      control.interface_index = static_cast<int>(info.ipi_ifindex);
      control.has_local = true;
    }
    if (each->cmsg_level == IPPROTO_IPV6 && each->cmsg_type == IPV6_PKTINFO) {
      const auto info = Take<IN6_PKTINFO>(each);
      sockaddr_in6 address{};
      address.sin6_family = AF_INET6;
      address.sin6_addr = info.ipi6_addr;
      // Only such an address means nothing without its interface.
      if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr)) address.sin6_scope_id = info.ipi6_ifindex;
      PutSlot(local, &address, sizeof address);
      control.interface_index = static_cast<int>(info.ipi6_ifindex);
      control.has_local = true;
    }
  }
  return control;
}

void SetSource(msghdr* header, ControlRoom* room, const uint8_t* local) {
  const Address any = ReadSlot(local);
  if (any.family() == AF_INET) {
    sockaddr_in address;
    memcpy(&address, &any.storage, sizeof address);
    IN_PKTINFO info{};
    info.ipi_addr = address.sin_addr;
    Put(header, room, IPPROTO_IP, IP_PKTINFO, info);
  } else if (any.family() == AF_INET6) {
    sockaddr_in6 address;
    memcpy(&address, &any.storage, sizeof address);
    IN6_PKTINFO info{};
    info.ipi6_addr = address.sin6_addr;
    info.ipi6_ifindex = address.sin6_scope_id;
    Put(header, room, IPPROTO_IPV6, IPV6_PKTINFO, info);
  }
}

void SetSegment(msghdr*, ControlRoom*, uint16_t) {}

}  // namespace pollux::net
