// What UDP sockets have and others have not: disconnected, members of multicast groups.
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "adopt.h"
#include "compat_posix.h"
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

int LevelOf(const Address& address) {
  return address.family() == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
}

template <typename Request>
int Ask(int fd, int level, int name, const Request& request) {
  return setsockopt(fd, level, name, &request, sizeof request) == 0 ? 0 : -errno;
}

// On the interface that the system chooses: by the older calls of each family, for the BSDs refuse
// interface 0 in those of RFC 3678 (EADDRNOTAVAIL).
int DefaultMembership(int fd, bool joins, const Address& group) {
  if (group.family() == AF_INET) {
    sockaddr_in address;
    memcpy(&address, &group.storage, sizeof address);
    ip_mreq request{};
    request.imr_multiaddr = address.sin_addr;
    return Ask(fd, IPPROTO_IP, joins ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP, request);
  }
  sockaddr_in6 address;
  memcpy(&address, &group.storage, sizeof address);
  ipv6_mreq request{};
  request.ipv6mr_multiaddr = address.sin6_addr;
  return Ask(fd, IPPROTO_IPV6, joins ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP, request);
}

#ifdef MCAST_JOIN_GROUP  // RFC 3678
int GroupMembership(int fd, bool joins, int interface_index, const Address& group) {
  group_req request{};
  request.gr_interface = static_cast<uint32_t>(interface_index);
  request.gr_group = group.storage;
  return Ask(fd, LevelOf(group), joins ? MCAST_JOIN_GROUP : MCAST_LEAVE_GROUP, request);
}

int SourceMembership(int fd, bool joins, int interface_index, const Address& group,
                     const Address& source) {
  if (interface_index == 0 && group.family() == AF_INET && source.family() == AF_INET) {
    sockaddr_in group4;
    sockaddr_in source4;
    memcpy(&group4, &group.storage, sizeof group4);
    memcpy(&source4, &source.storage, sizeof source4);
    ip_mreq_source request{};
    request.imr_multiaddr = group4.sin_addr;
    request.imr_sourceaddr = source4.sin_addr;
    const int name = joins ? IP_ADD_SOURCE_MEMBERSHIP : IP_DROP_SOURCE_MEMBERSHIP;
    return Ask(fd, IPPROTO_IP, name, request);
  }
  // IPv6 has no older call for it: interface 0 is EADDRNOTAVAIL on the BSDs.
  group_source_req request{};
  request.gsr_interface = static_cast<uint32_t>(interface_index);
  request.gsr_group = group.storage;
  request.gsr_source = source.storage;
  const int name = joins ? MCAST_JOIN_SOURCE_GROUP : MCAST_LEAVE_SOURCE_GROUP;
  return Ask(fd, LevelOf(group), name, request);
}
#else
int GroupMembership(int, bool, int, const Address&) { return -ENOSYS; }
int SourceMembership(int, bool, int, const Address&, const Address&) { return -ENOSYS; }
#endif

}  // namespace

int Disconnect(OwnedFds* owned, int fd) {
  if (!owned->Has(fd)) return -EBADF;
  sockaddr_storage nobody{};
  nobody.ss_family = AF_UNSPEC;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&nobody), sizeof nobody) == 0) return 0;
  const int error = -errno;
  // The BSDs do it, and complain of the address all the same: EAFNOSUPPORT (connect(2)), or EINVAL
  // for its length.
  return CheckConnected(fd) == -ENOTCONN ? 0 : error;
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
  Address group_address;
  Address source_address;
  if (interface_index < 0 || !TakeIp(slots, group, &group_address)) return -EINVAL;
  if (source != -1 && !TakeIp(slots, source, &source_address)) return -EINVAL;
  if (!owned->Has(fd)) return -EBADF;
  if (source != -1) {
    return SourceMembership(fd, joins != 0, interface_index, group_address, source_address);
  }
  return interface_index == 0 ? DefaultMembership(fd, joins != 0, group_address)
                              : GroupMembership(fd, joins != 0, interface_index, group_address);
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
