// The epoll(7) backend: Linux, Android.
//
// The kernel's user data of each member is descriptor and generation; the key
// lives in our table. So an event that survives its registration (the number
// was closed and reused, or a dup of it is still open) is known by its older
// generation and dropped.
//
// Such a ghost cannot be removed: EPOLL_CTL_DEL goes by (number, open file), and
// the number now names another file. A level-triggered ghost that stays ready
// would end every wait. When one comes a second time, the kernel set is made anew
// from our table, as libev does, under the same descriptor number.
//
// Which call waits: epoll_pwait2 takes nanoseconds (Linux 5.11; glibc 2.35, so it
// goes through syscall(2) and the binary stays loadable on 2.28). Where the
// kernel has none (ENOSYS) or a seccomp filter forbids it (EPERM), epoll_wait
// takes its place, in milliseconds rounded up: late, never early.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <new>

#include "pollux/backend.h"
#include "pollux/clock.h"
#include "pollux/events.h"
#include "pollux/registrations.h"

#ifndef EPOLLEXCLUSIVE
#define EPOLLEXCLUSIVE (1u << 28)  // Linux 4.5
#endif
#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441  // the same on every architecture
#endif

namespace pollux {
namespace {

// No registration has these as its user data.
constexpr uint64_t kWakeData = UINT64_MAX;
constexpr uint64_t kTimerData = UINT64_MAX - 1;
constexpr uint32_t kLongestPatience = 1u << 20;
// Longest single wait: epoll_wait takes an int of milliseconds. Block's caller
// loops.
constexpr uint64_t kLongestWaitNs = 1000ull * 1000 * 1000 * 3600 * 24;

// Of the generation the lower half: 2^32 changes later, a ghost could pass for the
// living.
uint64_t UserData(Fd fd, uint64_t generation) {
  return generation << 32 | static_cast<uint32_t>(fd);
}

epoll_event KernelEvent(Fd fd, Ask ask, uint64_t generation) {
  uint32_t events = 0;
  // RDHUP only with IN: a writer's loop would spin on it after a half-close.
  if (ask.interest & kReadable) events |= EPOLLIN | EPOLLRDHUP;
  if (ask.interest & kWritable) events |= EPOLLOUT;
  if (ask.interest & kPriority) events |= EPOLLPRI;
  if (ask.mode == Mode::kOneshot) events |= EPOLLONESHOT;
  if (ask.mode == Mode::kEdge) events |= EPOLLET;
  if (ask.exclusive) {
    // EPOLLRDHUP beside EPOLLEXCLUSIVE is EINVAL (ep_op_has_event's mask in
    // fs/eventpoll.c allows IN, OUT, ERR, HUP, WAKEUP and ET).
    events = (events & ~static_cast<uint32_t>(EPOLLRDHUP)) | EPOLLEXCLUSIVE;
  }
  epoll_event event{};
  event.events = events;
  event.data.u64 = UserData(fd, generation);
  return event;
}

uint32_t Seen(uint32_t kernel) {
  uint32_t seen = 0;
  if (kernel & EPOLLIN) seen |= kReadable;
  if (kernel & EPOLLOUT) seen |= kWritable;
  if (kernel & EPOLLPRI) seen |= kPriority;
  if (kernel & EPOLLRDHUP) seen |= kReadClosed;
  if (kernel & EPOLLERR) seen |= kError;
  if (kernel & EPOLLHUP) seen |= kHangup;
  return seen;
}

// __kernel_timespec, 64 bits on 32-bit systems too; libc's timespec may not be.
struct KernelTimespec {
  int64_t seconds;
  int64_t nanoseconds;
};

bool IsDisarmed(const Registration& r) { return r.mode == Mode::kOneshot && !r.armed; }

// The descriptors that are ours, level-triggered.
int AddOwn(int epoll, int fd, uint64_t data) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = data;
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

class Epoll final : public Backend {
 public:
  const char* Name() const override { return "epoll"; }
  uint32_t Capabilities() const override {
    return kEdgeTriggered | kConstantTime | kEarlyClose | kHintError | kHintHangup |
           kExclusiveWakeup;
  }
  uint32_t ResolutionNs() const override { return pwait2_works_ ? 1 : 1000000; }
  bool ChangesNeedWake() const override { return false; }
  Fd PollableFd() const override { return epoll_; }

  ~Epoll() override { Close(); }
  int SetDeadline(uint64_t deadline) override;
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
  int Control(int operation, Fd fd, Ask ask, uint64_t generation);
  int Probe(Fd fd);
  int SameFile(const Registration& paused);
  int Silence(Registration* registration);
  int EpollWait(uint64_t timeout_ns);
  void Suspect(uint64_t data);
  void Rebuild();

