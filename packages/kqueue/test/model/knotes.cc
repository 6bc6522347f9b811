// The knotes of a kqueue, and what a scan finds of them. Each is in the epoll of its
// direction: level-triggered, with EPOLLET for EV_CLEAR, not at all while disabled.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <vector>

#include "model.h"

namespace model {
namespace {

std::mutex lock;
std::map<int, Kqueue*>& All() {
  static auto* all = new std::map<int, Kqueue*>;  // outlives every destructor
  return *all;
}
std::atomic<int> count{0};
std::atomic<pid_t> owner{0};  // a forked child has no kqueue

// Out of the way of programs that expect the lowest free number.
int High(int fd) {
  if (fd < 0) return fd;
  const int moved = fcntl(fd, F_DUPFD_CLOEXEC, 500);
  if (moved < 0) return fd;
  RealClose(fd);
  return moved;
}

struct Note {
  uint32_t inotify;
  unsigned note;
};
constexpr Note kNotes[] = {
    {IN_MODIFY, NOTE_WRITE},
    {IN_ATTRIB, NOTE_ATTRIB},
    {IN_MOVE_SELF, NOTE_RENAME},
    {IN_DELETE_SELF, NOTE_DELETE},
    {IN_CREATE | IN_DELETE | IN_MOVE, NOTE_WRITE},
};

int WatchFile(int fd, unsigned notes) {
  const int source = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (source < 0) return -1;
  uint32_t mask = 0;
  for (const Note& note : kNotes)
    if (notes & note.note) mask |= note.inotify;
  // The last name going is told as a change of attributes while a descriptor is open.
  if (notes & (NOTE_DELETE | NOTE_LINK)) mask |= IN_ATTRIB;
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  if (inotify_add_watch(source, path, mask) >= 0) return source;
  RealClose(source);
  return -1;
}

unsigned TakeNotes(const Knote& knote) {
  alignas(inotify_event) char buffer[4096];
  unsigned notes = 0;
  ssize_t got;
  while ((got = read(knote.source, buffer, sizeof buffer)) > 0) {
    for (ssize_t at = 0; at < got;) {
      const auto* event = reinterpret_cast<inotify_event*>(buffer + at);
      for (const Note& note : kNotes)
        if (event->mask & note.inotify) notes |= note.note;
      if (event->mask & IN_ATTRIB) notes |= NOTE_LINK | NOTE_DELETE;
      at += static_cast<ssize_t>(sizeof *event + event->len);
    }
  }
  return notes & knote.event.fflags;
}

}  // namespace

Guard::Guard() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before_);
  lock.lock();
}

