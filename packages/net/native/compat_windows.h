// Winsock under the names that compat_posix.h has for the calls of POSIX. A descriptor is a SOCKET,
// whose number fits an int: handles are small multiples of four. All return a count, a descriptor
// or a negative errno.
//
// What is not here: a flag like MSG_DONTWAIT. That no call waits rests on FIONBIO, which is a
// property of the socket and so of all who share it.
#pragma once

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "pollux/windows.h"
#include "pollux/winsock_error.h"
// After it.
#include <afunix.h>

namespace pollux::net {

// A WSABUF, with the names that an iovec has.
struct Vector {
  ULONG iov_len;
  void* iov_base;
};
static_assert(sizeof(Vector) == sizeof(WSABUF) &&
              offsetof(Vector, iov_base) == offsetof(WSABUF, buf));

// What a datagram is lies below 64 KiB, and longer writes are cut (SendVectors).
inline Vector MakeVector(uint8_t* data, size_t length) {
  return {static_cast<ULONG>(length), data};
}

struct msghdr {
  void* msg_name;
  int msg_namelen;
  Vector* msg_iov;
  DWORD msg_iovlen;
  void* msg_control;
  ULONG msg_controllen;
  DWORD msg_flags;
};

struct Message {
  msghdr msg_hdr;
  unsigned int msg_len;
};

// Windows cuts and joins datagrams too (UDP_SEND_MSG_SIZE), but not in Wine, so that is not asked
// of it.
constexpr bool kHasSegments = false;

// A message whose bytes are, or come to be, in these pieces of memory.
inline msghdr MessageOf(Vector* vectors, DWORD count = 1) {
  msghdr header{};
  header.msg_iov = vectors;
  header.msg_iovlen = count;
  return header;
}

inline SOCKET SocketOf(int fd) { return static_cast<SOCKET>(static_cast<unsigned int>(fd)); }
inline bool IsAgain(int64_t result) { return result == -EAGAIN; }

// Nonblocking and not inherited.
int OpenSocket(int domain, int type);
int SetNonblocking(int fd);
int AcceptConnection(int listener, sockaddr* address, socklen_t* length);
// Whether a failure of that is one connection's, gone before it was taken: the next may be tried.
bool IsLostConnection(int result);
// Another socket for what somebody has opened, not inherited.
int DuplicateDescriptor(int fd);
void CloseDescriptor(int fd);
// A refusal comes back as an error of the next receive. To a socket with many peers that is noise,
// and it would not even say whose, so it is switched off; to a connected one it is what POSIX tells
// too. To be called when the one becomes the other.
void PrepareDatagrams(int fd);

// How many bytes were received, or sent; 0 received is the end.
int64_t ReceiveBytes(int fd, uint8_t* data, size_t room);
int64_t SendVectors(int fd, Vector* vectors, int count);

// How many messages were received or sent, in order, one call each; negative if the first of them
// failed. What a later one failed to be received with is in `failure`, or else 0.
int ReceiveBatch(int fd, Message* messages, unsigned int count, int* failure);
int SendBatch(int fd, Message* messages, unsigned int count);

}  // namespace pollux::net
