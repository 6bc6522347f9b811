// Reading, writing and questioning a socket, and WSAPoll as the oracle that a poller is compared
// with. Whoever starts the addon has started Winsock: Node does.
#include <stdint.h>
#include <stdlib.h>

#include "binding.h"
#include "socket_windows.h"

namespace testkit {
namespace {

int64_t Read(int fd, Bytes into) {
  const int size = into.size > INT32_MAX ? INT32_MAX : static_cast<int>(into.size);
  return ResultOn(fd, recv(SocketOf(fd), reinterpret_cast<char*>(into.data), size, 0));
}

int64_t Write(int fd, Bytes bytes) {
  const int size = bytes.size > INT32_MAX ? INT32_MAX : static_cast<int>(bytes.size);
  return ResultOn(fd, send(SocketOf(fd), reinterpret_cast<const char*>(bytes.data), size, 0));
}

// As in descriptors_posix.cc. That the socket does not block is taken for granted: Winsock does not
// tell.
int64_t Fill(int fd) {
  constexpr int64_t kEndless = 64 << 20;
  uint8_t block[65536];
  memset(block, '.', sizeof(block));
  int64_t total = 0;
  for (size_t size = sizeof(block); size > 0;) {
    const int64_t count = Write(fd, {block, size});
    if (count > 0) {
      total += count;
      if (total > kEndless) return -EFBIG;
    } else if (count == -EAGAIN || count == -EMSGSIZE || count == -ENOBUFS) {
      size /= 2;
    } else {
      return count < 0 ? count : total;
    }
  }
  return total;
}

int64_t Drain(int fd) {
  uint8_t buffer[65536];
  int64_t total = 0;
  for (;;) {
    const int64_t count = Read(fd, {buffer, sizeof(buffer)});
    if (count == 0 || count == -EAGAIN) return total;
    if (count < 0) return count;
    total += count;
  }
}

int64_t Close(int fd) { return ResultOn(fd, closesocket(SocketOf(fd))); }

// A second socket of the same connection. Not DuplicateHandle: Winsock keeps a list of what is its.
SOCKET Duplicate(int fd) {
  WSAPROTOCOL_INFOW info;
  if (WSADuplicateSocketW(SocketOf(fd), GetCurrentProcessId(), &info) != 0) return INVALID_SOCKET;
  return WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0,
                    WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
}

// The numbers of handles are the system's to choose.
int64_t DupTo(int fd, int at_least) {
  if (at_least != 0) return -ENOSYS;
  const SOCKET copy = Duplicate(fd);
  return copy == INVALID_SOCKET ? FailedOn(fd) : static_cast<int64_t>(copy);
}

// A handle of no use, and of a low number, for it is made when the addon is loaded. To duplicate a
// socket takes a handle for a moment, which under Wine is the lowest that is free: while Dup2 hunts
// for a number, this one's place is there for it.
HANDLE placeholder = CreateEventW(nullptr, TRUE, FALSE, nullptr);

// A number that was just closed is soon given out again: duplicates are made until it comes.
int64_t Dup2(int from, int to) {
  if (from == to) return to;
  constexpr int kMost = 256;
  SOCKET others[kMost];
  int count = 0;
  int64_t result = -ENOSYS;  // some other thread's by now, or never anybody's
  const SOCKET first = Duplicate(from);
  if (first == INVALID_SOCKET) return FailedOn(from);
  if (first == SocketOf(to)) return to;  // it was free
  CloseHandle(placeholder);
  closesocket(SocketOf(to));
  while (count < kMost) {
    const SOCKET copy = Duplicate(from);
    if (copy == INVALID_SOCKET) {
      result = FailedOn(from);
      break;
    }
    if (copy == SocketOf(to)) {
      result = to;
      break;
    }
    others[count++] = copy;
  }
  placeholder = CreateEventW(nullptr, TRUE, FALSE, nullptr);
  while (count > 0) closesocket(others[--count]);
  closesocket(first);
  return result;
}

int64_t IsCloexec(int fd) {
  DWORD flags;
  if (!GetHandleInformation(reinterpret_cast<HANDLE>(SocketOf(fd)), &flags)) return -EBADF;
  return (flags & HANDLE_FLAG_INHERIT) == 0;
}

int64_t SetNonblockingOf(int fd, bool on) {
  return SetNonblocking(SocketOf(fd), on) ? 0 : FailedOn(fd);
}

// poll's bits in the order of descriptors.ts, in Winsock's words. It says POLLHUP when the peer
// will send no more, which is POLLRDHUP elsewhere; that nothing goes either way any more it says by
// POLLERR beside it.
enum : int32_t { kIn = 1, kOut = 2, kPri = 4, kErr = 8, kHup = 16, kNval = 32, kRdhup = 64 };

int32_t Translate(short revents, int events) {
  int32_t bits = 0;
  if (revents & POLLRDNORM) bits |= kIn;
  if (revents & POLLWRNORM) bits |= kOut;
  if (revents & POLLRDBAND) bits |= kPri;
  if (revents & POLLHUP) bits |= kRdhup;
  // The end of the stream can be read.
  if ((revents & POLLHUP) && (events & kIn)) bits |= kIn;
  if (revents & POLLERR) bits |= kErr | kHup;
  bits &= events | kErr | kHup;
  if (revents & POLLNVAL) bits |= kNval;
  return bits;
}

int64_t Poll(Ints fds, int events, Ints revents, int timeout_ms) {
  if (revents.size < fds.size) return -EINVAL;
  short wanted = 0;
  if (events & kIn) wanted = static_cast<short>(wanted | POLLRDNORM);
  if (events & kOut) wanted = static_cast<short>(wanted | POLLWRNORM);
  if (events & kPri) wanted = static_cast<short>(wanted | POLLRDBAND);
  auto* polled = static_cast<WSAPOLLFD*>(calloc(fds.size + 1, sizeof(WSAPOLLFD)));
  if (polled == nullptr) return -ENOMEM;
  for (size_t i = 0; i < fds.size; i++) polled[i] = {SocketOf(fds.data[i]), wanted, 0};
  const int count = fds.size == 0 ? 0 : WSAPoll(polled, static_cast<ULONG>(fds.size), timeout_ms);
  const int error = count < 0 ? pollux::LastWinsockError() : 0;
  int64_t seen = 0;
  for (size_t i = 0; i < fds.size && count >= 0; i++) {
    revents.data[i] = Translate(polled[i].revents, events);
    if (revents.data[i] != 0) seen++;
  }
  free(polled);
  return error < 0 ? error : seen;
}

// There is no limit to raise; this many handles are no strain.
int64_t RaiseNofile() { return 16384; }

TESTKIT_EXPORT(read, Read);
TESTKIT_EXPORT(write, Write);
TESTKIT_EXPORT(recv, Read);
TESTKIT_EXPORT(send, Write);
TESTKIT_EXPORT(fill, Fill);
TESTKIT_EXPORT(drain, Drain);
TESTKIT_EXPORT(close, Close);
TESTKIT_EXPORT(dupTo, DupTo);
TESTKIT_EXPORT(dup2, Dup2);
TESTKIT_EXPORT(isCloexec, IsCloexec);
TESTKIT_EXPORT(setNonblocking, SetNonblockingOf);
TESTKIT_EXPORT(poll, Poll);
TESTKIT_EXPORT(raiseNofile, RaiseNofile);

}  // namespace
}  // namespace testkit
