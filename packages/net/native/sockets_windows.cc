// Sockets, one at a time, on Winsock: made, set up, named, ended.
#include <errno.h>
#include <string.h>

#include "adopt.h"
#include "compat_windows.h"
#include "slots.h"
// After Winsock.
#include <mstcpip.h>

namespace pollux::net {
namespace {

int Result(int result) { return result == 0 ? 0 : LastWinsockError(); }

int SetInt(int fd, int level, int name, int value) {
  return Result(
      setsockopt(SocketOf(fd), level, name, reinterpret_cast<const char*>(&value), sizeof value));
}

// Negative if it is refused: what is asked for so is never negative.
int GetInt(int fd, int level, int name) {
  int value = 0;
  int size = sizeof value;
  if (getsockopt(SocketOf(fd), level, name, reinterpret_cast<char*>(&value), &size) != 0) {
    const int error = LastWinsockError();
    return error == -ENOTSOCK ? NoSocket(SocketOf(fd)) : error;
  }
  return value;
}

int ProtocolOf(int fd, WSAPROTOCOL_INFOW* info) {
  int size = sizeof *info;
  return Result(getsockopt(SocketOf(fd), SOL_SOCKET, SO_PROTOCOL_INFOW,
                           reinterpret_cast<char*>(info), &size));
}

int FamilyOf(int fd) {
  WSAPROTOCOL_INFOW info;
  const int result = ProtocolOf(fd, &info);
  return result < 0 ? result : info.iAddressFamily;
}

int SizeOf(int family) { return family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6); }

// The numbers of options that no header of mingw-w64 10 has (ws2ipdef.h of Windows 10).
constexpr int kTcpKeepIdle = 3;
constexpr int kTcpKeepCount = 16;
constexpr int kTcpKeepInterval = 17;

struct Option {
  int level;
  int name;
};
// Not on this system: refused with ENOPROTOOPT.
constexpr Option kNone = {0, -1};

// The numbers that src/native.ts gives them are their places here.
constexpr Option kOptions[] = {
    {SOL_SOCKET, SO_REUSEADDR},           // 0
    kNone,                                // 1: SO_REUSEPORT
    {IPPROTO_IPV6, IPV6_V6ONLY},          // 2
    {SOL_SOCKET, SO_BROADCAST},           // 3
    {IPPROTO_TCP, TCP_NODELAY},           // 4
    {SOL_SOCKET, SO_RCVBUF},              // 5
    {SOL_SOCKET, SO_SNDBUF},              // 6
    {IPPROTO_IP, IP_TTL},                 // 7
    {IPPROTO_IPV6, IPV6_UNICAST_HOPS},    // 8
    {IPPROTO_IP, IP_TOS},                 // 9
    {IPPROTO_IPV6, IPV6_TCLASS},          // 10
    {IPPROTO_IP, IP_MULTICAST_TTL},       // 11
    {IPPROTO_IPV6, IPV6_MULTICAST_HOPS},  // 12
    {IPPROTO_IP, IP_MULTICAST_LOOP},      // 13
    {IPPROTO_IPV6, IPV6_MULTICAST_LOOP},  // 14
    {IPPROTO_IP, IP_PKTINFO},             // 15
    {IPPROTO_IPV6, IPV6_PKTINFO},         // 16
    kNone,                                // 17: UDP_SEGMENT
    kNone,                                // 18: UDP_GRO
    {SOL_SOCKET, SO_KEEPALIVE},           // 19
    {IPPROTO_TCP, kTcpKeepIdle},          // 20
    {IPPROTO_TCP, kTcpKeepInterval},      // 21
    {IPPROTO_TCP, kTcpKeepCount},         // 22
    kNone,                                // 23: TCP_USER_TIMEOUT
    kNone,                                // 24: TCP_DEFER_ACCEPT
    kNone,                                // 25: IP_BIND_ADDRESS_NO_PORT
};
constexpr int kReuseAddress = 0;
constexpr int kKeepAliveIdle = 20;

const Option* FindOption(int option) {
  const bool known =
      option >= 0 && static_cast<size_t>(option) < sizeof kOptions / sizeof *kOptions;
  return known ? &kOptions[option] : nullptr;
}

// What there was before Windows 10 1709: the time, and with it the interval (one second, as in
// libuv); it switches probing on, which is undone.
int SetKeepAliveIdle(int fd, int seconds) {
  tcp_keepalive values{1, static_cast<ULONG>(seconds) * 1000, 1000};
  DWORD size = 0;
  const int was = GetInt(fd, SOL_SOCKET, SO_KEEPALIVE);
  const int result = Result(WSAIoctl(SocketOf(fd), SIO_KEEPALIVE_VALS, &values, sizeof values,
                                     nullptr, 0, &size, nullptr, nullptr));
  if (result == 0 && was == 0) SetInt(fd, SOL_SOCKET, SO_KEEPALIVE, 0);
  return result;
}

bool IsDatagram(int fd) { return GetInt(fd, SOL_SOCKET, SO_TYPE) == SOCK_DGRAM; }

}  // namespace

