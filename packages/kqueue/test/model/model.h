// A model of kqueue(2), to run the unchanged backend on Linux. It is a model: it says
// what the manual pages say, and what was measured of NetBSD's kern_event.c. It is not
// macOS and not FreeBSD, and no test that passes on it has passed there.
//
// What a descriptor is like is asked of poll(2), ioctl(2) and TCP_INFO (state.cc), which
// know nothing of edges; when something has happened is learnt from epoll(7), whose
// EPOLLET is the only thing on Linux that tells one arrival from the next (knotes.cc).
// The two directions of a descriptor have an epoll each, for a knote of EVFILT_READ and
// one of EVFILT_WRITE know nothing of each other. The number of a kqueue is the number
// of the outermost epoll, so a kqueue can itself be watched.
//
// A kernel drops the knotes of a number when the number is closed, whatever dups there
// are, so close(2), dup2(2), dup3(2) and syscall(2) are ours (close.cc): the library
// is preloaded.
//
// Where systems differ, POLLUX_KQUEUE_MODEL chooses; it is read once per process:
//
//                                   freebsd            contrary
//   EVFILT_USER                     there              EINVAL
//   WRITE on a pipe without reader  EPIPE              comes, with EV_EOF
//   ADD or touch of an EV_CLEAR     comes again, if    stays silent
//   knote that is there             still so
//   fflags of a broken connection   ECONNRESET         EPIPE
//
// and `no-except`, `no-user` after a comma take a filter away. EV_ENABLE is not there at
// all (EINVAL): what it does after EV_DISPATCH differs too, and the backend does without.
#pragma once

#include <signal.h>
#include <stdint.h>
#include <sys/event.h>
#include <sys/types.h>

#include <unordered_map>

namespace model {

struct Variant {
  bool has_user;
  bool has_except;
  bool refuses_readerless_pipe;
  bool touch_comes_again;
  int broken;
};
const Variant& TheVariant();

struct Knote {
  struct kevent event;  // as it was put in; fflags and data are the filter's own
  bool enabled = true;
  bool triggered = false;  // EVFILT_USER
  int source = -1;         // the timerfd, pidfd, inotify or eventfd behind it; or -1
  uint64_t id = 0;
};

// What a descriptor is like for a filter at this moment.
struct State {
  bool active;
  unsigned flags;   // EV_EOF
  unsigned fflags;  // why
  int64_t data;
};
State StateOf(const Knote& knote);
// Of a descriptor to be watched: 0 or an errno.
int Acceptable(int fd, int filter);

class Kqueue {
 public:
  // The number, or -1 and errno.
  static int Make();
  static Kqueue* Find(int fd);
  // The number is about to be closed: its knotes go, and it if it is a kqueue.
  static void Closed(int fd);
  // Whether there is any; asked without the lock.
  static bool Any();

  // One change; the errno.
  int Change(const struct kevent& change);
  // What there is at this moment.
  int Collect(struct kevent* events, int room);

  const int fd;

 private:
  enum Side { kInput, kOutput, kUrgent, kSides };
  explicit Kqueue(int number) : fd(number) {}
  ~Kqueue();
  int OpenSides();
  int Attach(Knote* knote, bool again);
  void Detach(Knote* knote);
  int MakeSource(Knote* knote);
  void Erase(Knote* knote);
  int CollectFrom(Side side, struct kevent* events, int room);
  bool Report(Knote* knote, struct kevent* event);
  static Side SideOf(int filter);
  static int Watched(const Knote& knote);
  static bool OfDescriptor(int filter);
  static uint64_t NameOf(uintptr_t ident, int filter);

  int sides_[kSides] = {-1, -1, -1};
  // A timer needs no descriptor on a BSD, so one is kept for it.
  int timer_ = -1;
  uint64_t next_id_ = kSides;
  std::unordered_map<uint64_t, Knote*> by_name_;
  std::unordered_map<uint64_t, Knote*> by_id_;
};

// Guards every kqueue of the process. Signals wait meanwhile, for kevent(2) may be called
// in their handlers.
class Guard {
 public:
  Guard();
  ~Guard();
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

 private:
  sigset_t before_;
};

// The C library's own, not close.cc's.
int RealClose(int fd);

}  // namespace model
