// The poll(2) backend: any POSIX system.
//
// The list holds those alone that something is asked of: a paused descriptor and a
// oneshot that has fired are not in it, for poll reports POLLHUP and POLLERR of all
// that are, and refuses more entries than the process may have descriptors. Each
// registration knows its place, and the last entry fills a gap, so that every change
// costs the same however many there are. What it has in common with other
// primitives that have no memory is in pollux/stateless.h.
//
// Of a closed number poll says POLLNVAL. On Linux it looks the number up again each
// time that it is woken, so this is so too of one that was closed during the wait.
//
// Which call waits: ppoll takes nanoseconds (Linux 2.6.16 and the BSDs). Where the C
// library has none (macOS), or the kernel or a seccomp filter refuses it, poll takes
// its place, in milliseconds rounded up: late, never early.
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <new>

#include "pollux/backend.h"
#include "pollux/clock.h"
#include "pollux/events.h"
#include "pollux/stateless.h"
#include "pollux/wake_pipe.h"

namespace pollux {
namespace {

#ifdef POLLRDHUP  // Linux 2.6.17, FreeBSD 13
constexpr short kPollReadClosed = POLLRDHUP;
#else
constexpr short kPollReadClosed = 0;
#endif
// The waker's place; the registrations' begin behind it.
constexpr uint32_t kFirst = 1;
// Longest single wait: poll takes an int of milliseconds. Block's caller loops.
constexpr uint64_t kLongestWaitNs = 1000ull * 1000 * 1000 * 3600 * 24;

// Found by its argument, which is a type of <poll.h>, if that declares it.
template <typename Entry>
concept HasPpoll = requires(Entry* entries, const timespec* timeout) {
  ppoll(entries, nfds_t{}, timeout, nullptr);
};

template <typename Entry>
int PollNs(Entry* entries, nfds_t count, uint64_t timeout_ns) {
  if constexpr (HasPpoll<Entry>) {
    timespec timeout;
    timeout.tv_sec = static_cast<time_t>(timeout_ns / 1000000000u);
    timeout.tv_nsec = static_cast<long>(timeout_ns % 1000000000u);
    return ppoll(entries, count, &timeout, nullptr);
  } else {
    errno = ENOSYS;
    return -1;
  }
}

short Asked(uint32_t interest) {
  int events = 0;
  // RDHUP only with IN: a writer's loop would spin on it after a half-close.
  if (interest & kReadable) events |= POLLIN | kPollReadClosed;
  if (interest & kWritable) events |= POLLOUT;
  if (interest & kPriority) events |= POLLPRI;
  return static_cast<short>(events);
}

uint32_t Seen(short told) {
  uint32_t seen = 0;
  if (told & POLLIN) seen |= kReadable;
  if (told & POLLOUT) seen |= kWritable;
  if (told & POLLPRI) seen |= kPriority;
  if (told & kPollReadClosed) seen |= kReadClosed;
  if (told & POLLERR) seen |= kError;
  if (told & POLLHUP) seen |= kHangup;
  return seen;
}

// An array of pollfd that grows and does not forget.
class Entries {
 public:
  Entries() = default;
  Entries(const Entries&) = delete;
  Entries& operator=(const Entries&) = delete;
  ~Entries() { free(at_); }

  // Room for so many; false: out of memory.
  bool Grow(uint32_t count) {
    if (count <= room_) return true;
    uint32_t room = room_ < 64 ? 64 : room_;
    while (room < count) room *= 2;
    auto* at = static_cast<pollfd*>(realloc(at_, static_cast<size_t>(room) * sizeof(pollfd)));
    if (at == nullptr) return false;
    at_ = at;
    room_ = room;
    return true;
  }
  // Both must have room for it.
  void CopyFrom(const Entries& other, uint32_t count) {
    memcpy(at_, other.at_, static_cast<size_t>(count) * sizeof(pollfd));
  }
  pollfd& operator[](uint32_t i) { return at_[i]; }
  pollfd* get() { return at_; }

 private:
  pollfd* at_ = nullptr;
  uint32_t room_ = 0;
};

class Poll final : public StatelessBackend<WakePipe> {
 public:
  const char* Name() const override { return "poll"; }
  uint32_t Capabilities() const override {
    const uint32_t always = kAnyDescriptor | kHintError | kHintHangup;
    return kPollReadClosed == 0 ? always : always | kEarlyClose;
  }
  uint32_t ResolutionNs() const override { return ppoll_works_ ? 1 : 1000000; }

  ~Poll() override { Close(); }
  int Open() override;
  void Close() override { waker_.Close(); }
  int Prepare(uint32_t capacity) override;
  int Block(uint64_t timeout_ns, bool* woken) override;
  int Harvest(Record* records, uint32_t capacity) override;

 private:
  bool Reserve(Fd) override { return wanted_.Grow(kFirst + table_.size() + 1); }
  void Want(Registration* registration) override;
  void Unwant(Registration* registration) override;
  int Look(Fd fd, Identity* identity) override;
  int Wait(uint64_t timeout_ns);

