// Sockets, one at a time: made, set up, named, ended.
#include "compat_posix.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#ifdef SO_ATTACH_FILTER
#include <linux/filter.h>
#endif

#include "adopt.h"
#include "control.h"
#include "slots.h"

namespace pollux::net {
namespace {

using NameCall = int (*)(int, sockaddr*, socklen_t*);

int NameInto(const OwnedFds& owned, NameCall call, int fd, Bytes slots, int offset) {
  uint8_t* slot = SlotAt(slots, offset);
  if (slot == nullptr) return -EINVAL;
  if (!owned.Has(fd)) return -EBADF;
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  const int result = call(fd, reinterpret_cast<sockaddr*>(&storage), &length) == 0 ? 0 : -errno;
  PutSlot(slot, &storage, result == 0 ? length : 0);
  return result;
}

// An option that not every system has: kNone is refused with ENOPROTOOPT.
constexpr int kNone = -1;
#ifdef IP_RECVPKTINFO
constexpr int kPacketInfo = IP_RECVPKTINFO;  // of NetBSD; Darwin's is IP_PKTINFO
#elif defined(IP_PKTINFO)
constexpr int kPacketInfo = IP_PKTINFO;
#else
constexpr int kPacketInfo = kNone;
#endif
#ifdef IPV6_RECVPKTINFO
constexpr int kPacketInfo6 = IPV6_RECVPKTINFO;
#else
constexpr int kPacketInfo6 = kNone;
#endif
#ifdef UDP_SEGMENT
constexpr int kUdpSegment = UDP_SEGMENT;
#else
constexpr int kUdpSegment = kNone;
#endif
#ifdef UDP_GRO
constexpr int kUdpGro = UDP_GRO;
#else
constexpr int kUdpGro = kNone;
#endif
#ifdef TCP_KEEPIDLE
constexpr int kKeepIdle = TCP_KEEPIDLE;
#elif defined(TCP_KEEPALIVE)
constexpr int kKeepIdle = TCP_KEEPALIVE;  // Darwin's name of it
#else
constexpr int kKeepIdle = kNone;
#endif
#ifdef TCP_KEEPINTVL
constexpr int kKeepInterval = TCP_KEEPINTVL;
constexpr int kKeepCount = TCP_KEEPCNT;
#else
constexpr int kKeepInterval = kNone;
constexpr int kKeepCount = kNone;
#endif
#ifdef TCP_USER_TIMEOUT
constexpr int kUserTimeout = TCP_USER_TIMEOUT;
#else
constexpr int kUserTimeout = kNone;
#endif
#ifdef TCP_DEFER_ACCEPT
constexpr int kDeferAccept = TCP_DEFER_ACCEPT;
#else
constexpr int kDeferAccept = kNone;
#endif
#ifdef IP_BIND_ADDRESS_NO_PORT
constexpr int kBindAddressNoPort = IP_BIND_ADDRESS_NO_PORT;
#else
constexpr int kBindAddressNoPort = kNone;
#endif

struct Option {
  int level;
  int name;
};

// Spreads what comes on a port, as SO_REUSEPORT does on Linux, and as on a BSD it does not.
#ifdef SO_REUSEPORT_LB
constexpr int kReusePort = SO_REUSEPORT_LB;  // FreeBSD 12
#else
constexpr int kReusePort = SO_REUSEPORT;
#endif

// The numbers that src/native.ts gives them are their places here.
constexpr Option kOptions[] = {
    {SOL_SOCKET, SO_REUSEADDR},   // kReuseAddress
    {SOL_SOCKET, kReusePort},     // 1
    {IPPROTO_IPV6, IPV6_V6ONLY},  // 2
    {SOL_SOCKET, SO_BROADCAST},   // 3
    {IPPROTO_TCP, TCP_NODELAY},   // 4
    {SOL_SOCKET, SO_RCVBUF},      // 5
    {SOL_SOCKET, SO_SNDBUF},      // 6
    // UDP's own.
    {IPPROTO_IP, IP_TTL},                 // 7
    {IPPROTO_IPV6, IPV6_UNICAST_HOPS},    // 8
    {IPPROTO_IP, IP_TOS},                 // 9
    {IPPROTO_IPV6, IPV6_TCLASS},          // 10
    {IPPROTO_IP, IP_MULTICAST_TTL},       // 11
    {IPPROTO_IPV6, IPV6_MULTICAST_HOPS},  // 12
    {IPPROTO_IP, IP_MULTICAST_LOOP},      // 13
    {IPPROTO_IPV6, IPV6_MULTICAST_LOOP},  // 14
    {IPPROTO_IP, kPacketInfo},            // 15
    {IPPROTO_IPV6, kPacketInfo6},         // 16
    {IPPROTO_UDP, kUdpSegment},           // 17
    {IPPROTO_UDP, kUdpGro},               // 18
    // TCP's own.
    {SOL_SOCKET, SO_KEEPALIVE},        // 19
    {IPPROTO_TCP, kKeepIdle},          // 20
    {IPPROTO_TCP, kKeepInterval},      // 21
    {IPPROTO_TCP, kKeepCount},         // 22
    {IPPROTO_TCP, kUserTimeout},       // 23
    {IPPROTO_TCP, kDeferAccept},       // 24
    {IPPROTO_IP, kBindAddressNoPort},  // 25
};

constexpr int kReuseAddress = 0;

// Two sockets of datagrams on one port is SO_REUSEPORT on the BSDs, where SO_REUSEADDR allows it to
// those bound to a multicast group alone.
int ReuseAddressOf([[maybe_unused]] int fd) {
#ifndef __linux__  // no header tells
  SocketKind kind;
  if (KindOf(fd, &kind) == 0 && kind.type == SOCK_DGRAM) return SO_REUSEPORT;
#endif
  return SO_REUSEADDR;
}

const Option* FindOption(int option) {
  const bool known =
      option >= 0 && static_cast<size_t>(option) < sizeof kOptions / sizeof *kOptions;
  return known ? &kOptions[option] : nullptr;
}

}  // namespace

int Open(OwnedFds* owned, int family, int type) {
  const int domain = family == kFamilyIpv4   ? AF_INET
                     : family == kFamilyIpv6 ? AF_INET6
                     : family == kFamilyUnix ? AF_UNIX
                                             : -1;
  if (domain < 0) return -EINVAL;
  const int real = SocketType(type);
  return real < 0 ? real : Keep(owned, OpenSocket(domain, real));
}

int Bind(OwnedFds* owned, int fd, Bytes slots, int offset) {
  Address address;
  const int result = TakeSlot(slots, offset, &address);
  if (result < 0) return result;
  if (!owned->Has(fd)) return -EBADF;
  return bind(fd, address.get(), address.length) == 0 ? 0 : -errno;
}

int Listen(OwnedFds* owned, int fd, int backlog) {
  if (!owned->Has(fd)) return -EBADF;
  return listen(fd, backlog) == 0 ? 0 : -errno;
}

int Connect(OwnedFds* owned, int fd, Bytes slots, int offset) {
  Address address;
  const int result = TakeSlot(slots, offset, &address);
  if (result < 0) return result;
  if (!owned->Has(fd)) return -EBADF;
  if (connect(fd, address.get(), address.length) == 0) return 0;
  // Interrupted, it goes on by itself (connect(2)); to call it again would be EALREADY.
  return errno == EINTR ? -EINPROGRESS : -errno;
}

int TakeError(OwnedFds* owned, int fd) {
  if (!owned->Has(fd)) return -EBADF;
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return -errno;
  return -error;
}

int ShutdownWrite(OwnedFds* owned, int fd) {
  if (!owned->Has(fd)) return -EBADF;
  return shutdown(fd, SHUT_WR) == 0 ? 0 : -errno;
}

int Close(OwnedFds* owned, int fd) {
  if (!owned->Remove(fd)) return -EBADF;
  // EINTR: the number is free all the same on Linux and the BSDs; never close twice (close(2)).
  return close(fd) == 0 || errno == EINTR ? 0 : -errno;
}

int LocalAddress(OwnedFds* owned, int fd, Bytes slots, int offset) {
  return NameInto(*owned, getsockname, fd, slots, offset);
}

int PeerAddress(OwnedFds* owned, int fd, Bytes slots, int offset) {
  return NameInto(*owned, getpeername, fd, slots, offset);
}

int SetOption(OwnedFds* owned, int fd, int option, int value) {
  const Option* known = FindOption(option);
  if (known == nullptr) return -EINVAL;
  if (!owned->Has(fd)) return -EBADF;
  if (known->name == kNone) return -ENOPROTOOPT;
  const int name = option == kReuseAddress ? ReuseAddressOf(fd) : known->name;
  return setsockopt(fd, known->level, name, &value, sizeof value) == 0 ? 0 : -errno;
}

int GetOption(OwnedFds* owned, int fd, int option) {
  const Option* known = FindOption(option);
  if (known == nullptr) return -EINVAL;
  if (!owned->Has(fd)) return -EBADF;
  if (known->name == kNone) return -ENOPROTOOPT;
  int value = 0;
  socklen_t length = sizeof value;
  return getsockopt(fd, known->level, known->name, &value, &length) == 0 ? value : -errno;
}

int ResetOnClose(OwnedFds* owned, int fd) {
  if (!owned->Has(fd)) return -EBADF;
  const linger none = {1, 0};
  return setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none) == 0 ? 0 : -errno;
}

int StopInput(OwnedFds* owned, int fd) {
  if (!owned->Has(fd)) return -EBADF;
#ifdef SO_ATTACH_FILTER
  SocketKind kind;
  const int result = KindOf(fd, &kind);
  if (result < 0) return result;
  // A TCP filter sees a segment from its TCP header on: byte 13 has the flags. SYN (2) without ACK
  // (16) opens a connection. Accepted sockets inherit the filter; to them no such segment comes.
  sock_filter opening[] = {
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),          BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x12),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x02, 0, 1), BPF_STMT(BPF_RET | BPF_K, 0),
      BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
  };
  sock_filter everything[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
  const bool stream = kind.type == SOCK_STREAM;
  const sock_fprog program = {static_cast<unsigned short>(stream ? 5 : 1),
                              stream ? opening : everything};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0 ? 0 : -errno;
#else
  return -ENOSYS;
#endif
}

}  // namespace pollux::net
