// The select(2) backend: any POSIX system.
//
// The bitmaps are our own, grown as numbers grow: the system call takes any
// nfds, only the fd_set type of the C library ends at FD_SETSIZE (1024).
//
// What it has in common with other primitives that have no memory is in
// pollux/stateless.h; the list that Block waits on a snapshot of is the bitmaps.
//
// What select answers for a closed number (measured on Linux 6.18): EBADF if the
// number is below the size of the process's descriptor table, and silence above
// it, with the bit left set in the result. So the bits are scanned only after a
// positive return, they are counted, and where the count is wrong or the answer
// was EBADF, every registered number is asked whether it is still open. A closed
// one is reported once, as an error, and then left out. (Closed while a select is
// under way, it may be called readable first: to Linux, POLLNVAL is readable.)

// Without it, macOS refuses numbers from FD_SETSIZE on (select(2) there). Nothing elsewhere.
#define _DARWIN_UNLIMITED_SELECT 1

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

#include <initializer_list>
#include <new>

#include "pollux/backend.h"
#include "pollux/clock.h"
#include "pollux/stateless.h"
#include "pollux/wake_pipe.h"

namespace pollux {
namespace {

// A word of an fd_set, as the kernel and every C library lay it out: the bit of
// descriptor n is bit n % bits of word n / bits.
using Word = unsigned long;
constexpr uint32_t kBits = sizeof(Word) * 8;
// POSIX lets an implementation refuse more than 31 days; Block's caller loops.
constexpr uint64_t kLongestWaitNs = 1000ull * 1000 * 1000 * 3600 * 24;

// The three sets of one select call, in one allocation.
class Bitmaps {
 public:
  enum Set { kRead, kWrite, kExcept };

  Bitmaps() = default;
  Bitmaps(const Bitmaps&) = delete;
  Bitmaps& operator=(const Bitmaps&) = delete;
  ~Bitmaps() { free(memory_); }

  // Room for `words` words in each set; what is there is kept.
  bool Grow(uint32_t words) {
    if (words <= words_) return true;
    auto* memory = static_cast<Word*>(calloc(static_cast<size_t>(words) * 3, sizeof(Word)));
    if (memory == nullptr) return false;
    for (int set = 0; set < 3 && words_ != 0; set++) {
      memcpy(memory + static_cast<size_t>(set) * words, (*this)[static_cast<Set>(set)],
             words_ * sizeof(Word));
    }
    free(memory_);
    memory_ = memory;
    words_ = words;
    return true;
  }
  // The first `used` words of each set; both must have them.
  void CopyFrom(const Bitmaps& other, uint32_t used) {
    for (int set = 0; set < 3; set++) {
      memcpy((*this)[static_cast<Set>(set)], other[static_cast<Set>(set)], used * sizeof(Word));
    }
  }

  Word* operator[](Set set) { return memory_ + static_cast<size_t>(set) * words_; }
  const Word* operator[](Set set) const { return memory_ + static_cast<size_t>(set) * words_; }
  uint32_t words() const { return words_; }

  // The descriptors of this word that are in any set.
  Word Any(uint32_t word) const {
    return (*this)[kRead][word] | (*this)[kWrite][word] | (*this)[kExcept][word];
  }
  bool Has(Set set, int fd) const {
    const uint32_t n = static_cast<uint32_t>(fd);
    return ((*this)[set][n / kBits] >> (n % kBits)) & 1;
  }
  void Put(Set set, int fd, bool on) {
    const uint32_t n = static_cast<uint32_t>(fd);
    const Word bit = Word{1} << (n % kBits);
    Word& word = (*this)[set][n / kBits];
    word = on ? word | bit : word & ~bit;
  }

 private:
  Word* memory_ = nullptr;
  uint32_t words_ = 0;
};

bool IsOpen(int fd) { return fcntl(fd, F_GETFD) != -1; }

class Select final : public StatelessBackend<WakePipe> {
 public:
  const char* Name() const override { return "select"; }
  uint32_t Capabilities() const override { return kAnyDescriptor; }
  uint32_t ResolutionNs() const override { return 1000; }

