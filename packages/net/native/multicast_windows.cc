// Members of multicast groups on Winsock, and the interfaces that they are named by.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "adopt.h"
#include "compat_windows.h"
#include "interfaces.h"
#include "slots.h"
// After Winsock.
#include <iphlpapi.h>

namespace pollux::net {
namespace {

bool TakeIp(Bytes slots, int offset, Address* out) {
  if (TakeSlot(slots, offset, out) < 0) return false;
  return out->family() == AF_INET || out->family() == AF_INET6;
}

bool SameAddress(const sockaddr* one, const Address& other) {
  if (one == nullptr || one->sa_family != other.family()) return false;
  if (one->sa_family == AF_INET) {
    sockaddr_in a;
    sockaddr_in b;
    memcpy(&a, one, sizeof a);
    memcpy(&b, &other.storage, sizeof b);
    return a.sin_addr.s_addr == b.sin_addr.s_addr;
  }
  sockaddr_in6 a;
  sockaddr_in6 b;
  memcpy(&a, one, sizeof a);
  memcpy(&b, &other.storage, sizeof b);
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
  Address wanted;
  const bool is_address = EncodeAddress(owned, text, 0, {slot, sizeof slot}, 0) >= 0 &&
                          TakeIp({slot, sizeof slot}, 0, &wanted);
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
  Address group_address;
  Address source_address;
  if (interface_index < 0 || !TakeIp(slots, group, &group_address)) return -EINVAL;
  if (source != -1 && !TakeIp(slots, source, &source_address)) return -EINVAL;
  if (!owned->Has(fd)) return -EBADF;
  const int level = group_address.family() == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
  if (source == -1) {
    GROUP_REQ request{};
    request.gr_interface = static_cast<ULONG>(interface_index);
    request.gr_group = group_address.storage;
    return Set(fd, level, joins != 0 ? MCAST_JOIN_GROUP : MCAST_LEAVE_GROUP, request);
  }
  GROUP_SOURCE_REQ request{};
  request.gsr_interface = static_cast<ULONG>(interface_index);
  request.gsr_group = group_address.storage;
  request.gsr_source = source_address.storage;
  return Set(fd, level, joins != 0 ? MCAST_JOIN_SOURCE_GROUP : MCAST_LEAVE_SOURCE_GROUP, request);
}

int MulticastInterface(OwnedFds* owned, int fd, int interface_index) {
  if (interface_index < 0) return -EINVAL;
  if (!owned->Has(fd)) return -EBADF;
  SocketKind kind;
  const int result = KindOf(fd, &kind);
  if (result < 0) return result;
  // For IPv4 an index is written as an address of the network 0.
  const int v4 = Set(fd, IPPROTO_IP, IP_MULTICAST_IF, htonl(static_cast<u_long>(interface_index)));
  if (kind.family != AF_INET6) return v4;
  return Set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, interface_index);
}

}  // namespace pollux::net
