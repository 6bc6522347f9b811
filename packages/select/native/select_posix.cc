// The select(2) backend: any POSIX system.
//
// The bitmaps are our own, grown as numbers grow: the system call takes any
// nfds, only the fd_set type of the C library ends at FD_SETSIZE (1024).
//
// select has no memory, so all that other primitives keep in the kernel is kept
// here: oneshot is disarmed by hand, and a snapshot of the bitmaps is what Block
// waits on. A registration made after the snapshot has a generation above the
// snapshot's, which is how Harvest tells an old answer from a new registration.
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
#include "pollux/registrations.h"

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

class Select final : public Backend {
 public:
  const char* Name() const override { return "select"; }
  uint32_t Capabilities() const override { return kAnyDescriptor; }
  uint32_t ResolutionNs() const override { return 1000; }
  bool ChangesNeedWake() const override { return true; }

  ~Select() override { Close(); }
  int Open() override;
  void Close() override;
  int Add(Fd fd, Ask ask, uint32_t key) override;
  int Modify(Fd fd, Ask ask, uint32_t key) override;
  int Delete(Fd fd) override;
  int CanWatch(Fd fd) override;
  int Prepare(uint32_t capacity) override;
  int Block(uint64_t timeout_ns, bool* woken) override;
  int Harvest(Record* records, uint32_t capacity) override;
  void Wake() override;

 private:
  void Want(const Registration& registration);
  void Unwant(int fd);
  bool CountIsRight() const;
  uint32_t HarvestClosed(Record* records);
  uint32_t HarvestWord(uint32_t word, Word mask, Record* records, uint32_t written);
  bool InSnapshot(const Registration& registration) const;

  int wake_read_ = -1;
  int wake_write_ = -1;
  Registrations table_;
  Bitmaps wanted_;
  int highest_ = -1;  // no wanted bit is above it

  // The private buffer: Block's between Prepare and Harvest. Block may run more
  // than once on a snapshot, and select overwrites what it is given.
  Bitmaps snapshot_;
  Bitmaps found_;
  uint32_t used_ = 0;     // words of the snapshot
  int found_result_ = 0;  // bits that select set, less the waker's, or -EBADF
  uint32_t prepared_ = 0;
  // Registrations up to this generation are in the snapshot.
  uint64_t snapshot_generation_ = 0;
  // Where the last harvest ran out of room; the next begins there.
  uint32_t start_ = 0;
};

int Select::Open() {
  int ends[2];
  if (pipe(ends) != 0) return -errno;
  wake_read_ = ends[0];
  wake_write_ = ends[1];
  // pipe2 is not in every POSIX system this file serves. A child forked by another
  // thread between pipe and fcntl inherits the two: open, but unused there.
  for (const int end : ends) {
    if (fcntl(end, F_SETFD, FD_CLOEXEC) != 0 || fcntl(end, F_SETFL, O_NONBLOCK) != 0) {
      const int error = -errno;
      Close();
      return error;
    }
  }
  const uint32_t words = static_cast<uint32_t>(wake_read_) / kBits + 1;
  if (!wanted_.Grow(words)) {
    Close();
    return -ENOMEM;
  }
  wanted_.Put(Bitmaps::kRead, wake_read_, true);
  highest_ = wake_read_;
  return 0;
}

void Select::Close() {
  if (wake_read_ >= 0) close(wake_read_);
  if (wake_write_ >= 0) close(wake_write_);
  wake_read_ = wake_write_ = -1;
}

void Select::Want(const Registration& r) {
  wanted_.Put(Bitmaps::kRead, r.fd, r.interest & kReadable);
  wanted_.Put(Bitmaps::kWrite, r.fd, r.interest & kWritable);
  wanted_.Put(Bitmaps::kExcept, r.fd, r.interest & kPriority);
  if (r.fd > highest_) highest_ = r.fd;
}

void Select::Unwant(int fd) {
  wanted_.Put(Bitmaps::kRead, fd, false);
  wanted_.Put(Bitmaps::kWrite, fd, false);
  wanted_.Put(Bitmaps::kExcept, fd, false);
  if (fd != highest_) return;
  // The waker's bit is always set, so this ends.
  uint32_t word = static_cast<uint32_t>(fd) / kBits;
  while (wanted_.Any(word) == 0) word--;
  highest_ = static_cast<int>(word * kBits + kBits - 1) - __builtin_clzl(wanted_.Any(word));
}