int Open(OwnedFds* owned, int family, int type) {
  const int domain = family == kFamilyIpv4   ? AF_INET
                     : family == kFamilyIpv6 ? AF_INET6
                     : family == kFamilyUnix ? AF_UNIX
                                             : -1;
  if (domain < 0) return -EINVAL;
  const int real = SocketType(type);
  if (real < 0) return real;
  if (domain == AF_UNIX && real == SOCK_DGRAM) return -EAFNOSUPPORT;
  const int fd = Keep(owned, OpenSocket(domain, real));
  if (fd >= 0 && real == SOCK_DGRAM) PrepareDatagrams(fd);
  return fd;
}

int Bind(OwnedFds* owned, int fd, Bytes slots, int offset) {
  Address address;
  const int result = TakeSlot(slots, offset, &address);
  if (result < 0) return result;
  if (!owned->Has(fd)) return -EBADF;
  return Result(bind(SocketOf(fd), address.get(), address.length));
}

int Listen(OwnedFds* owned, int fd, int backlog) {
  if (!owned->Has(fd)) return -EBADF;
  return Result(listen(SocketOf(fd), backlog));
}

int Connect(OwnedFds* owned, int fd, Bytes slots, int offset) {
  Address address;
  const int result = TakeSlot(slots, offset, &address);
  if (result < 0) return result;
  if (!owned->Has(fd)) return -EBADF;
  const int connected = Result(connect(SocketOf(fd), address.get(), address.length));
  if (connected == 0 && IsDatagram(fd)) PrepareDatagrams(fd);
  return connected == -EAGAIN ? -EINPROGRESS : connected;
}

int TakeError(OwnedFds* owned, int fd) {
  if (!owned->Has(fd)) return -EBADF;
  const int error = GetInt(fd, SOL_SOCKET, SO_ERROR);
  return error > 0 ? FromWinsock(error) : error;
}

int ShutdownWrite(OwnedFds* owned, int fd) {
  if (!owned->Has(fd)) return -EBADF;
  return Result(shutdown(SocketOf(fd), SD_SEND));
}

int Close(OwnedFds* owned, int fd) {
  if (!owned->Remove(fd)) return -EBADF;
  return Result(closesocket(SocketOf(fd)));
}

int LocalAddress(OwnedFds* owned, int fd, Bytes slots, int offset) {
  uint8_t* slot = SlotAt(slots, offset);
  if (slot == nullptr) return -EINVAL;
  if (!owned->Has(fd)) return -EBADF;
  sockaddr_storage address{};
  int length = sizeof address;
  int result = Result(getsockname(SocketOf(fd), reinterpret_cast<sockaddr*>(&address), &length));
  // Not bound: elsewhere that is the address of nobody.
  const int family = result == -EINVAL ? FamilyOf(fd) : 0;
  if (family == AF_INET || family == AF_INET6) {
    address = {};
    address.ss_family = static_cast<ADDRESS_FAMILY>(family);
    length = SizeOf(family);
    result = 0;
  }
  PutSlot(slot, &address, result == 0 ? static_cast<size_t>(length) : 0);
  return result;
}

