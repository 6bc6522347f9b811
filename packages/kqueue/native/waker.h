// What ends a kevent(2) that waits: an event of our own, EVFILT_USER (FreeBSD 8.1,
// macOS 10.6, NetBSD 10), or a pipe where that does not work.
//
// Whether it works is tried, not looked up: it is a filter that emulations lack or
// get wrong, and a lost wake-up is a program that hangs.
#pragma once

#include <errno.h>

#include "changes.h"
#include "pollux/wake_pipe.h"

namespace pollux {

// No registration has this as its user data; a knote that has it is ours.
constexpr uintptr_t kOwn = 0;
// No descriptor has this number. Stand-ins (filters.h) are EVFILT_USER too, under
// the number of their descriptor.
constexpr uintptr_t kWakeIdent = static_cast<uintptr_t>(INTPTR_MAX);

class Waker {
 public:
  // 0 or a negative errno.
  int Open(int kq) {
    kq_ = kq;
    has_user_ = TestUser();
    return has_user_ ? 0 : OpenPipe();
  }

  void Close() { pipe_.Close(); }

  // Whether EVFILT_USER works here.
  bool has_user() const { return has_user_; }
  bool Owns(int fd) const { return pipe_.Owns(fd); }

  // Async-signal-safe, any thread.
  void Ring() {
#ifdef EVFILT_USER
    if (has_user_) {
      KernelEvent event;
      Fill(&event, kWakeIdent, EVFILT_USER, 0, NOTE_TRIGGER, 0, kOwn);
      while (kevent(kq_, &event, 1, nullptr, 0, nullptr) < 0 && errno == EINTR) {
      }
      return;
    }
#endif
    pipe_.Ring();
  }

  // Of an event with kOwn: whether it is the bell. It is silenced.
  bool Heard(const KernelEvent& event) {
#ifdef EVFILT_USER
    if (has_user_) return event.filter == EVFILT_USER;  // EV_CLEAR has silenced it
#endif
    if (event.filter != EVFILT_READ || static_cast<int>(event.ident) != pipe_.fd()) return false;
    pipe_.Silence();
    return true;
  }

 private:
  // Adds the event, triggers it and looks whether it comes, once.
  bool TestUser() {
#ifdef EVFILT_USER
    Changes add;
    add.Put(kWakeIdent, EVFILT_USER, EV_ADD | EV_CLEAR, NOTE_FFNOP, 0, kOwn);
    if (add.Apply(kq_) < 0 || add.error(0) != 0) return false;
    Changes trigger;
    trigger.Put(kWakeIdent, EVFILT_USER, 0, NOTE_TRIGGER, 0, kOwn);
    if (trigger.Apply(kq_) == 0 && trigger.error(0) == 0 && Comes() && !Comes()) return true;
    Changes remove;
    remove.Put(kWakeIdent, EVFILT_USER, EV_DELETE);
    remove.Apply(kq_);
#endif
    return false;
  }

#ifdef EVFILT_USER
  bool Comes() {
    KernelEvent event;
    const timespec zero{0, 0};
    return kevent(kq_, nullptr, 0, &event, 1, &zero) == 1 && event.filter == EVFILT_USER &&
           event.ident == kWakeIdent;
  }
#endif

  int OpenPipe() {
    const int opened = pipe_.Open();
    if (opened < 0) return opened;
    Changes add;
    add.Put(static_cast<uintptr_t>(pipe_.fd()), EVFILT_READ, EV_ADD, 0, 0, kOwn);
    const int result = add.Apply(kq_);
    return result < 0 ? result : -add.error(0);
  }

  int kq_ = -1;
  WakePipe pipe_;  // open where it is needed
  bool has_user_ = false;
};

}  // namespace pollux
