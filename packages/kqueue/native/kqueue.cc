// The kqueue(2) backend: macOS, FreeBSD, OpenBSD, NetBSD.
//
// A registration is up to three knotes (filters.h); what a wait finds of them is one
// record. The user data of a knote is the lower half of the registration's generation:
// the kernel lets go of a knote when its number is closed, also while a dup is open,
// so there are no ghosts as epoll has them; but an event that Block has already taken
// may be older than a change.
//
// The systems differ in what they do with a knote that is there already (whether its
// mode changes, whether an edge comes again), so a change takes the old knotes out and
// puts new ones in, in one call. The receipt of taking out tells besides whether the
// number still names the file that was registered. EV_DELETE of a number that was
// closed, or closed and reused, is refused and harms nobody, for then this kqueue has
// nothing under that number.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <new>

#include "changes.h"
#include "filters.h"
#include "pollux/backend.h"
#include "pollux/clock.h"
#include "pollux/registrations.h"
#include "refusals.h"
#include "waker.h"
#include "watches.h"

namespace pollux {
namespace {

constexpr uintptr_t kTimerIdent = static_cast<uintptr_t>(INTPTR_MAX) - 1;
// Longest single wait, and longest timer; Block's caller loops. macOS refuses long ones.
constexpr uint64_t kLongestWaitNs = 1000ull * 1000 * 1000 * 3600 * 24;

// Never kOwn: the lower half of a generation is not 0.
uintptr_t UserData(uint64_t generation) { return static_cast<uint32_t>(generation); }

class Kqueue final : public Backend {
 public:
  const char* Name() const override { return "kqueue"; }
  uint32_t Capabilities() const override { return kEdgeTriggered | kConstantTime | kEarlyClose; }
  uint32_t ResolutionNs() const override { return 1; }
  bool ChangesNeedWake() const override { return false; }
  Fd PollableFd() const override { return kq_; }

  ~Kqueue() override { Close(); }
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
  void Wake() override { waker_.Ring(); }
  int WatchProcess(int pid, uint32_t key) override {
    return processes_.Add(kq_, pid, NOTE_EXIT, key);
  }
  int UnwatchProcess(int pid) override { return processes_.Remove(kq_, pid); }
  int WatchVnode(Fd fd, uint32_t changes, uint32_t key) override {
    return files_.Add(kq_, fd, changes & kFileChanges, key);
  }
  int UnwatchVnode(Fd fd) override { return files_.Remove(kq_, fd); }

 private:
  void TakeOut(Changes* changes, Fd fd, uint8_t filters);
  void Remove(Fd fd, uint8_t filters);
  int PutIn(Changes* changes, Fd fd, Ask ask, uint64_t generation, mode_t type, uint8_t* filters);
  int StandIn(Fd fd, Ask ask, uint64_t generation);
  int SameFile(const Registration& registration);
  int LooksSame(const Registration& registration);
  int Probe(Fd fd);
  void Disarm(Registration* r, uint8_t fired);

  int kq_ = -1;
  Waker waker_;
  uint64_t deadline_ = kForever;

  // The private buffer: Block's between Prepare and Harvest.
  KernelEvent* found_ = nullptr;
  uint32_t found_capacity_ = 0;
  uint32_t prepared_ = 0;
  uint32_t found_count_ = 0;