  ~Select() override { Close(); }
  int Open() override;
  void Close() override;
  int Prepare(uint32_t capacity) override;
  int Block(uint64_t timeout_ns, bool* woken) override;
  int Harvest(Record* records, uint32_t capacity) override;

 private:
  bool Reserve(Fd fd) override { return wanted_.Grow(static_cast<uint32_t>(fd) / kBits + 1); }
  void Want(Registration* registration) override;
  void Unwant(Registration* registration) override;
  bool CountIsRight() const;
  uint32_t HarvestClosed(Record* records);
  uint32_t HarvestWord(uint32_t word, Word mask, Record* records, uint32_t written);

  Bitmaps wanted_;
  int highest_ = -1;  // no wanted bit is above it

  // The private buffer: Block's between Prepare and Harvest. Block may run more
  // than once on a snapshot, and select overwrites what it is given.
  Bitmaps snapshot_;
  Bitmaps found_;
  uint32_t used_ = 0;     // words of the snapshot
  int found_result_ = 0;  // bits that select set, less the waker's, or -EBADF
  uint32_t prepared_ = 0;
  // Where the last harvest ran out of room; the next begins there.
  uint32_t start_ = 0;
};

int Select::Open() {
  const int result = waker_.Open();
  if (result < 0) return result;
  if (!Reserve(waker_.fd())) {
    Close();
    return -ENOMEM;
  }
  wanted_.Put(Bitmaps::kRead, waker_.fd(), true);
  highest_ = waker_.fd();
  return 0;
}

void Select::Close() { waker_.Close(); }

void Select::Want(Registration* r) {
  wanted_.Put(Bitmaps::kRead, r->fd, r->interest & kReadable);
  wanted_.Put(Bitmaps::kWrite, r->fd, r->interest & kWritable);
  wanted_.Put(Bitmaps::kExcept, r->fd, r->interest & kPriority);
  if (r->fd > highest_) highest_ = r->fd;
}

void Select::Unwant(Registration* r) {
  wanted_.Put(Bitmaps::kRead, r->fd, false);
  wanted_.Put(Bitmaps::kWrite, r->fd, false);
  wanted_.Put(Bitmaps::kExcept, r->fd, false);
  if (r->fd != highest_) return;
  // The waker's bit is always set, so this ends.
  uint32_t word = static_cast<uint32_t>(r->fd) / kBits;
  while (wanted_.Any(word) == 0) word--;
  highest_ = static_cast<int>(word * kBits + kBits - 1) - __builtin_clzl(wanted_.Any(word));
}

int Select::Prepare(uint32_t capacity) {
  if (!snapshot_.Grow(wanted_.words()) || !found_.Grow(wanted_.words())) return -ENOMEM;
  prepared_ = capacity;
  used_ = static_cast<uint32_t>(highest_) / kBits + 1;
  snapshot_.CopyFrom(wanted_, used_);
  MarkSnapshot();
  found_result_ = 0;
  return 0;
}

int Select::Block(uint64_t timeout_ns, bool* woken) {
  found_.CopyFrom(snapshot_, used_);
  if (timeout_ns > kLongestWaitNs) timeout_ns = kLongestWaitNs;
  const uint64_t microseconds = (timeout_ns + 999) / 1000;
  timeval timeout;
  timeout.tv_sec = static_cast<time_t>(microseconds / 1000000);
  timeout.tv_usec = static_cast<suseconds_t>(microseconds % 1000000);
  auto* read_set = reinterpret_cast<fd_set*>(found_[Bitmaps::kRead]);
  auto* write_set = reinterpret_cast<fd_set*>(found_[Bitmaps::kWrite]);
  auto* except_set = reinterpret_cast<fd_set*>(found_[Bitmaps::kExcept]);
  found_result_ = 0;
  const int result =
      select(static_cast<int>(used_ * kBits), read_set, write_set, except_set, &timeout);
  if (result < 0) {
    if (errno != EBADF) return -errno;
    found_result_ = -EBADF;
    return 1;  // for Harvest to find which
  }
  if (result == 0) return 0;
  found_result_ = result;
  if (found_.Has(Bitmaps::kRead, waker_.fd())) {
    waker_.Silence();
    found_.Put(Bitmaps::kRead, waker_.fd(), false);
    found_result_--;
    *woken = true;
  }
  return found_result_;
}

bool Select::CountIsRight() const {
  int bits = 0;
  for (uint32_t word = 0; word < used_; word++) {
    for (const auto set : {Bitmaps::kRead, Bitmaps::kWrite, Bitmaps::kExcept}) {
      bits += __builtin_popcountl(found_[set][word]);
    }
  }
  return bits == found_result_;
}

int Select::Harvest(Record* records, uint32_t capacity) {
  if (capacity < prepared_) return -EINVAL;
  table_.BeginBatch();
  const int result = found_result_;
  found_result_ = 0;
  if (result == 0) return 0;
  uint32_t written = 0;
  if (result == -EBADF) {
    written = HarvestClosed(records);
    // Somebody closed the waker itself: said, not looped on.
    return written == 0 && !IsOpen(waker_.fd()) ? -EBADF : static_cast<int>(written);
  }
  found_result_ = result;
  if (!CountIsRight()) written = HarvestClosed(records);
  found_result_ = 0;

  // From where the last harvest ran out of room, once around.
  const uint32_t first = start_ / kBits < used_ ? start_ / kBits : 0;
  const Word from_start = start_ / kBits < used_ ? ~Word{0} << (start_ % kBits) : ~Word{0};
  start_ = 0;
  written = HarvestWord(first, from_start, records, written);
  for (uint32_t i = 1; i < used_; i++) {
    written = HarvestWord((first + i) % used_, ~Word{0}, records, written);
  }
  written = HarvestWord(first, ~from_start, records, written);
  return static_cast<int>(written);
}

// The masked descriptors of one word; when the records are full, the first that
// finds no room is where the next harvest starts. What is left is level
// triggered, so the next select finds it again.
uint32_t Select::HarvestWord(uint32_t word, Word mask, Record* records, uint32_t written) {
  for (Word left = found_.Any(word) & mask; left != 0; left &= left - 1) {
    const int fd = static_cast<int>(word * kBits) + __builtin_ctzl(left);
    if (written == prepared_) {
      if (start_ == 0) start_ = static_cast<uint32_t>(fd);
      return written;
    }
    Registration* r = Answered(fd);
    if (r == nullptr) continue;
    uint32_t events = 0;
    if (found_.Has(Bitmaps::kRead, fd)) events |= kReadable;
    if (found_.Has(Bitmaps::kWrite, fd)) events |= kWritable;
    if (found_.Has(Bitmaps::kExcept, fd)) events |= kPriority;
    Tell(r, events, records, &written);
  }
  return written;
}

// Reports every watched number that is not open any more, once: from then on it
// is out of the set, until it is deleted or added anew.
uint32_t Select::HarvestClosed(Record* records) {
  uint32_t written = 0;
  table_.ForEach([&](Registration* r) {
    if (!InSnapshot(*r) || !r->armed || written == prepared_ || IsOpen(r->fd)) return;
    const uint32_t word = static_cast<uint32_t>(r->fd) / kBits;
    if (word < used_) {
      found_.Put(Bitmaps::kRead, r->fd, false);
      found_.Put(Bitmaps::kWrite, r->fd, false);
      found_.Put(Bitmaps::kExcept, r->fd, false);
    }
    TellClosed(r, records, &written);
  });
  return written;
}

}  // namespace
}  // namespace pollux

POLLUX_BACKEND(Select)
