// What UDP sockets have and others have not: disconnected, members of multicast groups.
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "adopt.h"
#include "slots.h"

namespace pollux::net {
namespace {

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
  return IN6_ARE_ADDR_EQUAL(&a.sin6_addr, &b.sin6_addr) &&
         (b.sin6_scope_id == 0 || a.sin6_scope_id == b.sin6_scope_id);
}

bool TakeIp(Bytes slots, int offset, Address* out) {
  if (TakeSlot(slots, offset, out) < 0) return false;
  return out->family() == AF_INET || out->family() == AF_INET6;
}

}  // namespace

int Disconnect(OwnedFds* owned, int fd) {
  if (!owned->Has(fd)) return -EBADF;
  sockaddr_storage nobody{};
  nobody.ss_family = AF_UNSPEC;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&nobody), sizeof nobody) == 0) return 0;
  // The BSDs do it, and complain of the family all the same (connect(2)).
  return errno == EAFNOSUPPORT ? 0 : -errno;
}

int InterfaceIndex(OwnedFds* owned, Text text) {
  uint32_t index = if_nametoindex(text.data);
  if (index != 0) return static_cast<int>(index);
  uint8_t slot[kSlotSize];
  Address wanted;
  if (EncodeAddress(owned, text, 0, {slot, sizeof slot}, 0) < 0) return -ENODEV;
  if (!TakeIp({slot, sizeof slot}, 0, &wanted)) return -ENODEV;
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return -errno;
  for (const ifaddrs* each = all; each != nullptr && index == 0; each = each->ifa_next) {
    if (SameAddress(each->ifa_addr, wanted)) index = if_nametoindex(each->ifa_name);
  }
  freeifaddrs(all);
  return index != 0 ? static_cast<int>(index) : -ENODEV;
}

int Membership(OwnedFds* owned, int fd, int joins, int interface_index, Bytes slots, int group,
               int source) {
#ifdef MCAST_JOIN_GROUP  // RFC 3678
  Address group_address;
  Address source_address;
  if (interface_index < 0 || !TakeIp(slots, group, &group_address)) return -EINVAL;
  if (source != -1 && !TakeIp(slots, source, &source_address)) return -EINVAL;
  if (!owned->Has(fd)) return -EBADF;
  const int level = group_address.family() == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
  int result;
  if (source == -1) {
    group_req request{};
    request.gr_interface = static_cast<uint32_t>(interface_index);
    request.gr_group = group_address.storage;
    const int name = joins != 0 ? MCAST_JOIN_GROUP : MCAST_LEAVE_GROUP;
    result = setsockopt(fd, level, name, &request, sizeof request);
  } else {
    group_source_req request{};
    request.gsr_interface = static_cast<uint32_t>(interface_index);
    request.gsr_group = group_address.storage;
    request.gsr_source = source_address.storage;
    const int name = joins != 0 ? MCAST_JOIN_SOURCE_GROUP : MCAST_LEAVE_SOURCE_GROUP;
    result = setsockopt(fd, level, name, &request, sizeof request);
  }
  return result == 0 ? 0 : -errno;
#else
  return -ENOSYS;
#endif
}

int MulticastInterface(OwnedFds* owned, int fd, int interface_index) {
  if (interface_index < 0) return -EINVAL;
  if (!owned->Has(fd)) return -EBADF;
  SocketKind kind;
  const int result = KindOf(fd, &kind);
  if (result < 0) return result;
  ip_mreqn request{};
  request.imr_ifindex = interface_index;
  const bool v4 = setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof request) == 0;
  if (kind.family != AF_INET6) return v4 ? 0 : -errno;
  // A socket of both families has both; that it may have no IPv4 is no failure.
  const int index = interface_index;
  return setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof index) == 0 ? 0 : -errno;
}

}  // namespace pollux::net