  Registrations table_;
  Watches processes_{EVFILT_PROC};
  Watches files_{EVFILT_VNODE};
};

int Kqueue::Open() {
  kq_ = kqueue();
  if (kq_ < 0) return -errno;
  // No kqueue1 on macOS. A forked child has no kqueue, but an exec'd one its number.
  int result = fcntl(kq_, F_SETFD, FD_CLOEXEC) == 0 ? 0 : -errno;
  if (result == 0) result = waker_.Open(kq_);
  if (result < 0) Close();
  return result;
}

void Kqueue::Close() {
  if (kq_ >= 0) close(kq_);
  waker_.Close();
  kq_ = -1;
  deadline_ = kForever;
  free(found_);
  found_ = nullptr;
  found_capacity_ = found_count_ = 0;
}

// A timer in the set rather than a timeout, for nobody waits here with one. It is
// relative: the clock of an absolute one differs from system to system.
int Kqueue::SetDeadline(uint64_t deadline) {
  if (deadline == deadline_) return 0;
  Changes changes;
  changes.Put(kTimerIdent, EVFILT_TIMER, EV_DELETE);
  if (deadline != kForever) {
    uint64_t left = TimeUntil(deadline);
    if (left > kLongestWaitNs) left = kLongestWaitNs;
    if (left == 0) left = 1;  // 0 is a period of some systems' own
    unsigned unit = 0;
#ifdef NOTE_NSECONDS
    unit = NOTE_NSECONDS;
#else
    left = (left + 999999) / 1000000;
#endif
#ifdef NOTE_CRITICAL
    unit |= NOTE_CRITICAL;  // macOS joins timers to save power, otherwise
#endif
    changes.Put(kTimerIdent, EVFILT_TIMER, EV_ADD | EV_ONESHOT, unit, static_cast<int64_t>(left),
                kOwn);
  }
  const int result = changes.Apply(kq_);
  if (result < 0) return result;
  if (changes.count() > 1 && changes.error(1) != 0) {
    deadline_ = kForever;
    return -changes.error(1);
  }
  deadline_ = deadline;
  return 0;
}

void Kqueue::TakeOut(Changes* changes, Fd fd, uint8_t filters) {
  for (const uint8_t filter : kFilters) {
    if (!(filters & filter)) continue;
    changes->Put(static_cast<uintptr_t>(fd), FilterNumber(filter), EV_DELETE, FilterFlags(filter));
  }
}

// ENOENT and EBADF are no matter: the knote went with its number.
void Kqueue::Remove(Fd fd, uint8_t filters) {
  Changes changes;
  TakeOut(&changes, fd, filters);
  changes.Apply(kq_);
}

// Makes the changes so far and puts the knotes in. One that the kernel does not have for
// this kind of descriptor is left out (the other direction of a pipe, urgent data of a
// terminal): there is nothing to report of it. But urgent data of a socket is refused
// where it is all that is asked for, and cannot be had.
int Kqueue::PutIn(Changes* changes, Fd fd, Ask ask, uint64_t generation, mode_t type,
                  uint8_t* filters) {
  const int first = changes->count();
  const uint8_t wanted = FiltersFor(ask.interest);
  for (const uint8_t filter : kFilters) {
    if (!(wanted & filter)) continue;
    changes->Put(static_cast<uintptr_t>(fd), FilterNumber(filter), EV_ADD | ModeFlags(ask.mode),
                 FilterFlags(filter), 0, UserData(generation));
  }
  const int result = changes->Apply(kq_);
  if (result < 0) return result;

  *filters = 0;
  int failure = 0;
  int i = first;
  for (const uint8_t filter : kFilters) {
    if (!(wanted & filter)) continue;
    int error = changes->error(i++);
    uint8_t held = filter;
    if (error == EPIPE && filter == kWriteFilter && waker_.has_user()) {
      held = kStandIn;
      error = -StandIn(fd, ask, generation);
    }
    if (error == 0) {
      *filters |= held;
    } else if (!IsUnsupported(error)) {
      failure = -error;
    }
  }
  if (failure == 0 && *filters == 0) {
    const bool urgent = S_ISSOCK(type) && ask.interest == kPriority;
    failure = urgent ? -EPERM : Probe(fd);
  }
  if (failure < 0) Remove(fd, *filters);
  return failure;
}

// For a write end whose reader is gone: an event that is there from the start.
int Kqueue::StandIn(Fd fd, Ask ask, uint64_t generation) {
#ifdef EVFILT_USER
  Changes changes;
  changes.Put(static_cast<uintptr_t>(fd), EVFILT_USER, EV_ADD | ModeFlags(ask.mode), NOTE_FFNOP, 0,
              UserData(generation));
  changes.Put(static_cast<uintptr_t>(fd), EVFILT_USER, 0, NOTE_TRIGGER, 0, UserData(generation));
  const int result = changes.Apply(kq_);
  if (result < 0) return result;
  return changes.error(0) != 0 ? -changes.error(0) : -changes.error(1);
#else
  return -EPIPE;
#endif
}

// Whether the number still names the file that was registered: 0, -EBADF (closed) or
// -ENOENT (reused). The kernel knows by its knote, where there is one; else fstat(2) is
// compared, which cannot tell every file from every other. To look a knote up is to touch
// it: of one in edge mode some kernels tell again what they have told before.
int Kqueue::SameFile(const Registration& r) {
  for (const uint8_t filter : kFilters) {
    if (!(r.filters & filter) || filter == kStandIn) continue;
    // Neither added nor deleted: only looked up. What it may set is as it was.
    Changes lookup;
    lookup.Put(static_cast<uintptr_t>(r.fd), FilterNumber(filter), 0, FilterFlags(filter), 0,
               UserData(r.generation));
    const int result = lookup.Apply(kq_);
    return result < 0 ? result : -lookup.error(0);
  }
  return LooksSame(r);
}

int Kqueue::LooksSame(const Registration& r) {
  Identity now;
  const int result = Identity::Of(r.fd, &now);
  if (result < 0) return result;
  return now.MayBe(r.identity) ? 0 : -ENOENT;
}

// Asks the kernel about a descriptor of which it has no knote, without keeping one.
int Kqueue::Probe(Fd fd) {
  Changes changes;
  changes.Put(static_cast<uintptr_t>(fd), EVFILT_READ, EV_ADD | EV_DISABLE, 0, 0, kOwn);
  changes.Put(static_cast<uintptr_t>(fd), EVFILT_READ, EV_DELETE);
  const int result = changes.Apply(kq_);
  if (result < 0) return result;
  const int error = changes.error(0);
  return IsUnsupported(error) ? -EPERM : -error;
}

int Kqueue::Add(Fd fd, Ask ask, uint32_t key) {
  if (ask.exclusive) return -EINVAL;
  Identity identity;
  int result = Identity::Of(fd, &identity);
  if (result < 0) return result;
  if (fd == kq_ || waker_.Owns(fd)) return -EINVAL;
  if (!table_.Reserve()) return -ENOMEM;
  Registration* old = table_.Find(fd);
  if (old != nullptr && SameFile(*old) == 0) return -EEXIST;
  result = Refusal(fd, identity);
  if (result < 0) return result;

  // Of a file that is gone this is all that could be left.
  if (old != nullptr) Remove(fd, old->filters & kStandIn);
  uint8_t filters = 0;
  const uint64_t generation = table_.NextGeneration();
  if (ask.interest == 0) {
    result = Probe(fd);
  } else {
    Changes changes;
    result = PutIn(&changes, fd, ask, generation, identity.type, &filters);
  }
  if (result < 0) return result;

  int voided = 0;
  if (old != nullptr) {
    voided = table_.VoidRecord(old);
    table_.Erase(old);
  }
  Registration* added = table_.Insert(fd, generation, ask, key);
  added->in_kernel = filters != 0;
  added->filters = filters;
  added->identity = identity;
  return voided;
}

int Kqueue::Modify(Fd fd, Ask ask, uint32_t key) {
  if (ask.exclusive) return -EINVAL;
  Registration* r = table_.Find(fd);
  if (r == nullptr) return -ENOENT;
  const uint64_t generation = table_.NextGeneration();
  Changes changes;
  int gone = 0;
  if (r->filters & ~kStandIn) {
    TakeOut(&changes, fd, r->filters);
  } else {
    gone = SameFile(*r);
    if (gone < 0) return gone;
    TakeOut(&changes, fd, r->filters);
  }
  const int taken = changes.count();
  uint8_t filters = 0;
  int result;
  if (ask.interest != 0) {
    result = PutIn(&changes, fd, ask, generation, r->identity.type, &filters);
  } else {
    result = changes.Apply(kq_);
  }
  // The first is a knote that is there for as long as the number names its file.
  if (taken > 0 && r->filters & ~kStandIn && changes.error(0) != 0) {
    Remove(fd, filters);
    return -changes.error(0);
  }
  if (result < 0) {
    // Back to what it was; a oneshot that has fired stays silent.
    Changes back;
    uint8_t restored = 0;
    if (r->filters != 0 && r->armed)
      PutIn(&back, fd, r->ask(), r->generation, r->identity.type, &restored);
    r->filters = restored;
    r->in_kernel = restored != 0;
    return result;
  }
  r->in_kernel = filters != 0;
  r->filters = filters;
  Registrations::Set(r, generation, ask, key);
  return table_.VoidRecord(r);
}

int Kqueue::Delete(Fd fd) {
  Registration* r = table_.Find(fd);
  if (r == nullptr) return -ENOENT;
  Remove(fd, r->filters);
  const int voided = table_.VoidRecord(r);
  table_.Erase(r);
  return voided;
}

int Kqueue::CanWatch(Fd fd) {
  Identity identity;
  int result = Identity::Of(fd, &identity);
  if (result < 0) return result;
  if (fd == kq_ || waker_.Owns(fd)) return -EINVAL;
  result = Refusal(fd, identity);
  if (result < 0) return result;
  Registration* r = table_.Find(fd);
  // A probe would take the place of its knote, and a look-up touch it.
  return r != nullptr && LooksSame(*r) == 0 ? 0 : Probe(fd);
}

int Kqueue::Prepare(uint32_t capacity) {
  if (capacity > found_capacity_) {
    auto* grown = static_cast<KernelEvent*>(realloc(found_, capacity * sizeof(KernelEvent)));
    if (grown == nullptr) return -ENOMEM;
    found_ = grown;
    found_capacity_ = capacity;
  }
  prepared_ = capacity;
  found_count_ = 0;
  return 0;
}

int Kqueue::Block(uint64_t timeout_ns, bool* woken) {
  if (timeout_ns > kLongestWaitNs) timeout_ns = kLongestWaitNs;
  timespec timeout;
  timeout.tv_sec = static_cast<time_t>(timeout_ns / 1000000000u);
  timeout.tv_nsec = static_cast<long>(timeout_ns % 1000000000u);
  // No more than there are records for: a knote of edge or oneshot mode is told of once,
  // so nothing that was found may be left out.
  const int got = kevent(kq_, nullptr, 0, found_, static_cast<int>(prepared_), &timeout);
  if (got <= 0) return got < 0 ? -errno : 0;
  uint32_t count = static_cast<uint32_t>(got);
  for (uint32_t i = 0; i < count;) {
    if (DataOf(found_[i]) != kOwn) {
      i++;
      continue;
    }
    if (found_[i].filter == EVFILT_TIMER) {
      deadline_ = kForever;
    } else if (waker_.Heard(found_[i])) {
      *woken = true;
    }
    found_[i] = found_[--count];
  }
  found_count_ = count;
  return static_cast<int>(count);
}

// A oneshot that fired in one direction is silent in the others, as of now.
void Kqueue::Disarm(Registration* r, uint8_t fired) {
  r->armed = false;
  Changes changes;
  for (const uint8_t filter : kFilters) {
    if (!(r->filters & filter & ~fired)) continue;
    changes.Put(static_cast<uintptr_t>(r->fd), FilterNumber(filter), EV_DISABLE,
                FilterFlags(filter), 0, UserData(r->generation));
  }
  changes.Apply(kq_);
}

int Kqueue::Harvest(Record* records, uint32_t capacity) {
  if (capacity < prepared_) return -EINVAL;
  table_.BeginBatch();
  processes_.BeginBatch();
  files_.BeginBatch();
  uint32_t written = 0;
  for (uint32_t i = 0; i < found_count_; i++) {
    const KernelEvent event = found_[i];
    if (processes_.Owns(event) || files_.Owns(event)) {
      Watches& watches = processes_.Owns(event) ? processes_ : files_;
      if (watches.Translate(event, records, written)) {
        found_[written++].ident = static_cast<uintptr_t>(kNoFd);
      } else {
        counters_.stale++;
      }
      continue;
    }
    Registration* r = table_.Find(static_cast<Fd>(event.ident));
    if (r == nullptr || UserData(r->generation) != DataOf(event)) {
      counters_.stale++;
      continue;
    }
    const uint8_t filter = FilterOf(event);
    // A stand-in does not go with its number.
    if (filter == kStandIn && LooksSame(*r) != 0) {
      counters_.stale++;
      Remove(r->fd, kStandIn);
      r->filters &= static_cast<uint8_t>(~kStandIn);
      r->in_kernel = r->filters != 0;
      continue;
    }
    const int place = table_.VoidRecord(r);
    uint32_t record = written;
    if (place > 0) {
      record = static_cast<uint32_t>(place) - 1;
    } else {
      records[written++] = Record{r->key, 0};
      table_.Wrote(r, record);
    }
    records[record].events |= Seen(event);
    found_[record].ident = event.ident;  // at or before the event in hand
    if (r->mode == Mode::kOneshot) Disarm(r, filter);
  }
  found_count_ = 0;
  for (uint32_t i = 0; i < written; i++) {
    const Registration* r = table_.Find(static_cast<Fd>(found_[i].ident));
    if (r == nullptr) continue;  // of a process or a file
    records[i].events = Conclude(records[i].events, r->interest, r->identity.type);
  }
  return static_cast<int>(written);
}

}  // namespace
}  // namespace pollux

POLLUX_BACKEND(Kqueue)
