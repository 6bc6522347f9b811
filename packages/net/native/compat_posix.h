// System calls that not every POSIX system has, or that a sandbox forbids: accept4, recvmmsg,
// sendmmsg, and the flags of socket(2). Where one is missing, several of the older calls take its
// place. Told by feature, not by the system's name. All return a count, a descriptor or a negative
// errno, and none is interrupted.
#pragma once

// Without it, macOS has the IPV6_PKTINFO of an older RFC and no IPV6_RECVPKTINFO. Ahead of every
// netinet/in.h. Nothing elsewhere.
#define __APPLE_USE_RFC_3542 1

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

// Of Linux (whose UDP_ENCAP is 100) 4.18 and 5.0, newer than many a C library; linux/udp.h would
// clash with netinet/udp.h.
#if defined(UDP_ENCAP) && UDP_ENCAP == 100 && !defined(UDP_SEGMENT)
#define UDP_SEGMENT 103
#endif
#if defined(UDP_ENCAP) && UDP_ENCAP == 100 && !defined(UDP_GRO)
#define UDP_GRO 104
#endif

#ifndef IPV6_RECVPKTINFO
#error "netinet/in.h was there before compat_posix.h"
#endif

namespace pollux::net {

// Older macOS does not know it, though the headers do: there, each socket has SO_NOSIGPIPE besides.
#ifdef MSG_NOSIGNAL
constexpr int kNoSignal = MSG_NOSIGNAL;
#else
constexpr int kNoSignal = 0;
#endif

// MSG_WAITFORONE came with recvmmsg, on Linux as on the BSDs.
#ifdef MSG_WAITFORONE
using Message = mmsghdr;
#else
struct Message {
  msghdr msg_hdr;
  unsigned int msg_len;
};
#endif

// Of every call that moves data. O_NONBLOCK alone would not do: it belongs to the open file, and
// whoever shares that may take it back, as Node does with what it gives a child for stdin.
#ifdef MSG_DONTWAIT
constexpr int kNoWait = MSG_DONTWAIT;
#else
constexpr int kNoWait = 0;
#endif

// Whether a message may be several datagrams.
#ifdef UDP_SEGMENT
constexpr bool kHasSegments = true;
#else
constexpr bool kHasSegments = false;
#endif

using Vector = iovec;

inline Vector MakeVector(uint8_t* data, size_t length) { return {data, length}; }

inline bool IsAgain(int64_t result) { return result == -EAGAIN || result == -EWOULDBLOCK; }

// A message whose bytes are, or come to be, in these pieces of memory.
inline msghdr MessageOf(iovec* vectors, int count = 1) {
  msghdr header{};
  header.msg_iov = vectors;
  header.msg_iovlen = static_cast<decltype(header.msg_iovlen)>(count);
  return header;
}

// Calls until no signal interrupts: what it returned, or a negative errno.
template <typename Call>
int64_t Uninterrupted(Call call) {
  for (;;) {
    const int64_t result = call();
    if (result >= 0) return result;
    if (errno != EINTR) return -errno;
  }
}

// Nonblocking and close-on-exec; a pair is of Unix sockets.
int OpenSocket(int domain, int type);
int OpenPair(int type, int fds[2]);
int SetNonblocking(int fd);
int AcceptConnection(int listener, sockaddr* address, socklen_t* length);
// Whether a failure of that is one connection's, gone before it was taken: the next may be tried.
bool IsLostConnection(int result);
// Another descriptor of somebody's open file, close-on-exec.
int DuplicateDescriptor(int fd);
void CloseDescriptor(int fd);
// For what is found at a socket of datagrams that was taken over.
inline void PrepareDatagrams(int) {}

// How many bytes were received, or sent; 0 received is the end.
int64_t ReceiveBytes(int fd, uint8_t* data, size_t room);
int64_t SendVectors(int fd, Vector* vectors, int count);

// How many messages were received or sent, in order; negative if the first of them failed. What
// stopped a later one to be sent is learned by the next call. A receive may be told of an error
// once only, and then it is in `failure`, a negative errno; else that is 0.
int ReceiveBatch(int fd, Message* messages, unsigned int count, int* failure);
int SendBatch(int fd, Message* messages, unsigned int count);

}  // namespace pollux::net
