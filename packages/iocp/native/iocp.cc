// The iocp backend: Windows 8 and later.
//
// A completion port tells that something is done, not that something can be done. What bends it
// into readiness is a poll of the driver under Winsock (afd.h): an overlapped request that is done
// when a condition holds. Each armed socket has at most one such poll outstanding, for the driver
// mixes up several on one socket; to change it is to cancel it, to wait for its packet and to start
// another.
//
// A packet tells of the moment when the poll ended, which may be long ago. So it is taken as a
// reason to look: unless the poll was started for this very wait, the socket's present state is
// asked before anything is reported, of all sockets of a batch in one call. The same look serves
// level triggering: what was reported is looked at before the next wait, and only where it is not
// ready any more is a new poll started. So a socket that stays ready costs its share of one call,
// not a poll and a packet.
//
// Polls are started where the registration is made, so that they reach a Block under way. The
// buffers that the driver writes to belong to a PolledSocket, which lives until its last packet has
// come.
#include <errno.h>
#include <stdlib.h>

#include <new>

#include "afd.h"
#include "conditions.h"
#include "handle_watch.h"
#include "poll_set.h"
#include "pollux/backend.h"
#include "pollux/clock.h"
#include "pollux/registrations.h"
#include "pollux/winsock_error.h"

namespace pollux {
namespace {

// The keys of packets beside those of polls.
constexpr ULONG_PTR kWakeKey = 1;
constexpr ULONG_PTR kHandleKey = 2;

// More packets than records may come at once; what finds no record is looked at again.
constexpr uint32_t kSpareEntries = 64;
// Longest single wait, in milliseconds; Block loops.
constexpr uint64_t kLongestWaitMs = 1000u * 3600 * 24;

PolledSocket* SocketOf(const Registration& r) { return reinterpret_cast<PolledSocket*>(r.own); }

bool IsArmed(const Registration& r) { return r.in_kernel && r.armed && r.interest != 0; }

class Iocp final : public Backend {
 public:
  const char* Name() const override { return "iocp"; }
  uint32_t Capabilities() const override {
    return kConstantTime | kEarlyClose | kHintError | kHintHangup;
  }
  uint32_t ResolutionNs() const override { return 1000000; }
  bool ChangesNeedWake() const override { return false; }

  ~Iocp() override { Close(); }
  int Open() override;
  void Close() override;
  int Add(Fd fd, Ask ask, uint32_t key) override;
  int Modify(Fd fd, Ask ask, uint32_t key) override;
  int Delete(Fd fd) override;
  int CanWatch(Fd fd) override;
  int WatchHandle(uintptr_t handle, uint32_t key) override;
  int UnwatchHandle(uintptr_t handle) override;
  int Prepare(uint32_t capacity) override;
  int Block(uint64_t timeout_ns, bool* woken) override;
  int Harvest(Record* records, uint32_t capacity) override;
  void Wake() override;

 private:
  // Found ready by Prepare.
  struct Ready {
    Fd fd;
    uint64_t generation;
    ULONG found;
  };

  int Arm(const Registration& r, uint64_t cycle);
  void PutBack();
  int Survey();
  bool IsSameSocket(const Registration& r);
  bool IsAlive(const Registration& r);
  void Forget(Registration* r);
  void HarvestPacket(PolledSocket* socket);
  void HarvestHandle(HandleWatch* watch);
  void Doubt(Registration* r);
  void SettleDoubts();
  void Report(Registration* r, ULONG found);

  HANDLE port_ = nullptr;
  bool started_ = false;  // WSAStartup
  AfdGlancer glancer_;
  PollSet polls_;
  Registrations table_;
  HandleWatches handles_;
  uint32_t handle_batch_ = 0;

  // The private buffers: entries_ is Block's between Prepare and Harvest, the rest is the
  // JavaScript thread's, but that Block reads ready_count_.
  OVERLAPPED_ENTRY* entries_ = nullptr;
  uint32_t entry_count_ = 0;
  Ready* ready_ = nullptr;
  uint32_t ready_count_ = 0;
  uint32_t prepared_ = 0;
  uint32_t room_ = 0;  // records that entries_ and ready_ have room for
  uint64_t cycle_ = 0;