  bool ppoll_works_ = true;
  // A registration's `own` is its place here; 0, the waker's: it has none.
  Entries wanted_;
  uint32_t wanted_count_ = 0;
  bool changed_ = true;  // since the last snapshot

  // The private buffer: Block's between Prepare and Harvest. poll writes nothing but
  // `revents`, so it is the snapshot too, also of a Block that runs once more.
  Entries found_;
  uint32_t found_count_ = 0;  // entries of the snapshot
  uint32_t ready_ = 0;        // how many of them poll found ready, less the waker
  uint32_t prepared_ = 0;
  // Where the last harvest ran out of room; the next begins there.
  uint32_t start_ = kFirst;
};

int Poll::Open() {
  const int result = waker_.Open();
  if (result < 0) return result;
  if (!wanted_.Grow(kFirst)) {
    Close();
    return -ENOMEM;
  }
  wanted_[0] = pollfd{waker_.fd(), POLLIN, 0};
  wanted_count_ = kFirst;
  // Learn now, not in the middle of a wait, whether ppoll is to be had.
  if (PollNs(wanted_.get(), 0, 0) < 0) ppoll_works_ = errno != ENOSYS && errno != EPERM;
  return 0;
}

// A device that poll cannot wait for (macOS, poll(2): BUGS) is as a closed number to
// it. Better refused than taken for closed; every other kind of file can be polled.
int Poll::Look(Fd fd, Identity* identity) {
  const int opened = Identity::Of(fd, identity);
  if (opened < 0 || !S_ISCHR(identity->type)) return opened;
  pollfd probe{fd, POLLIN | POLLOUT, 0};
  return poll(&probe, 1, 0) == 1 && (probe.revents & POLLNVAL) ? -EPERM : 0;
}

void Poll::Want(Registration* r) {
  if (r->interest == 0) {
    Unwant(r);
    return;
  }
  if (r->own == 0) r->own = wanted_count_++;
  wanted_[static_cast<uint32_t>(r->own)] = pollfd{r->fd, Asked(r->interest), 0};
  changed_ = true;
}

void Poll::Unwant(Registration* r) {
  if (r->own == 0) return;
  const uint32_t place = static_cast<uint32_t>(r->own);
  r->own = 0;
  const uint32_t last = --wanted_count_;
  if (place != last) {
    wanted_[place] = wanted_[last];
    table_.Find(wanted_[place].fd)->own = place;
  }
  changed_ = true;
}

int Poll::Prepare(uint32_t capacity) {
  if (changed_) {
    if (!found_.Grow(wanted_count_)) return -ENOMEM;
    found_.CopyFrom(wanted_, wanted_count_);
    found_count_ = wanted_count_;
    changed_ = false;
  }
  prepared_ = capacity;
  MarkSnapshot();
  ready_ = 0;
  return 0;
}

int Poll::Wait(uint64_t timeout_ns) {
  if (timeout_ns > kLongestWaitNs) timeout_ns = kLongestWaitNs;
  const int found = ppoll_works_ ? PollNs(found_.get(), found_count_, timeout_ns)
                                 : poll(found_.get(), found_count_,
                                        static_cast<int>((timeout_ns + 999999u) / 1000000u));
  return found < 0 ? -errno : found;
}

int Poll::Block(uint64_t timeout_ns, bool* woken) {
  ready_ = 0;
  int found = Wait(timeout_ns);
  if (found <= 0) return found;
  if (found_[0].revents != 0) {
    // Somebody closed the waker itself: said, not looped on.
    if (found_[0].revents & POLLNVAL) return -EBADF;
    waker_.Silence();
    *woken = true;
    found--;
  }
  ready_ = static_cast<uint32_t>(found);
  return found;
}

// Once around, from where the last harvest ran out of room. What finds none is level
// triggered, so the next poll finds it again.
int Poll::Harvest(Record* records, uint32_t capacity) {
  if (capacity < prepared_) return -EINVAL;
  table_.BeginBatch();
  uint32_t written = 0;
  uint32_t at = start_ < found_count_ ? start_ : kFirst;
  start_ = kFirst;
  for (; ready_ > 0; at = at + 1 < found_count_ ? at + 1 : kFirst) {
    const pollfd& found = found_[at];
    if (found.revents == 0) continue;
    if (written == prepared_) {
      start_ = at;
      break;
    }
    ready_--;
    Registration* r = Answered(found.fd);
    if (r == nullptr) continue;
    if (found.revents & POLLNVAL) {
      TellClosed(r, records, &written);
      continue;
    }
    const uint32_t events = EventsOf(Seen(found.revents), r->interest);
    if (events != 0) Tell(r, events, records, &written);
  }
  ready_ = 0;
  return static_cast<int>(written);
}

}  // namespace
}  // namespace pollux

POLLUX_BACKEND(Poll)
