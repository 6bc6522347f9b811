// What ends a kevent(2) that waits: an event of our own, EVFILT_USER (FreeBSD 8.1,
// macOS 10.6, NetBSD 10), or a pipe where that does not work.
//
// Whether it works is tried, not looked up: it is a filter that emulations lack or
// get wrong, and a lost wake-up is a program that hangs.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "changes.h"

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

  void Close() {
    if (read_ >= 0) close(read_);
    if (write_ >= 0) close(write_);
    read_ = write_ = -1;
  }

  // Whether EVFILT_USER works here.
  bool has_user() const { return has_user_; }
  bool Owns(int fd) const { return fd >= 0 && (fd == read_ || fd == write_); }

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
    const char one = 1;
    // EAGAIN: the pipe is full, so it is readable already.
    while (write(write_, &one, 1) < 0 && errno == EINTR) {
    }
  }

  // Of an event with kOwn: whether it is the bell. It is silenced.
  bool Heard(const KernelEvent& event) {
#ifdef EVFILT_USER
    if (has_user_) return event.filter == EVFILT_USER;  // EV_CLEAR has silenced it
#endif
    if (event.filter != EVFILT_READ || static_cast<int>(event.ident) != read_) return false;
    char drained[64];
    ssize_t got;
    do {
      got = read(read_, drained, sizeof drained);
    } while (got == static_cast<ssize_t>(sizeof drained) || (got < 0 && errno == EINTR));
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
    int ends[2];
    if (pipe(ends) != 0) return -errno;
    read_ = ends[0];
    write_ = ends[1];
    // macOS has no pipe2. A child forked by another thread between pipe and fcntl
    // inherits the two: open, but unused there.
    for (const int end : ends) {
      if (fcntl(end, F_SETFD, FD_CLOEXEC) != 0 || fcntl(end, F_SETFL, O_NONBLOCK) != 0) {
        return -errno;
      }
    }
    Changes add;
    add.Put(static_cast<uintptr_t>(read_), EVFILT_READ, EV_ADD, 0, 0, kOwn);
    const int result = add.Apply(kq_);
    return result < 0 ? result : -add.error(0);
  }

  int kq_ = -1;
  int read_ = -1;
  int write_ = -1;
  bool has_user_ = false;
};

}  // namespace pollux