  // While Harvest runs.
  Record* records_ = nullptr;
  uint32_t written_ = 0;
  Glance doubts_[AfdGlancer::kMost];
  Fd doubted_[AfdGlancer::kMost];
  uint32_t doubt_count_ = 0;
};

int Iocp::Open() {
  WSADATA data;
  if (WSAStartup(MAKEWORD(2, 2), &data) != 0) return -ENOSYS;
  started_ = true;
  port_ = CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 1);
  int result = port_ == nullptr ? -EMFILE : glancer_.Open();
  if (result == 0) result = polls_.Open(port_);
  if (result < 0) Close();
  return result;
}

void Iocp::Close() {
  // With packets that were taken out of the port and never harvested.
  polls_.Close(entries_, entry_count_);
  entry_count_ = ready_count_ = 0;
  handles_.Clear();
  glancer_.Close();
  if (port_ != nullptr) CloseHandle(port_);
  port_ = nullptr;
  free(entries_);
  free(ready_);
  entries_ = nullptr;
  ready_ = nullptr;
  room_ = 0;
  if (started_) WSACleanup();
  started_ = false;
}

int Iocp::Arm(const Registration& r, uint64_t cycle) {
  return polls_.Arm(SocketOf(r), Conditions(r.interest), cycle, r.generation);
}

// Its poll, if it has not ended, proves that the socket is open still. One that has ended may have
// told of the end.
bool Iocp::IsAlive(const Registration& r) {
  if (!r.in_kernel) return false;
  const PolledSocket* socket = SocketOf(r);
  if (socket->pending == 0 || socket->cancelled) return IsSameSocket(r);
  if (socket->PollGoesOn()) return true;
  return IsSameSocket(r);
}

bool Iocp::IsSameSocket(const Registration& r) {
  if (!r.in_kernel) return false;
  const PolledSocket* socket = SocketOf(r);
  if (socket->pending != 0 && socket->ToldOfEnd()) return false;
  Identity now;
  return Identity::Of(r.fd, &now) == 0 && now.MayBe(r.identity);
}

// The socket is gone, and nobody said delete. As with epoll, nothing is told.
void Iocp::Forget(Registration* r) { r->in_kernel = false; }

int Iocp::Add(Fd fd, Ask ask, uint32_t key) {
  if (ask.mode == Mode::kEdge || ask.exclusive) return -EINVAL;
  SOCKET base;
  int result = BaseSocket(fd, &base);
  if (result < 0) return result;
  Identity identity;
  result = Identity::Of(fd, &identity);
  if (result < 0) return result;
  if (!table_.Reserve()) return -ENOMEM;
  Registration* old = table_.Find(fd);
  if (old != nullptr && IsSameSocket(*old)) return -EEXIST;
  PolledSocket* socket = polls_.Make(fd, base);
  if (socket == nullptr) return -ENOMEM;

  Registration wanted{};
  Registrations::Set(&wanted, table_.NextGeneration(), ask, key);
  if (ask.interest != 0) {
    result = polls_.Arm(socket, Conditions(wanted.interest), 0, wanted.generation);
    if (result < 0) {
      polls_.Abandon(socket);
      return result;
    }
    polls_.Queue(socket);
  }
  int voided = 0;
  if (old != nullptr) {
    voided = table_.VoidRecord(old);
    polls_.Abandon(SocketOf(*old));
    table_.Erase(old);
  }
  Registration* added = table_.Insert(fd, wanted.generation, ask, key);
  added->in_kernel = true;
  added->identity = identity;
  added->own = reinterpret_cast<uintptr_t>(socket);
  return voided;
}

int Iocp::Modify(Fd fd, Ask ask, uint32_t key) {
  if (ask.mode == Mode::kEdge || ask.exclusive) return -EINVAL;
  Registration* r = table_.Find(fd);
  if (r == nullptr) return -ENOENT;
  if (!IsAlive(*r)) {
    Identity ignored;
    const int opened = Identity::Of(fd, &ignored);
    return opened < 0 ? opened : -ENOENT;
  }
  Registration wanted = *r;
  Registrations::Set(&wanted, table_.NextGeneration(), ask, key);
  if (ask.interest != 0) {
    const int result = Arm(wanted, 0);
    if (result < 0) return result;
    polls_.Queue(SocketOf(*r));
  }
  *r = wanted;
  return table_.VoidRecord(r);
}

int Iocp::Delete(Fd fd) {
  Registration* r = table_.Find(fd);
  if (r == nullptr) return -ENOENT;
  const int voided = table_.VoidRecord(r);
  polls_.Abandon(SocketOf(*r));
  table_.Erase(r);
  return voided;
}

int Iocp::CanWatch(Fd fd) {
  SOCKET base;
  Identity ignored;
  const int result = BaseSocket(fd, &base);
  // Some answer with what they were asked about, without a look at it (Wine).
  return result < 0 ? result : Identity::Of(fd, &ignored);
}

int Iocp::WatchHandle(uintptr_t handle, uint32_t key) {
  return handles_.Watch(port_, kHandleKey, reinterpret_cast<HANDLE>(handle), key);
}

int Iocp::UnwatchHandle(uintptr_t handle) {
  HandleWatch* watch = handles_.Find(reinterpret_cast<HANDLE>(handle));
  if (watch == nullptr) return -ENOENT;
  const int voided =
      watch->batch == handle_batch_ && handle_batch_ != 0 ? static_cast<int>(watch->record) + 1 : 0;
  handles_.Forget(watch);
  return voided;
}

// What the last wait found and nobody harvested (the wait thread was stopped in between): not told
// of, so it is looked at again.
void Iocp::PutBack() {
  for (uint32_t i = 0; i < ready_count_; i++) {
    const Registration* r = table_.Find(ready_[i].fd);
    if (r != nullptr) polls_.Queue(SocketOf(*r));
  }
  for (uint32_t i = 0; i < entry_count_; i++) {
    if (entries_[i].lpCompletionKey != kPollKey) {
      PostQueuedCompletionStatus(port_, 0, entries_[i].lpCompletionKey, entries_[i].lpOverlapped);
      continue;
    }
    auto* socket = reinterpret_cast<PolledSocket*>(entries_[i].lpOverlapped);
    polls_.Ended(socket);
    if (!socket->orphan) polls_.Queue(socket);
    polls_.Release(socket);
  }
  entry_count_ = ready_count_ = 0;
}

int Iocp::Prepare(uint32_t capacity) {
  PutBack();
  if (capacity > room_) {
    auto* entries = static_cast<OVERLAPPED_ENTRY*>(
        realloc(entries_, (capacity + kSpareEntries) * sizeof *entries_));
    if (entries == nullptr) return -ENOMEM;
    entries_ = entries;
    auto* ready = static_cast<Ready*>(realloc(ready_, capacity * sizeof *ready_));
    if (ready == nullptr) return -ENOMEM;
    ready_ = ready;
    room_ = capacity;
  }
  prepared_ = capacity;
  cycle_++;
  return Survey();
}

// Looks at all that is queued, as far as there are records for what is found ready; polls the rest.
int Iocp::Survey() {
  Glance glances[AfdGlancer::kMost];
  PolledSocket* sockets[AfdGlancer::kMost];
  for (uint32_t left = polls_.queued(); left > 0 && ready_count_ < prepared_;) {
    uint32_t count = 0;
    for (; left > 0 && count < AfdGlancer::kMost && count < prepared_ - ready_count_; left--) {
      PolledSocket* socket = polls_.Dequeue();
      const Registration* r = socket->orphan ? nullptr : table_.Find(socket->fd);
      if (r == nullptr || SocketOf(*r) != socket || !IsArmed(*r)) {
        polls_.Release(socket);
        continue;
      }
      sockets[count] = socket;
      glances[count++] = Glance{socket->base, Conditions(r->interest), 0};
    }
    const int looked = glancer_.Look(glances, count);
    for (uint32_t i = 0; i < count; i++) {
      Registration* r = table_.Find(sockets[i]->fd);
      if (looked < 0) {
        polls_.Queue(sockets[i]);
      } else if (glances[i].found & kAfdLocalClose) {
        Forget(r);
      } else if (glances[i].found != 0) {
        ready_[ready_count_++] = Ready{r->fd, r->generation, glances[i].found};
      } else {
        const int armed = Arm(*r, cycle_);
        if (armed == -ENOMEM) {
          while (i < count) polls_.Queue(sockets[i++]);
          return armed;
        }
        if (armed < 0) Forget(r);
      }
    }
    if (looked < 0) return looked;
  }
  return 0;
}

int Iocp::Block(uint64_t timeout_ns, bool* woken) {
  const uint64_t deadline = ready_count_ > 0 ? 0 : DeadlineAfter(timeout_ns);
  for (;;) {
    const uint64_t left = TimeUntil(deadline);
    const uint64_t ms = left / 1000000u + (left % 1000000u != 0);
    ULONG count = 0;
    if (!GetQueuedCompletionStatusEx(port_, entries_, prepared_ + kSpareEntries, &count,
                                     static_cast<DWORD>(ms < kLongestWaitMs ? ms : kLongestWaitMs),
                                     FALSE)) {
      if (GetLastError() != WAIT_TIMEOUT) return -EBADF;
      count = 0;
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
      if (entries_[i].lpCompletionKey == kWakeKey) {
        *woken = true;
      } else {
        entries_[kept++] = entries_[i];
      }
    }
    entry_count_ = kept;
    if (*woken || kept + ready_count_ > 0) return static_cast<int>(kept + ready_count_);
    // The system's clock of timeouts and ours may differ by a tick: never early.
    if (TimeUntil(deadline) == 0) return 0;
  }
}

int Iocp::Harvest(Record* records, uint32_t capacity) {
  if (capacity < prepared_) return -EINVAL;
  table_.BeginBatch();
  handle_batch_++;
  records_ = records;
  written_ = doubt_count_ = 0;
  for (uint32_t i = 0; i < ready_count_; i++) {
    Registration* r = table_.Find(ready_[i].fd);
    if (r == nullptr) {
      counters_.stale++;
    } else if (r->generation != ready_[i].generation) {
      Doubt(r);  // changed since
    } else {
      Report(r, ready_[i].found);
    }
  }
  for (uint32_t i = 0; i < entry_count_; i++) {
    void* of = entries_[i].lpOverlapped;
    if (entries_[i].lpCompletionKey == kHandleKey) {
      HarvestHandle(static_cast<HandleWatch*>(of));
    } else {
      HarvestPacket(static_cast<PolledSocket*>(of));
    }
  }
  SettleDoubts();
  entry_count_ = ready_count_ = 0;
  return static_cast<int>(written_);
}

void Iocp::HarvestPacket(PolledSocket* socket) {
  const bool as_asked =
      !socket->cancelled && socket->status.Status == 0 && socket->poll.handle_count > 0;
  const ULONG found = as_asked ? socket->poll.handles[0].events : 0;
  const bool fresh = socket->cycle == cycle_;
  const bool of_abandoned = socket->cancelled;
  polls_.Ended(socket);
  Registration* r = socket->orphan ? nullptr : table_.Find(socket->fd);
  if (r == nullptr) {
    if (!of_abandoned) counters_.stale++;
    polls_.Release(socket);
    return;
  }
  if (found & kAfdLocalClose) {
    Forget(r);
  } else if (IsArmed(*r)) {
    if (fresh && found != 0 && socket->generation == r->generation) {
      Report(r, found);
    } else {
      Doubt(r);
    }
  }
}

// To be looked at before anything is reported.
void Iocp::Doubt(Registration* r) {
  if (!IsArmed(*r)) return;
  doubted_[doubt_count_] = r->fd;
  doubts_[doubt_count_++] = Glance{SocketOf(*r)->base, Conditions(r->interest), 0};
  if (doubt_count_ == AfdGlancer::kMost) SettleDoubts();
}

void Iocp::SettleDoubts() {
  const int looked = glancer_.Look(doubts_, doubt_count_);
  for (uint32_t i = 0; i < doubt_count_; i++) {
    Registration* r = table_.Find(doubted_[i]);
    if (r == nullptr) continue;  // doubted twice, and forgotten
    if (looked < 0 || doubts_[i].found == 0) {
      polls_.Queue(SocketOf(*r));
    } else if (doubts_[i].found & kAfdLocalClose) {
      Forget(r);
    } else {
      Report(r, doubts_[i].found);
    }
  }
  doubt_count_ = 0;
}

void Iocp::Report(Registration* r, ULONG found) {
  // Once per batch: a look and a packet may both have found it.
  if (!IsArmed(*r) || table_.VoidRecord(r) != 0) return;
  const uint32_t events = Translate(found, r->interest);
  PolledSocket* socket = SocketOf(*r);
  if (events == 0 || written_ == prepared_) {
    polls_.Queue(socket);
    return;
  }
  if (r->mode == Mode::kOneshot) {
    r->armed = false;
  } else {
    polls_.Queue(socket);
  }
  table_.Wrote(r, written_);
  records_[written_++] = Record{r->key, events};
}

void Iocp::HarvestHandle(HandleWatch* watch) {
  if (written_ == prepared_) {
    PostQueuedCompletionStatus(port_, 0, kHandleKey, reinterpret_cast<OVERLAPPED*>(watch));
    return;
  }
  if (!handles_.Came(watch)) return;
  watch->batch = handle_batch_;
  watch->record = written_;
  records_[written_++] = Record{watch->key, kReadable};
}

void Iocp::Wake() { PostQueuedCompletionStatus(port_, 0, kWakeKey, nullptr); }

}  // namespace
}  // namespace pollux

POLLUX_BACKEND(Iocp)
