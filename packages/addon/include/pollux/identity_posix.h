// fstat(2) as an identity: device, inode and device number.
//
// Two different answers prove that a number was closed and used anew. Two equal
// ones prove little: eventfds, timerfds, epolls and other anonymous files share
// one inode, and a file opened twice is two open files of one inode. So callers
// may act on "different" only.
#pragma once

#include <errno.h>
#include <sys/stat.h>

#include "pollux/fd.h"

namespace pollux {

struct Identity {
  dev_t device = 0;
  ino_t inode = 0;
  dev_t special = 0;
  mode_t type = 0;

  // 0 or a negative errno: -EBADF tells that the number is free.
  static int Of(Fd fd, Identity* out) {
    struct stat status;
    if (fstat(fd, &status) != 0) return -errno;
    *out = Identity{status.st_dev, status.st_ino, status.st_rdev,
                    static_cast<mode_t>(status.st_mode & S_IFMT)};
    return 0;
  }

  // False: this is certainly not what it was `before`.
  bool MayBe(const Identity& before) const {
    return device == before.device && inode == before.inode && special == before.special &&
           type == before.type;
  }
};

}  // namespace pollux