  int epoll_ = -1;
  int waker_ = -1;
  int timer_ = -1;  // a timerfd in the set, once a deadline was asked for
  uint64_t deadline_ = kForever;
  bool pwait2_works_ = true;

  // The private buffer: Block's between Prepare and Harvest.
  epoll_event* found_ = nullptr;
  uint32_t found_capacity_ = 0;
  uint32_t prepared_ = 0;
  uint32_t found_count_ = 0;

  Registrations table_;
  // The user data of a stale event. A registration that goes while Block runs may
  // be found once, at the end of that Block; what is found again in a later batch
  // is a ghost. Patience is counted in batches with stale events.
  uint64_t suspect_ = 0;
  uint32_t patience_ = 1;
  uint32_t patience_left_ = 0;
};

int Epoll::Open() {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) return -errno;
  waker_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (waker_ < 0 || AddOwn(epoll_, waker_, kWakeData) != 0) {
    const int error = -errno;
    Close();
    return error;
  }
  // Learn now, not in the middle of a wait, whether epoll_pwait2 is to be had.
  epoll_event ignored;
  const KernelTimespec zero{0, 0};
  if (syscall(SYS_epoll_pwait2, epoll_, &ignored, 1, &zero, nullptr, 0) < 0) {
    pwait2_works_ = errno != ENOSYS && errno != EPERM;
  }
  return 0;
}

void Epoll::Close() {
  if (epoll_ >= 0) close(epoll_);
  if (waker_ >= 0) close(waker_);
  if (timer_ >= 0) close(timer_);
  epoll_ = waker_ = timer_ = -1;
  deadline_ = kForever;
  free(found_);
  found_ = nullptr;
  found_capacity_ = found_count_ = 0;
}

// A timerfd rather than a timeout, for nobody waits here with one; it has no
// timer slack either. TFD_TIMER_ABSTIME on the clock of MonotonicNs.
int Epoll::SetDeadline(uint64_t deadline) {
  if (timer_ < 0) {
    // Even for no deadline at all: one that comes later must not meet EMFILE.
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    // Not a number that is in the table, closed and not yet deleted: Modify and Delete go by it.
    while (timer >= 0 && table_.Find(timer) != nullptr) {
      const int next = fcntl(timer, F_DUPFD_CLOEXEC, timer + 1);
      const int error = errno;
      close(timer);
      errno = error;
      timer = next;
    }
    if (timer < 0) return -errno;
    if (AddOwn(epoll_, timer, kTimerData) != 0) {
      const int error = -errno;
      close(timer);
      return error;
    }
    timer_ = timer;
  }
  if (deadline == deadline_) return 0;
  itimerspec when{};
  if (deadline != kForever) {
    // All zero would disarm it.
    const uint64_t at = deadline == 0 ? 1 : deadline;
    when.it_value.tv_sec = static_cast<time_t>(at / 1000000000u);
    when.it_value.tv_nsec = static_cast<long>(at % 1000000000u);
  }
  if (timerfd_settime(timer_, TFD_TIMER_ABSTIME, &when, nullptr) != 0) return -errno;
  deadline_ = deadline;
  return 0;
}

int Epoll::Control(int operation, Fd fd, Ask ask, uint64_t generation) {
  epoll_event event = KernelEvent(fd, ask, generation);
  return epoll_ctl(epoll_, operation, fd, &event) == 0 ? 0 : -errno;
}

// Asks the kernel about a descriptor without keeping it: -EEXIST if the number
// and its open file are in the set, 0 if they could be, else the refusal (EPERM:
// a file that cannot be polled; EBADF: a closed number; EINVAL: this very
// epoll; ELOOP: a cycle of epolls). If ADD and DEL enclose an error that wakes a
// blocked wait, generation 0 tells Harvest that it is nobody's.
int Epoll::Probe(Fd fd) {
  const int added = Control(EPOLL_CTL_ADD, fd, Ask{0, Mode::kOneshot, false}, 0);
  if (added == 0) epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
  return added;
}

// Of a paused registration the kernel knows nothing, so the number is compared
// with what it named when it was paused: 0, -EBADF (closed) or -ENOENT (reused).
int Epoll::SameFile(const Registration& paused) {
  Identity now;
  const int result = Identity::Of(paused.fd, &now);
  if (result < 0) return result;
  return now.MayBe(paused.identity) ? 0 : -ENOENT;
}

int Epoll::Add(Fd fd, Ask ask, uint32_t key) {
  // Ours, and not in the table. -1 is the kernel's to refuse.
  if (fd >= 0 && (fd == waker_ || fd == timer_)) return -EINVAL;
  if (!table_.Reserve()) return -ENOMEM;
  Registration* old = table_.Find(fd);
  const bool in_set = old != nullptr && old->in_kernel;
  if (old != nullptr && !in_set && SameFile(*old) == 0) return -EEXIST;

  Identity identity{};
  int result;
  const uint64_t generation = table_.NextGeneration();
  if (ask.interest == 0) {
    result = Probe(fd);
    if (result == 0) result = Identity::Of(fd, &identity);
    // In the set, but not by our table: a ghost that came back. DEL reaches it,
    // now that its number names its file again.
    if (result == -EEXIST && !in_set) {
      result =
          epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr) == 0 ? Identity::Of(fd, &identity) : -errno;
    }
  } else {
    result = Control(EPOLL_CTL_ADD, fd, ask, generation);
    if (result == -EEXIST && !in_set) {
      epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
      result = Control(EPOLL_CTL_ADD, fd, ask, generation);
    }
  }
  if (result < 0) return result;