Guard::~Guard() {
  lock.unlock();
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

bool Kqueue::Any() { return count != 0 && owner == getpid(); }

int Kqueue::Make() {
  const int number = epoll_create1(0);
  if (number < 0) return -1;
  auto* made = new Kqueue(number);
  made->sides_[kInput] = number;
  if (made->OpenSides() != 0) {
    const int error = errno;
    delete made;
    RealClose(number);
    errno = error;
    return -1;
  }
  All()[number] = made;
  count++;
  owner = getpid();
  return number;
}

int Kqueue::OpenSides() {
  for (const Side side : {kOutput, kUrgent}) {
    sides_[side] = High(epoll_create1(EPOLL_CLOEXEC));
    if (sides_[side] < 0) return -1;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = side;
    if (epoll_ctl(fd, EPOLL_CTL_ADD, sides_[side], &event) != 0) return -1;
  }
  timer_ = High(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  return timer_ < 0 ? -1 : 0;
}

Kqueue::~Kqueue() {
  while (!by_id_.empty()) Erase(by_id_.begin()->second);
  for (const Side side : {kOutput, kUrgent})
    if (sides_[side] >= 0) RealClose(sides_[side]);
  if (timer_ >= 0) RealClose(timer_);
}

Kqueue* Kqueue::Find(int number) {
  const auto found = All().find(number);
  return found == All().end() ? nullptr : found->second;
}

void Kqueue::Closed(int number) {
  if (Kqueue* closed = Find(number)) {
    All().erase(number);
    count--;
    delete closed;
  }
  for (const auto& [_, kqueue] : All()) {
    for (const int filter : {EVFILT_READ, EVFILT_WRITE, EVFILT_EXCEPT, EVFILT_VNODE}) {
      const auto found = kqueue->by_name_.find(NameOf(static_cast<uintptr_t>(number), filter));
      if (found != kqueue->by_name_.end()) kqueue->Erase(found->second);
    }
  }
}

bool Kqueue::OfDescriptor(int filter) {
  return filter == EVFILT_READ || filter == EVFILT_WRITE || filter == EVFILT_EXCEPT ||
         filter == EVFILT_VNODE;
}

Kqueue::Side Kqueue::SideOf(int filter) {
  return filter == EVFILT_WRITE ? kOutput : filter == EVFILT_EXCEPT ? kUrgent : kInput;
}

int Kqueue::Watched(const Knote& knote) {
  return knote.source >= 0 ? knote.source : static_cast<int>(knote.event.ident);
}

// No identifier has its upper bits in use: numbers, processes, INTPTR_MAX and below.
uint64_t Kqueue::NameOf(uintptr_t ident, int filter) {
  return ident << 5 | static_cast<unsigned>(-filter);
}

// Into the epoll of its direction; `again`: it is there, and is to be looked at anew.
int Kqueue::Attach(Knote* knote, bool again) {
  constexpr uint32_t kEvents[] = {EPOLLIN | EPOLLRDHUP, EPOLLOUT, EPOLLPRI};
  const Side side = SideOf(knote->event.filter);
  epoll_event event{};
  event.events = kEvents[side];
  if (knote->event.flags & EV_CLEAR) event.events |= EPOLLET;
  event.data.u64 = knote->id;
  const int operation = again ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  if (epoll_ctl(sides_[side], operation, Watched(*knote), &event) == 0) return 0;
  return errno == EPERM ? EINVAL : errno;
}

void Kqueue::Detach(Knote* knote) {
  epoll_ctl(sides_[SideOf(knote->event.filter)], EPOLL_CTL_DEL, Watched(*knote), nullptr);
}

void Kqueue::Erase(Knote* knote) {
  if (knote->enabled) Detach(knote);
  if (knote->source >= 0 && knote->source != timer_) RealClose(knote->source);
  by_name_.erase(NameOf(knote->event.ident, knote->event.filter));
  by_id_.erase(knote->id);
  delete knote;
}

int Kqueue::MakeSource(Knote* knote) {
  const struct kevent& event = knote->event;
  int source = -1;
  switch (event.filter) {
    case EVFILT_USER:
      source = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
      break;
    case EVFILT_TIMER: {
      const int64_t ns = event.fflags & NOTE_NSECONDS ? event.data : event.data * 1000000;
      itimerspec when{};
      when.it_value.tv_sec = ns / 1000000000;
      when.it_value.tv_nsec = ns % 1000000000;
      timerfd_settime(timer_, 0, &when, nullptr);
      knote->source = timer_;
      return 0;
    }
    case EVFILT_PROC:
      source = static_cast<int>(syscall(SYS_pidfd_open, static_cast<pid_t>(event.ident), 0));
      break;
    case EVFILT_VNODE:
      source = WatchFile(static_cast<int>(event.ident), event.fflags);
      break;
    default:
      return 0;
  }
  if (source < 0) return errno;
  knote->source = High(source);
  return 0;
}

int Kqueue::Change(const struct kevent& change) {
  const int filter = change.filter;
  const Variant& variant = TheVariant();
  if ((filter == EVFILT_USER && !variant.has_user) ||
      (filter == EVFILT_EXCEPT && !variant.has_except) || change.flags & EV_ENABLE) {
    return EINVAL;
  }
  if (OfDescriptor(filter) && fcntl(static_cast<int>(change.ident), F_GETFD) < 0) return EBADF;

  const auto found = by_name_.find(NameOf(change.ident, filter));
  Knote* knote = found == by_name_.end() ? nullptr : found->second;
  if (knote == nullptr) {
    if (!(change.flags & EV_ADD)) return ENOENT;
    if (OfDescriptor(filter)) {
      const int refused = Acceptable(static_cast<int>(change.ident), filter);
      if (refused != 0) return refused;
    }
    knote = new Knote;
    knote->event = change;
    if (filter == EVFILT_VNODE) knote->event.flags |= EV_CLEAR;
    knote->enabled = !(change.flags & EV_DISABLE);
    knote->id = next_id_++;
    int error = MakeSource(knote);
    // Also if it is to be disabled: not every file can be watched.
    if (error == 0) error = Attach(knote, false);
    if (error != 0) {
      if (knote->source >= 0 && knote->source != timer_) RealClose(knote->source);
      delete knote;
      return error;
    }
    by_name_[NameOf(change.ident, filter)] = knote;
    by_id_[knote->id] = knote;
    if (!knote->enabled) Detach(knote);
    return 0;
  }
  if (change.flags & EV_DELETE) {
    Erase(knote);
    return 0;
  }
  knote->event.udata = change.udata;
  if (filter == EVFILT_USER) {
    if (change.fflags & NOTE_TRIGGER) {
      knote->triggered = true;
      const uint64_t one = 1;
      if (write(knote->source, &one, sizeof one) < 0) return errno;
    }
  } else {
    knote->event.fflags = change.fflags;
    knote->event.data = change.data;
    if (knote->enabled && variant.touch_comes_again) Attach(knote, true);
  }
  if (change.flags & EV_DISABLE && knote->enabled) {
    Detach(knote);
    knote->enabled = false;
  }
  return 0;
}

// Writes the event of a knote that epoll has found; false: not so.
bool Kqueue::Report(Knote* knote, struct kevent* event) {
  State state = StateOf(*knote);
  if (!state.active) {
    // epoll tells of errors and hangups unasked, and would do so for ever.
    if (knote->event.filter == EVFILT_EXCEPT) {
      knote->event.flags |= EV_CLEAR;
      Attach(knote, true);
    }
    return false;
  }
  if (knote->event.filter == EVFILT_VNODE) {
    state.fflags = TakeNotes(*knote);
    if (state.fflags == 0) return false;
  }
  *event = knote->event;
  event->flags = static_cast<unsigned short>((knote->event.flags & ~EV_RECEIPT) | state.flags);
  event->fflags = knote->event.filter == EVFILT_PROC ? NOTE_EXIT : state.fflags;
  event->data = state.data;

  const unsigned flags = knote->event.flags;
  if (knote->event.filter == EVFILT_USER && flags & EV_CLEAR) {
    uint64_t value;
    knote->triggered = false;
    while (read(knote->source, &value, sizeof value) < 0 && errno == EINTR) {
    }
  }
  if (flags & EV_ONESHOT || knote->event.filter == EVFILT_PROC) {
    Erase(knote);
  } else if (flags & EV_DISPATCH) {
    Detach(knote);
    knote->enabled = false;
  }
  return true;
}

int Kqueue::CollectFrom(Side side, struct kevent* events, int room) {
  std::vector<epoll_event> ready(static_cast<size_t>(std::min(room, 16384)));
  const int got = epoll_wait(sides_[side], ready.data(), static_cast<int>(ready.size()), 0);
  int written = 0;
  bool inside[kSides] = {};
  for (int i = 0; i < got; i++) {
    const uint64_t id = ready[static_cast<size_t>(i)].data.u64;
    if (id < kSides) {
      inside[id] = true;
      continue;
    }
    const auto found = by_id_.find(id);
    if (found != by_id_.end() && Report(found->second, &events[written])) written++;
  }
  // Each that is ready has left a place here.
  for (const Side other : {kOutput, kUrgent})
    if (inside[other]) written += CollectFrom(other, events + written, room - written);
  return written;
}

int Kqueue::Collect(struct kevent* events, int room) {
  return room > 0 ? CollectFrom(kInput, events, room) : 0;
}

}  // namespace model