int Select::Add(Fd fd, Ask ask, uint32_t key) {
  if (ask.mode == Mode::kEdge || ask.exclusive) return -EINVAL;
  if (fd == wake_read_ || fd == wake_write_) return -EINVAL;
  Identity identity;
  const int opened = Identity::Of(fd, &identity);
  if (opened < 0) return opened;
  Registration* old = table_.Find(fd);
  // in_kernel false here: found closed by a harvest, so this is another file.
  if (old != nullptr && old->in_kernel && old->identity == identity) return -EEXIST;
  if (!table_.Reserve() || !wanted_.Grow(static_cast<uint32_t>(fd) / kBits + 1)) return -ENOMEM;
  int voided = 0;
  if (old != nullptr) {
    voided = table_.VoidRecord(old);
    table_.Erase(old);
  }
  Registration* added = table_.Insert(fd, table_.NextGeneration(), ask, key);
  added->identity = identity;
  added->in_kernel = true;
  Want(*added);
  return voided;
}

int Select::Modify(Fd fd, Ask ask, uint32_t key) {
  if (ask.mode == Mode::kEdge || ask.exclusive) return -EINVAL;
  Registration* r = table_.Find(fd);
  if (r == nullptr) return -ENOENT;
  Identity identity;
  const int opened = Identity::Of(fd, &identity);
  if (opened < 0) return opened;
  if (!r->in_kernel || identity != r->identity) return -ENOENT;
  Registrations::Set(r, table_.NextGeneration(), ask, key);
  Want(*r);
  return table_.VoidRecord(r);
}

int Select::Delete(Fd fd) {
  Registration* r = table_.Find(fd);
  if (r == nullptr) return -ENOENT;
  const int voided = table_.VoidRecord(r);
  table_.Erase(r);
  Unwant(fd);
  return voided;
}

int Select::CanWatch(Fd fd) {
  Identity ignored;
  return Identity::Of(fd, &ignored);
}

int Select::Prepare(uint32_t capacity) {
  if (!snapshot_.Grow(wanted_.words()) || !found_.Grow(wanted_.words())) return -ENOMEM;
  prepared_ = capacity;
  used_ = static_cast<uint32_t>(highest_) / kBits + 1;
  snapshot_.CopyFrom(wanted_, used_);
  snapshot_generation_ = table_.last_generation();
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
  if (found_.Has(Bitmaps::kRead, wake_read_)) {
    char drained[64];
    ssize_t got;
    do {
      got = read(wake_read_, drained, sizeof drained);
    } while (got == static_cast<ssize_t>(sizeof drained) || (got < 0 && errno == EINTR));
    found_.Put(Bitmaps::kRead, wake_read_, false);
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

bool Select::InSnapshot(const Registration& r) const {
  return r.in_kernel && r.generation <= snapshot_generation_;
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
    return written == 0 && !IsOpen(wake_read_) ? -EBADF : static_cast<int>(written);
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
    Registration* r = table_.Find(fd);
    if (r == nullptr || !InSnapshot(*r)) {
      counters_.stale++;
      continue;
    }
    uint32_t events = 0;
    if (found_.Has(Bitmaps::kRead, fd)) events |= kReadable;
    if (found_.Has(Bitmaps::kWrite, fd)) events |= kWritable;
    if (found_.Has(Bitmaps::kExcept, fd)) events |= kPriority;
    if (r->mode == Mode::kOneshot) {
      r->armed = false;
      Unwant(fd);
    }
    table_.Wrote(r, written);
    records[written++] = Record{r->key, events};
  }
  return written;
}

// Reports every watched number that is not open any more, once: from then on it
// is out of the set, until it is deleted or added anew.
uint32_t Select::HarvestClosed(Record* records) {
  uint32_t written = 0;
  table_.ForEach([&](Registration* r) {
    if (!InSnapshot(*r) || !r->armed || written == prepared_ || IsOpen(r->fd)) return;
    r->in_kernel = false;
    Unwant(r->fd);
    const uint32_t word = static_cast<uint32_t>(r->fd) / kBits;
    if (word < used_) {
      found_.Put(Bitmaps::kRead, r->fd, false);
      found_.Put(Bitmaps::kWrite, r->fd, false);
      found_.Put(Bitmaps::kExcept, r->fd, false);
    }
    table_.Wrote(r, written);
    records[written++] = Record{r->key, (r->interest & (kReadable | kWritable)) | kError};
  });
  return written;
}

void Select::Wake() {
  const char one = 1;
  // EAGAIN: the pipe is full, so it is readable already.
  while (write(wake_write_, &one, 1) < 0 && errno == EINTR) {
  }
}

}  // namespace
}  // namespace pollux

POLLUX_BACKEND(Select)