  // The kernel took it as new although we knew the number: it was closed and
  // reused, so the old registration is dropped.
  int voided = 0;
  if (old != nullptr) {
    voided = table_.VoidRecord(old);
    table_.Erase(old);
  }
  Registration* added = table_.Insert(fd, generation, ask, key);
  added->in_kernel = ask.interest != 0;
  added->identity = identity;
  return voided;
}

// Takes a member out of the kernel's set and remembers which file it was.
int Epoll::Silence(Registration* registration) {
  Identity identity;
  int result = Identity::Of(registration->fd, &identity);
  if (result < 0) return result;
  if (epoll_ctl(epoll_, EPOLL_CTL_DEL, registration->fd, nullptr) != 0) return -errno;
  registration->identity = identity;
  registration->in_kernel = false;
  return 0;
}

int Epoll::Modify(Fd fd, Ask ask, uint32_t key) {
  Registration* r = table_.Find(fd);
  if (r == nullptr) return -ENOENT;
  const uint64_t generation = table_.NextGeneration();
  int result = 0;
  if (!r->in_kernel) {
    result = SameFile(*r);
    if (result == 0 && ask.interest != 0) result = Control(EPOLL_CTL_ADD, fd, ask, generation);
  } else if (ask.interest == 0) {
    result = Silence(r);
  } else if (r->exclusive || ask.exclusive) {
    // MOD of or to an exclusive member is EINVAL.
    result = Silence(r);
    if (result < 0) return result;
    result = Control(EPOLL_CTL_ADD, fd, ask, generation);
    if (result < 0) {
      // Back to what it was; a oneshot that has fired stays silent, outside the set.
      r->in_kernel = !IsDisarmed(*r) && Control(EPOLL_CTL_ADD, fd, r->ask(), r->generation) == 0;
      return result;
    }
  } else {
    result = Control(EPOLL_CTL_MOD, fd, ask, generation);
  }
  if (result < 0) return result;
  r->in_kernel = ask.interest != 0;
  Registrations::Set(r, generation, ask, key);
  return table_.VoidRecord(r);
}

int Epoll::Delete(Fd fd) {
  Registration* r = table_.Find(fd);
  if (r == nullptr) return -ENOENT;
  // EBADF and ENOENT: the number is closed, or names another file by now. The
  // kernel forgot it with its last dup, or keeps a ghost that Harvest meets.
  if (r->in_kernel) epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
  const int voided = table_.VoidRecord(r);
  table_.Erase(r);
  return voided;
}

int Epoll::CanWatch(Fd fd) {
  const int result = Probe(fd);
  return result == -EEXIST ? 0 : result;
}

int Epoll::Prepare(uint32_t capacity) {
  if (capacity > found_capacity_) {
    auto* grown = static_cast<epoll_event*>(realloc(found_, capacity * sizeof(epoll_event)));
    if (grown == nullptr) return -ENOMEM;
    found_ = grown;
    found_capacity_ = capacity;
  }
  prepared_ = capacity;
  found_count_ = 0;
  return 0;
}

int Epoll::EpollWait(uint64_t timeout_ns) {
  // No more than there are records for: a member of edge or oneshot mode is told
  // of once, so nothing that was found may be left out.
  const int room = static_cast<int>(prepared_);
  if (timeout_ns > kLongestWaitNs) timeout_ns = kLongestWaitNs;
  if (pwait2_works_) {
    const KernelTimespec timeout{static_cast<int64_t>(timeout_ns / 1000000000u),
                                 static_cast<int64_t>(timeout_ns % 1000000000u)};
    const long found = syscall(SYS_epoll_pwait2, epoll_, found_, room, &timeout, nullptr, 0);
    return found < 0 ? -errno : static_cast<int>(found);
  }
  const int milliseconds = static_cast<int>((timeout_ns + 999999u) / 1000000u);
  const int found = epoll_wait(epoll_, found_, room, milliseconds);
  return found < 0 ? -errno : found;
}

