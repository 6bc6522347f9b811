// A list of changes for kevent(2), applied at once, with an answer to each.
//
// EV_RECEIPT asks for a receipt of every change, so that one refusal neither hides
// in the events nor keeps the changes after it from being made; and since there is
// room for the receipts and no more, no event is taken by the call.
#pragma once

#include <errno.h>
#include <stdint.h>
#include <sys/types.h>
// clang-format off: some BSDs want sys/types.h first.
#include <sys/event.h>
#include <sys/time.h>
// clang-format on

namespace pollux {

// The types of these fields differ from system to system (NetBSD, OpenBSD).
using KernelEvent = struct kevent;

inline void Fill(KernelEvent* event, uintptr_t ident, int filter, unsigned flags, unsigned fflags,
                 int64_t data, uintptr_t udata) {
  *event = KernelEvent{};
  event->ident = static_cast<decltype(event->ident)>(ident);
  event->filter = static_cast<decltype(event->filter)>(filter);
  event->flags = static_cast<decltype(event->flags)>(flags);
  event->fflags = static_cast<decltype(event->fflags)>(fflags);
  event->data = static_cast<decltype(event->data)>(data);
  event->udata = (decltype(event->udata))udata;  // void* or intptr_t
}

inline uintptr_t DataOf(const KernelEvent& event) { return (uintptr_t)event.udata; }

class Changes {
 public:
  void Put(uintptr_t ident, int filter, unsigned flags, unsigned fflags = 0, int64_t data = 0,
           uintptr_t udata = 0) {
    Fill(&list_[count_++], ident, filter, flags | EV_RECEIPT, fflags, data, udata);
  }

  // 0, or a negative errno if the call as a whole was refused.
  int Apply(int kq) {
    if (count_ == 0) return 0;
    const timespec zero{0, 0};
    KernelEvent receipts[kMost];
    const int got = kevent(kq, list_, count_, receipts, count_, &zero);
    if (got < 0) return -errno;
    for (int i = 0; i < count_; i++) {
      // A change without its receipt would be one that nobody knows about.
      errors_[i] =
          i < got && (receipts[i].flags & EV_ERROR) ? static_cast<int>(receipts[i].data) : EINVAL;
    }
    return 0;
  }

  int count() const { return count_; }
  // After Apply: 0 or the errno of change number i.
  int error(int i) const { return errors_[i]; }

 private:
  // Three filters taken out and three put in, and a stand-in of either.
  static constexpr int kMost = 10;
  KernelEvent list_[kMost];
  int errors_[kMost] = {};
  int count_ = 0;
};

}  // namespace pollux
