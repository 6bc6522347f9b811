// The contract between a primitive (epoll, select, ...) and everything above it.
//
// A backend watches file descriptors with one primitive of one operating
// system. It is plain C++: it knows nothing of JavaScript, Node-API or the
// thread it runs on, so it can be tested by a C++ program alone. It is one file
// that ends with POLLUX_BACKEND(TheClass).
//
// One cycle has three parts, so that the blocking one can run on any thread:
//
//   Prepare   JavaScript thread. Make what Block needs: a snapshot of the
//             bitmaps, room for `capacity` events.
//   Block     Any thread. Touches only the kernel handle and the private buffer
//             that Prepare made; never the registrations.
//   Harvest   JavaScript thread. Translate what Block found, drop what is
//             stale, write records.
//
// The owner calls them in this order, one cycle at a time. Between Prepare and
// Harvest the JavaScript thread may call Add, Modify, Delete and CanWatch at any
// moment, also while Block runs on the wait thread; Wake may be called by any
// thread at any moment between Open and Close. Where a change does not reach a
// Block that is under way, `ChangesNeedWake` is true and the owner wakes it.
//
// Every function returns a count or a negative errno. A call that returns a
// negative errno has changed nothing. Add, Modify and Delete return the number
// of the record in the last harvest that the change made void, plus one, or 0:
// the caller blanks that record, so a change takes effect at once also for
// events already harvested.
#pragma once

#include <errno.h>
#include <stdint.h>

#include "pollux/fd.h"

namespace pollux {

// Bits of an interest and of an event; the same values as in TypeScript
// (packages/core/src/interest.ts).
enum : uint32_t {
  kReadable = 1,
  kWritable = 2,
  kPriority = 4,
  kError = 8,
  kHangup = 16,
  kReadClosed = 32,
  kInterestMask = kReadable | kWritable | kPriority,
};

// What may happen to a file; the values of NOTE_DELETE and so on, on every system that has them,
// and those of packages/core/src/vnode-changes.ts.
enum : uint32_t {
  kFileDeleted = 1,
  kFileWritten = 2,
  kFileExtended = 4,
  kFileAttributes = 8,
  kFileLinks = 16,
  kFileRenamed = 32,
  kFileRevoked = 64,
  kFileChanges = 127,
  kFileChangeShift = 16,
};

enum class Mode : uint8_t { kLevel = 0, kOneshot = 1, kEdge = 2 };

// What is asked of a descriptor. No interest at all means: out of the kernel's
// set, silent, still registered.
struct Ask {
  uint32_t interest;
  Mode mode;
  bool exclusive;  // EPOLLEXCLUSIVE; refused with EINVAL by all others
};

// One ready descriptor, as it lies in the caller's Uint32Array.
struct Record {
  uint32_t key;
  uint32_t events;
};

// What a backend promises; the same bits as in packages/core/src/backend.ts.
// The first four are libevent's event_method_feature.
enum : uint32_t {
  kEdgeTriggered = 1,    // EV_FEATURE_ET
  kConstantTime = 2,     // EV_FEATURE_O1: cost grows with events, not with fds
  kAnyDescriptor = 4,    // EV_FEATURE_FDS: regular files too
  kEarlyClose = 8,       // EV_FEATURE_EARLY_CLOSE: a half-close is an event
  kHintError = 16,       // kError is reported
  kHintHangup = 32,      // kHangup is reported
  kExclusiveWakeup = 64  // EPOLLEXCLUSIVE
};

// Counters that never reset, read by stats().
struct Counters {
  uint64_t stale = 0;     // events dropped: their registration was gone
  uint64_t rebuilds = 0;  // kernel set made anew because of a ghost
};

class Backend {
 public:
  virtual ~Backend() = default;

  virtual const char* Name() const = 0;
  virtual uint32_t Capabilities() const = 0;
  // Resolution of a timeout in nanoseconds, as the primitive takes it.
  virtual uint32_t ResolutionNs() const = 0;
  // True if Add, Modify and Delete do not reach a Block that is under way.
  virtual bool ChangesNeedWake() const = 0;
  // The descriptor that becomes readable when there is something to harvest, or
  // kNoFd where the primitive has none.
  virtual Fd PollableFd() const { return kNoFd; }
  // For a loop that polls PollableFd: the descriptor becomes readable at this
  // moment of the monotonic clock too (kForever: at none). 0 or a negative errno.
  virtual int SetDeadline(uint64_t) { return -ENOSYS; }

  virtual int Open() = 0;
  virtual void Close() = 0;

  virtual int Add(Fd fd, Ask ask, uint32_t key) = 0;
  virtual int Modify(Fd fd, Ask ask, uint32_t key) = 0;
  virtual int Delete(Fd fd) = 0;
  // 0 if the primitive can watch the descriptor, else a negative errno.
  virtual int CanWatch(Fd fd) = 0;

  // The waitable objects of Windows that are no sockets: events, processes, threads, timers.
  // WatchHandle asks for one record, with kReadable, once the object is signalled; then it has to
  // be called again. -EEXIST while it waits. Both: -ENOSYS where the primitive has no such thing.
  virtual int WatchHandle(uintptr_t, uint32_t) { return -ENOSYS; }
  // The void record plus one, or 0; -ENOENT.
  virtual int UnwatchHandle(uintptr_t) { return -ENOSYS; }

  // kqueue's own; all of them: the void record plus one, 0, or -ENOSYS where the primitive has no
  // such thing. WatchProcess asks for one record, with kReadable, when the process ends (-ESRCH:
  // there is none). WatchVnode asks for a record with kReadable and, above kFileChangeShift, what
  // has happened to the file since the last one. -EEXIST for what is watched already, -ENOENT for
  // what is not.
  virtual int WatchProcess(int, uint32_t) { return -ENOSYS; }
  virtual int UnwatchProcess(int) { return -ENOSYS; }
  virtual int WatchVnode(Fd, uint32_t, uint32_t) { return -ENOSYS; }
  virtual int UnwatchVnode(Fd) { return -ENOSYS; }

  // 0 or -ENOMEM.
  virtual int Prepare(uint32_t capacity) = 0;
  // Waits for at most timeout_ns (kForever: without end) and never returns early
  // with nothing, but for a signal or a wake. Returns how many descriptors it
  // found ready (0: none) or a negative errno; -EINTR is the caller's to retry.
  // *woken tells whether Wake ended it; the wake is consumed.
  virtual int Block(uint64_t timeout_ns, bool* woken) = 0;
  // Writes at most the prepared capacity; returns how many, or -EINVAL if
  // `capacity` is below the prepared one.
  virtual int Harvest(Record* records, uint32_t capacity) = 0;

  // Ends a Block, now or the next one. Async-signal-safe, any thread.
  virtual void Wake() = 0;

  const Counters& counters() const { return counters_; }

 protected:
  Counters counters_;
};

// Made by POLLUX_BACKEND in the backend's file; null when out of memory.
Backend* CreateBackend();

}  // namespace pollux

#define POLLUX_BACKEND(Class)                                   \
  namespace pollux {                                            \
  Backend* CreateBackend() { return new (std::nothrow) Class; } \
  }
