// The two system calls of the model.
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "model.h"

namespace {

int64_t Now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000ll + now.tv_nsec;
}

// The changes, and the receipts and errors of them; how many, or -1 and errno.
int Apply(int kq, const struct kevent* changes, int nchanges, struct kevent* events, int nevents) {
  int written = 0;
  for (int i = 0; i < nchanges; i++) {
    int error;
    {
      model::Guard guard;
      model::Kqueue* kqueue = model::Kqueue::Find(kq);
      if (kqueue == nullptr) {
        errno = EBADF;
        return -1;
      }
      error = kqueue->Change(changes[i]);
    }
    if (error == 0 && !(changes[i].flags & EV_RECEIPT)) continue;
    if (written == nevents) {
      if (error == 0) break;
      errno = error;
      return -1;
    }
    events[written] = changes[i];
    events[written].flags = EV_ERROR;
    events[written++].data = error;
  }
  return written;
}

}  // namespace

extern "C" int kqueue(void) {
  model::Guard guard;
  return model::Kqueue::Make();
}

extern "C" int kevent(int kq, const struct kevent* changes, int nchanges, struct kevent* events,
                      int nevents, const struct timespec* timeout) {
  const int receipts = Apply(kq, changes, nchanges, events, nevents);
  if (receipts != 0) return receipts;
  const int64_t end =
      timeout == nullptr ? INT64_MAX : Now() + timeout->tv_sec * 1000000000ll + timeout->tv_nsec;
  while (true) {
    {
      model::Guard guard;
      model::Kqueue* kqueue = model::Kqueue::Find(kq);
      if (kqueue == nullptr) {
        errno = EBADF;
        return -1;
      }
      const int found = kqueue->Collect(events, nevents);
      if (found > 0 || nevents == 0) return found;
    }
    const int64_t left = end - Now();
    if (left <= 0) return 0;
    pollfd number{kq, POLLIN, 0};
    const timespec rest{left / 1000000000, left % 1000000000};
    if (ppoll(&number, 1, timeout == nullptr ? nullptr : &rest, nullptr) < 0) return -1;
  }
}
