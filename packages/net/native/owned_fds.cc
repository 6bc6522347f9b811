// See owned_fds.h.
#include "owned_fds.h"

#include <stdlib.h>
#include <string.h>

#include "compat.h"

namespace pollux::net {

OwnedFds::~OwnedFds() { free(words_); }

bool OwnedFds::Add(int fd) {
  if (fd < 0) return false;
  const size_t word = static_cast<size_t>(fd) / 64;
  if (word >= count_) {
    size_t grown = count_ == 0 ? 16 : count_ * 2;
    if (grown <= word) grown = word + 1;
    auto* words = static_cast<uint64_t*>(realloc(words_, grown * sizeof *words_));
    if (words == nullptr) return false;
    memset(words + count_, 0, (grown - count_) * sizeof *words);
    words_ = words;
    count_ = grown;
  }
  words_[word] |= uint64_t{1} << (fd % 64);
  return true;
}

bool OwnedFds::Remove(int fd) {
  if (!Has(fd)) return false;
  words_[fd / 64] &= ~(uint64_t{1} << (fd % 64));
  return true;
}

void OwnedFds::CloseAll() {
  for (size_t word = 0; word < count_; word++) {
    for (int bit = 0; words_[word] != 0; bit++) {
      if ((words_[word] >> bit & 1) == 0) continue;
      CloseDescriptor(static_cast<int>(word * 64) + bit);
      words_[word] &= ~(uint64_t{1} << bit);
    }
  }
}

}  // namespace pollux::net
