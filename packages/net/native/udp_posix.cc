// What UDP sockets have and others have not: adopted, disconnected, members of multicast groups.
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net.h"

namespace pollux::net {
namespace {

// The family of a socket, AF_UNSPEC if it is none of IP.
int FamilyOf(int fd) {
  sockaddr_storage local{};
  socklen_t length = sizeof local;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&local), &length) != 0) return -errno;
  const int family = local.ss_family;
  return family == AF_INET || family == AF_INET6 ? family : AF_UNSPEC;
}

[[maybe_unused]] bool HasNumber(int fd, int option, int wanted) {
  int value = -1;
  socklen_t length = sizeof value;
  return getsockopt(fd, SOL_SOCKET, option, &value, &length) == 0 && value == wanted;
}

bool SameAddress(const sockaddr* one, const sockaddr_storage& other) {
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
  return IN6_ARE_ADDR_EQUAL(&a.sin6_addr, &b.sin6_addr) &&
         (b.sin6_scope_id == 0 || a.sin6_scope_id == b.sin6_scope_id);
}

bool TakeSlot(Bytes slots, int offset, sockaddr_storage* out) {
  const uint8_t* slot = SlotAt(slots, offset);
  if (slot == nullptr || SlotLength(slot) == 0) return false;
  *out = {};
  memcpy(out, slot, SlotLength(slot));
  return out->ss_family == AF_INET || out->ss_family == AF_INET6;
}

}  // namespace

int AdoptUdp(OwnedFds* owned, int fd) {
  if (fd < 0) return -EBADF;
  int type = 0;
  socklen_t length = sizeof type;
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) != 0) return -errno;
  const int family = FamilyOf(fd);
  if (family < 0) return family;
  if (type != SOCK_DGRAM || family == AF_UNSPEC) return -EINVAL;
#ifdef SO_PROTOCOL
  // ICMP has datagram sockets too.
  if (!HasNumber(fd, SO_PROTOCOL, IPPROTO_UDP)) return -EINVAL;
#endif
  const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return -errno;
  const int flags = fcntl(copy, F_GETFL);
  if (flags < 0 || fcntl(copy, F_SETFL, flags | O_NONBLOCK) != 0) {
    const int error = -errno;
    close(copy);
    return error;
  }
  if (owned->Add(copy)) return copy;
  close(copy);
  return -ENOMEM;
}

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
  sockaddr_storage wanted;
  if (EncodeAddress(owned, text, 0, {slot, sizeof slot}, 0) < 0) return -ENODEV;
  if (!TakeSlot({slot, sizeof slot}, 0, &wanted)) return -ENODEV;
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
  sockaddr_storage group_address;
  sockaddr_storage source_address{};
  if (interface_index < 0 || !TakeSlot(slots, group, &group_address)) return -EINVAL;
  if (source != -1 && !TakeSlot(slots, source, &source_address)) return -EINVAL;
  if (!owned->Has(fd)) return -EBADF;
  const int level = group_address.ss_family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
  int result;
  if (source == -1) {
    group_req request{};
    request.gr_interface = static_cast<uint32_t>(interface_index);
    memcpy(&request.gr_group, &group_address, sizeof group_address);
    const int name = joins != 0 ? MCAST_JOIN_GROUP : MCAST_LEAVE_GROUP;
    result = setsockopt(fd, level, name, &request, sizeof request);
  } else {
    group_source_req request{};
    request.gsr_interface = static_cast<uint32_t>(interface_index);
    memcpy(&request.gsr_group, &group_address, sizeof group_address);
    memcpy(&request.gsr_source, &source_address, sizeof source_address);
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
  const int family = FamilyOf(fd);
  if (family < 0) return family;
  ip_mreqn request{};
  request.imr_ifindex = interface_index;
  const bool v4 = setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof request) == 0;
  if (family != AF_INET6) return v4 ? 0 : -errno;
  // A socket of both families has both; that it may have no IPv4 is no failure.
  const int index = interface_index;
  return setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof index) == 0 ? 0 : -errno;
}

}  // namespace pollux::net