int Epoll::Block(uint64_t timeout_ns, bool* woken) {
  const int found = EpollWait(timeout_ns);
  if (found <= 0) return found;
  uint32_t count = static_cast<uint32_t>(found);
  for (uint32_t i = 0; i < count;) {
    const uint64_t data = found_[i].data.u64;
    if (data != kWakeData && data != kTimerData) {
      i++;
      continue;
    }
    // Nonblocking; one read resets the counter of either.
    uint64_t value;
    while (read(data == kWakeData ? waker_ : timer_, &value, sizeof value) < 0 && errno == EINTR) {
    }
    if (data == kWakeData) *woken = true;
    if (data == kTimerData) deadline_ = kForever;
    found_[i] = found_[--count];
  }
  found_count_ = count;
  return static_cast<int>(count);
}

int Epoll::Harvest(Record* records, uint32_t capacity) {
  if (capacity < prepared_) return -EINVAL;
  table_.BeginBatch();
  uint32_t written = 0;
  bool ghost = false;
  uint64_t stale = 0;
  for (uint32_t i = 0; i < found_count_; i++) {
    const uint64_t data = found_[i].data.u64;
    if (data >> 32 == 0) continue;  // a probe's: no registration's is 0
    Registration* r = table_.Find(static_cast<Fd>(static_cast<uint32_t>(data)));
    if (r == nullptr || UserData(r->fd, r->generation) != data) {
      counters_.stale++;
      if (data == suspect_) ghost = true;
      if (stale == 0) stale = data;
      continue;
    }
    const uint32_t events = EventsOf(Seen(found_[i].events), r->interest);
    // Paused, or its interest was narrowed, after Block had found it.
    if (events == 0 || !r->in_kernel) continue;
    if (r->mode == Mode::kOneshot) r->armed = false;
    table_.Wrote(r, written);
    records[written++] = Record{r->key, events};
  }
  found_count_ = 0;
  if (stale != 0 && !ghost) Suspect(stale);
  if (ghost) Rebuild();
  return static_cast<int>(written);
}

// One stale event is remembered until it comes again, or has not for long: where
// there are more ghosts than a batch holds, none of them is in every batch.
void Epoll::Suspect(uint64_t data) {
  if (suspect_ != 0 && patience_left_-- > 0) return;
  suspect_ = data;
  patience_left_ = patience_;
  if (patience_ < kLongestPatience) patience_ *= 2;
}

// Makes the kernel's set anew from the table. A member is moved only if the old
// set still knows it under its number; if not, its number was closed, perhaps
// reused, and adding it would watch a stranger's file. The old set is left alone
// until the new one is complete, so a failure half way (EMFILE, ENOMEM, ENOSPC)
// changes nothing: the ghost goes on, and so does the attempt.
void Epoll::Rebuild() {
  const int fresh = epoll_create1(EPOLL_CLOEXEC);
  if (fresh < 0) return;
  bool complete = AddOwn(fresh, waker_, kWakeData) == 0 &&
                  (timer_ < 0 || AddOwn(fresh, timer_, kTimerData) == 0);
  table_.ForEach([&](Registration* r) {
    if (!complete || !r->in_kernel) return;
    r->moved = Probe(r->fd) == -EEXIST;
    if (!r->moved || IsDisarmed(*r)) return;
    epoll_event event = KernelEvent(r->fd, r->ask(), r->generation);
    if (epoll_ctl(fresh, EPOLL_CTL_ADD, r->fd, &event) == 0) return;
    // Closed by another thread, just now.
    if (errno == EBADF) r->moved = false;
    complete = !r->moved;
  });
  // The number stays, for whoever polls this epoll in another loop; that loop
  // must add it again, for it is a new open file.
  while (complete && dup3(fresh, epoll_, O_CLOEXEC) < 0)
    complete = errno == EINTR || errno == EBUSY;
  close(fresh);
  if (!complete) return;
  table_.ForEach([](Registration* r) {
    if (!r->in_kernel) return;
    // A oneshot that has fired waits outside, as a paused member does.
    r->in_kernel = r->moved && !IsDisarmed(*r);
    if (r->moved && !r->in_kernel) Identity::Of(r->fd, &r->identity);
  });
  suspect_ = 0;
  patience_ = 1;
  counters_.rebuilds++;
}

void Epoll::Wake() {
  const uint64_t one = 1;
  // EAGAIN: the counter is full, so it is readable already.
  while (write(waker_, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

}  // namespace
}  // namespace pollux

POLLUX_BACKEND(Epoll)
