// From interests to kqueue's filters, and from what the filters say to the events
// of the contract.
//
// kqueue has a knote for each direction, where the contract has one registration:
//
//   readable   EVFILT_READ
//   writable   EVFILT_WRITE; for a pipe whose reader is gone, which the kernels refuse
//              to watch (EPIPE), a stand-in: an EVFILT_USER event under the number of
//              the descriptor that is triggered from the start
//   priority   EVFILT_EXCEPT with NOTE_OOB (macOS 10.12, OpenBSD 7.1), or nothing
//
// An end is told per direction (EV_EOF), the cause in fflags, for sockets. What that
// comes to:
//
//   EOF of READ alone     a half-close of a socket (readClosed); of a pipe or a terminal,
//                         which have no half, a hangup
//   EOF of WRITE alone    nothing for a socket: its own shutdown(2) does that too. A pipe's
//                         reader is gone: error. A terminal: hangup
//   EOF of both           hangup
//   EOF with fflags       the connection broke: error and hangup
//
// A pending error without an end (a refused datagram) makes the filters come without
// any sign of it, so the hints are given but not promised.
#pragma once

#include <stdint.h>
#include <sys/stat.h>

#include "changes.h"
#include "pollux/backend.h"

namespace pollux {

// Knotes of a registration, as bits of Registration::filters.
enum : uint8_t {
  kReadFilter = 1,
  kWriteFilter = 2,
  kExceptFilter = 4,
  kStandIn = 8,
};
constexpr uint8_t kFilters[] = {kReadFilter, kWriteFilter, kExceptFilter, kStandIn};

// 0 for what this system does not have.
inline int FilterNumber(uint8_t filter) {
  switch (filter) {
    case kReadFilter:
      return EVFILT_READ;
    case kWriteFilter:
      return EVFILT_WRITE;
#ifdef EVFILT_EXCEPT
    case kExceptFilter:
      return EVFILT_EXCEPT;
#endif
#ifdef EVFILT_USER
    case kStandIn:
      return EVFILT_USER;
#endif
  }
  return 0;
}

inline uint8_t FilterOf(const KernelEvent& event) {
  for (const uint8_t filter : kFilters) {
    if (FilterNumber(filter) != 0 && event.filter == FilterNumber(filter)) return filter;
  }
  return 0;
}

inline unsigned FilterFlags(uint8_t filter) {
#ifdef EVFILT_EXCEPT
  if (filter == kExceptFilter) return NOTE_OOB;
#endif
  (void)filter;
  return 0;
}

inline uint8_t FiltersFor(uint32_t interest) {
  uint8_t filters = 0;
  if (interest & kReadable) filters |= kReadFilter;
  if (interest & kWritable) filters |= kWriteFilter;
  if (interest & kPriority && FilterNumber(kExceptFilter) != 0) filters |= kExceptFilter;
  return filters;
}

// EV_DISPATCH rather than EV_ONESHOT: a knote that has fired is still there to ask
// whether its number names the same file. It is never enabled again, for systems
// differ in whether that reports what was there before; it is put in anew.
inline unsigned ModeFlags(Mode mode) {
  switch (mode) {
    case Mode::kLevel:
      return 0;
    case Mode::kOneshot:
      return EV_DISPATCH;
    case Mode::kEdge:
      return EV_CLEAR;
  }
  return 0;
}

// What the events of one wait have said of a registration, in bits above those of the
// contract. They stay in the record until the whole batch is known.
enum : uint32_t {
  kReadEnd = 1u << 29,
  kWriteEnd = 1u << 30,
  kBroken = 1u << 31,
  kContractBits = 63,
};

inline uint32_t Seen(const KernelEvent& event) {
  const bool end = (event.flags & EV_EOF) != 0;
  uint32_t seen = 0;
  switch (FilterOf(event)) {
    case kReadFilter:
      seen = kReadable;
      if (end) seen |= kReadEnd;
      if (end && event.fflags != 0) seen |= kBroken;
      break;
    case kWriteFilter:
      seen = kWritable;
      if (end) seen |= kWriteEnd;
      if (end && event.fflags != 0) seen |= kBroken;
      break;
    case kStandIn:
      seen = kWritable;
      seen |= kWriteEnd;
      break;
    case kExceptFilter:
      seen = kPriority;
      break;
  }
  return seen;
}

// Adds what follows from `seen`; `type` is that of fstat(2).
inline uint32_t Conclude(uint32_t seen, uint32_t interest, mode_t type) {
  const bool read_end = (seen & kReadEnd) != 0;
  const bool write_end = (seen & kWriteEnd) != 0;
  if (seen & kBroken) seen |= kError | kHangup;
  if (read_end && write_end) seen |= kHangup;
  if (S_ISSOCK(type)) {
    if (read_end) seen |= kReadClosed;
  } else {
    if (read_end) seen |= kHangup;
    if (write_end && !read_end) seen |= S_ISFIFO(type) ? kError : kHangup;
  }
  // As on every backend, so that a caller who looks at these two alone learns of it by
  // the error of its read or write.
  if (seen & (kError | kHangup)) seen |= interest & (kReadable | kWritable);
  return seen & kContractBits;
}

}  // namespace pollux