int PeerAddress(OwnedFds* owned, int fd, Bytes slots, int offset) {
  uint8_t* slot = SlotAt(slots, offset);
  if (slot == nullptr) return -EINVAL;
  if (!owned->Has(fd)) return -EBADF;
  sockaddr_storage address{};
  int length = sizeof address;
  const int result =
      Result(getpeername(SocketOf(fd), reinterpret_cast<sockaddr*>(&address), &length));
  PutSlot(slot, &address, result == 0 ? static_cast<size_t>(length) : 0);
  return result;
}

int SetOption(OwnedFds* owned, int fd, int option, int value) {
  const Option* known = FindOption(option);
  if (known == nullptr) return -EINVAL;
  if (!owned->Has(fd)) return -EBADF;
  if (known->name == kNone.name) return -ENOPROTOOPT;
  // For streams it would mean another thing here: that two may listen on one port. What it means
  // elsewhere, that a port may be bound whose last connections are not forgotten yet, is always so.
  if (option == kReuseAddress && !IsDatagram(fd)) return 0;
  const int result = SetInt(fd, known->level, known->name, value);
  if (result == -ENOPROTOOPT && option == kKeepAliveIdle) return SetKeepAliveIdle(fd, value);
  return result;
}

int GetOption(OwnedFds* owned, int fd, int option) {
  const Option* known = FindOption(option);
  if (known == nullptr) return -EINVAL;
  if (!owned->Has(fd)) return -EBADF;
  if (known->name == kNone.name) return -ENOPROTOOPT;
  return GetInt(fd, known->level, known->name);
}

int ResetOnClose(OwnedFds* owned, int fd) {
  if (!owned->Has(fd)) return -EBADF;
  const linger none = {1, 0};
  return Result(setsockopt(SocketOf(fd), SOL_SOCKET, SO_LINGER,
                           reinterpret_cast<const char*>(&none), sizeof none));
}

int Disconnect(OwnedFds* owned, int fd) {
  if (!owned->Has(fd)) return -EBADF;
  // To nobody (connect(), "the remote address and port are all zeroes").
  sockaddr_storage nobody{};
  const int family = FamilyOf(fd);
  if (family != AF_INET && family != AF_INET6) return family < 0 ? family : -EINVAL;
  nobody.ss_family = static_cast<ADDRESS_FAMILY>(family);
  const int result =
      Result(connect(SocketOf(fd), reinterpret_cast<const sockaddr*>(&nobody), SizeOf(family)));
  if (result == 0) PrepareDatagrams(fd);
  return result;
}

int KindOf(int fd, SocketKind* kind) {
  if (fd < 0) return -EBADF;
  kind->type = GetInt(fd, SOL_SOCKET, SO_TYPE);
  if (kind->type < 0) return kind->type;
  kind->family = FamilyOf(fd);
  // Of sockets of datagrams it may not be asked.
  kind->listens = GetInt(fd, SOL_SOCKET, SO_ACCEPTCONN) > 0;
  return kind->family < 0 ? kind->family : 0;
}

int CheckConnected(int fd) {
  sockaddr_storage peer{};
  int length = sizeof peer;
  return Result(getpeername(SocketOf(fd), reinterpret_cast<sockaddr*>(&peer), &length));
}

bool IsUdp(int fd) {
  WSAPROTOCOL_INFOW info;
  return ProtocolOf(fd, &info) == 0 && info.iProtocol == IPPROTO_UDP;
}

// There are no filters.
int StopInput(OwnedFds* owned, int fd) { return owned->Has(fd) ? -ENOSYS : -EBADF; }

}  // namespace pollux::net
