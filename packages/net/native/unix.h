// The native verbs for Unix sockets, and for the descriptors that they carry. What net.h says of
// its verbs holds for these: counts or a negative errno, no argument trusted, all arrays the
// caller's.
//
// A descriptor that arrives, or is duplicated, is in the set of owned descriptors before JavaScript
// hears of it: an environment that ends in between leaves none open. Those that arrive are
// close-on-exec, and otherwise as their sender left them: O_NONBLOCK is a property of the open
// file, and so the sender's too.
#pragma once

#include "net.h"

namespace pollux::net {

// Of one message: SCM_MAX_FD of the kernel (unix(7)).
constexpr int kMaxFds = 253;

// Addresses (addresses_posix.cc): a path, or with a leading NUL an abstract name, or nothing: the
// unnamed address, to which a bind lets the system choose (autobind). -ENAMETOOLONG, -EINVAL for a
// path with a NUL in it, -EOPNOTSUPP for what only Linux has.
int EncodePath(OwnedFds* owned, Bytes path, Bytes slots, int offset);
// Writes the path of a slot and returns its length, 0 for the unnamed; -EAFNOSUPPORT if the slot
// holds another family's address. An empty slot is unnamed.
int DecodePath(OwnedFds* owned, Bytes slots, int offset, Bytes path);

// socketpair(2): two descriptors into `out`.
int UnixPair(OwnedFds* owned, int type, Words out);
// A descriptor of our own for a Unix socket that somebody else has opened, nonblocking from here
// on. -EINVAL for anything but a Unix socket of this type that listens, or, if `listens` is 0, does
// not.
int AdoptUnix(OwnedFds* owned, int fd, int type, int listens);
// From here on a listener refuses; what waits in its backlog can still be accepted. For all that
// share the socket.
int StopListening(OwnedFds* owned, int fd);
// Process, user and group of the peer, as unsigned numbers: those of the time when it connected, or
// began to listen. -ENOTSUP where the system does not tell.
int PeerCredentials(OwnedFds* owned, int fd, Words out);

// Duplicates fds[0..count), anybody's, into `out`: all, or none.
int DuplicateFds(OwnedFds* owned, Words fds, int count, Words out);
// The descriptor is the caller's from here on.
int ReleaseFd(OwnedFds* owned, int fd);

// One message, with descriptors of the owned set (at most kMaxFds, or none): to the address in slot
// 0 of `peer`, or, where that is empty, to where the socket is connected. Returns how many bytes
// were taken; the descriptors went with the first. -ENOBUFS: too many descriptors are on their way.
int SendFds(OwnedFds* owned, int fd, Bytes data, int offset, int length, Words fds, int count,
            Bytes peer);

// As Read, with descriptors. passed[i] is how many came with the bytes of fds[i], kFdsLost added if
// some could not be taken over (MSG_CTRUNC: out of descriptors); `arrived` has them all, in order.
// Reads from fewer than count when `arrived` may not hold one more message's.
constexpr int kFdsLost = 1 << 16;
int ReadFds(OwnedFds* owned, Words fds, int count, int most, Bytes slab, Words results,
            Words passed, Words arrived);
// As Receive, one message after the other, with descriptors for those of `fds` that are given as
// their complement (~fd); passed[i] is for record i.
int ReceiveFds(OwnedFds* owned, Words fds, int count, int per_fd, Bytes slab, int slot_size,
               Words records, Bytes peers, Words passed, Words arrived);

}  // namespace pollux::net
