// Members of multicast groups on Winsock, and the interfaces that they are named by.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compat_windows.h"
#include "interfaces.h"
#include "net.h"
// After Winsock.
#include <iphlpapi.h>

namespace pollux::net {
namespace {

bool TakeSlot(Bytes slots, int offset, SOCKADDR_STORAGE* out) {
  const uint8_t* slot = SlotAt(slots, offset);
  if (slot == nullptr || SlotLength(slot) == 0) return false;
  *out = {};
  memcpy(out, slot, SlotLength(slot));
  return out->ss_family == AF_INET || out->ss_family == AF_INET6;
}

bool SameAddress(const sockaddr* one, const SOCKADDR_STORAGE& other) {
  if (one == nullptr || one->sa_family != other.ss_family) return false;
  if (one->sa_family == AF_INET) {
    sockaddr_in a;
    sockaddr_in b;
    memcpy(&a, one, sizeof a);
    memcpy(&b, &other, sizeof b);
    return a.sin_addr.s_addr == b.sin_addr.s_addr;
  }
  sockaddr_in6 a;
  sockaddr_in6 b;
  memcpy(&a, one, sizeof a);
  memcpy(&b, &other, sizeof b);
  return memcmp(&a.sin6_addr, &b.sin6_addr, sizeof a.sin6_addr) == 0 &&
         (b.sin6_scope_id == 0 || a.sin6_scope_id == b.sin6_scope_id);
}

// Every adapter with its addresses, to be freed; null without memory.
IP_ADAPTER_ADDRESSES* Adapters() {
  constexpr ULONG kFlags =
      GAA_FLAG_SKIP_ANYCAST | GAA_FLAG_SKIP_MULTICAST | GAA_FLAG_SKIP_DNS_SERVER;
  for (ULONG size = 16384; size < 1u << 24; size *= 2) {
    auto* all = static_cast<IP_ADAPTER_ADDRESSES*>(malloc(size));
    if (all == nullptr) return nullptr;
    ULONG room = size;
    const ULONG result = GetAdaptersAddresses(AF_UNSPEC, kFlags, nullptr, all, &room);
    if (result == ERROR_SUCCESS) return all;
    free(all);
    if (result != ERROR_BUFFER_OVERFLOW) return nullptr;
  }
  return nullptr;
}

template <typename T>
int Set(int fd, int level, int name, const T& value) {
  const int result =
      setsockopt(SocketOf(fd), level, name, reinterpret_cast<const char*>(&value), sizeof value);
  return result == 0 ? 0 : LastWinsockError();
}

}  // namespace

// As os.networkInterfaces() calls it ("Ethernet"), or as the system does ("ethernet_32768").
int InterfaceIndex(OwnedFds* owned, Text text) {
  uint32_t index = if_nametoindex(text.data);
  if (index != 0) return static_cast<int>(index);
  wchar_t name[sizeof text.data];
  if (MultiByteToWideChar(CP_UTF8, 0, text.data, -1, name, sizeof text.data) == 0) name[0] = 0;
  uint8_t slot[kSlotSize];
  SOCKADDR_STORAGE wanted{};
  const bool is_address = EncodeAddress(owned, text, 0, {slot, sizeof slot}, 0) >= 0 &&
                          TakeSlot({slot, sizeof slot}, 0, &wanted);
  IP_ADAPTER_ADDRESSES* all = Adapters();
  if (all == nullptr) return -ENODEV;
  for (const auto* each = all; each != nullptr && index == 0; each = each->Next) {
    const uint32_t own = each->IfIndex != 0 ? each->IfIndex : each->Ipv6IfIndex;
    if (!is_address && wcscmp(each->FriendlyName, name) == 0) index = own;
    for (const auto* address = each->FirstUnicastAddress; address != nullptr && is_address;
         address = address->Next) {
      if (SameAddress(address->Address.lpSockaddr, wanted)) index = own;
    }
  }
  free(all);
  return index != 0 ? static_cast<int>(index) : -ENODEV;
}

int Membership(OwnedFds* owned, int fd, int joins, int interface_index, Bytes slots, int group,
               int source) {
  GROUP_SOURCE_REQ request{};  // begins as a GROUP_REQ does
  if (interface_index < 0 || !TakeSlot(slots, group, &request.gsr_group)) return -EINVAL;
  if (source != -1 && !TakeSlot(slots, source, &request.gsr_source)) return -EINVAL;
  if (!owned->Has(fd)) return -EBADF;
  request.gsr_interface = static_cast<ULONG>(interface_index);
  const int level = request.gsr_group.ss_family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
  if (source != -1) {
    return Set(fd, level, joins != 0 ? MCAST_JOIN_SOURCE_GROUP : MCAST_LEAVE_SOURCE_GROUP, request);
  }
  GROUP_REQ any_source{};
  any_source.gr_interface = request.gsr_interface;
  any_source.gr_group = request.gsr_group;
  return Set(fd, level, joins != 0 ? MCAST_JOIN_GROUP : MCAST_LEAVE_GROUP, any_source);
}

int MulticastInterface(OwnedFds* owned, int fd, int interface_index) {
  if (interface_index < 0) return -EINVAL;
  if (!owned->Has(fd)) return -EBADF;
  WSAPROTOCOL_INFOW info;
  int size = sizeof info;
  if (getsockopt(SocketOf(fd), SOL_SOCKET, SO_PROTOCOL_INFOW, reinterpret_cast<char*>(&info),
                 &size) != 0) {
    return LastWinsockError();
  }
  // For IPv4 an index is written as an address of the network 0.
  const int v4 = Set(fd, IPPROTO_IP, IP_MULTICAST_IF, htonl(static_cast<u_long>(interface_index)));
  if (info.iAddressFamily != AF_INET6) return v4;
  return Set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, interface_index);
}

}  // namespace pollux::net
