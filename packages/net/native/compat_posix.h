// System calls that not every POSIX system has, or that a sandbox forbids: accept4, recvmmsg,
// sendmmsg, and the flags of socket(2). Where one is missing, several of the older calls take its
// place. Told by feature, not by the system's name. All return a count, a descriptor or a negative
// errno, and none is interrupted.
#pragma once

#include <errno.h>
#include <sys/socket.h>

namespace pollux::net {

#ifdef MSG_NOSIGNAL
constexpr int kNoSignal = MSG_NOSIGNAL;
#else
constexpr int kNoSignal = 0;  // Darwin: the SO_NOSIGPIPE that OpenSocket sets
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

inline bool IsAgain(int result) { return result == -EAGAIN || result == -EWOULDBLOCK; }

// Nonblocking and close-on-exec.
int OpenSocket(int domain, int type);
// O_NONBLOCK again, if it was taken back: accept(2) has no flag like MSG_DONTWAIT.
void StayNonblocking(int fd);
int AcceptConnection(int listener, sockaddr* address, socklen_t* length);

// How many messages were received or sent, in order; negative if the first of them failed. What
// stopped a later one is learned by the next call.
int ReceiveBatch(int fd, Message* messages, unsigned int count);
int SendBatch(int fd, Message* messages, unsigned int count);

}  // namespace pollux::net
