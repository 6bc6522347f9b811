// What Windows has of Unix sockets: streams, from Windows 10 (1803) on, made and connected like
// others. No datagrams, no pairs, no credentials, and nothing is carried beside the bytes; all of
// that is refused.
#include <errno.h>

#include "compat_windows.h"
#include "unix.h"

namespace pollux::net {

int UnixPair(OwnedFds*, int type, Words out) {
  if ((type != kStream && type != kDatagram) || out.size < 2) return -EINVAL;
  return -EOPNOTSUPP;
}

int StopListening(OwnedFds* owned, int fd) { return owned->Has(fd) ? -EOPNOTSUPP : -EBADF; }

int PeerCredentials(OwnedFds* owned, int fd, Words out) {
  if (out.size < 3) return -EINVAL;
  return owned->Has(fd) ? -ENOTSUP : -EBADF;
}

int DuplicateFds(OwnedFds*, Words fds, int count, Words out) {
  if (!fds.Holds(count) || !out.Holds(count)) return -EINVAL;
  return -EOPNOTSUPP;
}

int ReleaseFd(OwnedFds* owned, int fd) { return owned->Remove(fd) ? fd : -EBADF; }

int SendFds(OwnedFds* owned, int fd, Bytes, int, int, Words, int, Bytes) {
  return owned->Has(fd) ? -EOPNOTSUPP : -EBADF;
}

// None ever comes.
int ReadFds(OwnedFds* owned, Words fds, int count, int most, Bytes slab, Words results,
            Words passed, Words) {
  if (!passed.Holds(count)) return -EINVAL;
  for (int i = 0; i < count; i++) passed.data[i] = 0;
  return Read(owned, fds, count, most, slab, results);
}

int ReceiveFds(OwnedFds*, Words, int, int, Bytes, int, Words, Bytes, Words, Words) {
  return -EOPNOTSUPP;
}

}  // namespace pollux::net
