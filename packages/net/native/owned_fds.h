// The descriptors that one environment (the main thread's, or a worker's) has opened here.
//
// Two uses. When the environment ends, whatever JavaScript left open is closed: a worker may be
// terminated between any two lines. And every verb refuses a descriptor that is not in the set with
// EBADF, so that a stale or made-up number never reaches a file that is somebody else's, such as
// Node's own epoll. A bitmap, since descriptors are small integers.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace pollux::net {

class OwnedFds {
 public:
  OwnedFds() = default;
  OwnedFds(const OwnedFds&) = delete;
  OwnedFds& operator=(const OwnedFds&) = delete;
  ~OwnedFds();

  // False if there is no memory to remember it.
  bool Add(int fd);
  bool Remove(int fd);
  bool Has(int fd) const {
    if (fd < 0) return false;
    const size_t word = static_cast<size_t>(fd) / 64;
    return word < count_ && (words_[word] >> (fd % 64) & 1) != 0;
  }
  void CloseAll();

 private:
  uint64_t* words_ = nullptr;
  size_t count_ = 0;
};

}  // namespace pollux::net
