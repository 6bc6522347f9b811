// What kqueue watches badly or not at all, refused with EPERM as epoll refuses what it
// cannot poll; select serves there.
//
//   regular files, directories   EVFILT_READ says nothing at the end of a file, where every
//                                other primitive calls it readable, and a directory differs
//                                from system to system. WatchVnode is for these.
//   block devices                likewise
//   FIFOs of macOS               a reader is not told that the last writer has gone
//                                (golang/go#24164); a pipe's is
//   devices                      the kernel decides; some have no filter (EINVAL, ENODEV)
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "pollux/identity.h"

#ifdef __APPLE__
#include <sys/param.h>
#endif

namespace pollux {

// 0, -EPERM, or -EBADF.
inline int Refusal(int fd, const Identity& file) {
  (void)fd;
  if (S_ISREG(file.type) || S_ISDIR(file.type) || S_ISBLK(file.type)) return -EPERM;
#ifdef __APPLE__
  // A pipe is of this type too, but has no path: F_GETPATH is for vnodes only.
  char path[MAXPATHLEN];
  if (S_ISFIFO(file.type) && fcntl(fd, F_GETPATH, path) == 0) return -EPERM;
#endif
  return 0;
}

// Of the answers to EV_ADD: the filter does not exist for this descriptor.
inline bool IsUnsupported(int error) {
  return error == EINVAL || error == ENODEV || error == EOPNOTSUPP || error == ENOTSUP ||
         error == EPERM || error == ENXIO || error == ENOTTY;
}

}  // namespace pollux
