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
// buffers that the driver writes to belong to a Socket, which lives until its last packet has come.
#include <errno.h>
#include <stdlib.h>

#include <new>

#include "afd.h"
#include "handle_watch.h"
#include "pollux/backend.h"
#include "pollux/clock.h"
#include "pollux/registrations.h"
#include "pollux/winsock_error.h"

namespace pollux {
namespace {

// The keys of packets: polls come under 0.
constexpr ULONG_PTR kPollKey = 0;
constexpr ULONG_PTR kWakeKey = 1;
constexpr ULONG_PTR kHandleKey = 2;

// Sockets per handle of the driver. The cost of a cancel grows with what a handle carries
// (trio#1280); wepoll and mio use 32 too.
constexpr uint32_t kGroupSize = 32;
// More packets than records may come at once; what finds no record is looked at again.
constexpr uint32_t kSpareEntries = 64;
// Longest single wait, in milliseconds; Block loops.
constexpr uint64_t kLongestWaitMs = 1000u * 3600 * 24;
constexpr uint32_t kCloseWaitMs = 10;

struct Group {
  HANDLE device;
  uint32_t used;
  Group* next;
};

// What outlives a registration: where the driver writes.
struct Socket {
  IO_STATUS_BLOCK status;
  AfdPollInfo poll;
  SOCKET base;
  Fd fd;
  Group* group;
  ULONG pending;        // what the outstanding poll asks for; 0: there is none
  bool cancelled;       // it was cancelled, and its packet is to come
  bool orphan;          // the registration is gone
  bool queued;          // waits to be looked at
  uint64_t cycle;       // the Prepare that started the poll; 0: none did
  uint64_t generation;  // of the registration when the poll was started
  Socket* next_queued;
  Socket* next;
  Socket** link;
};

Socket* SocketOf(const Registration& r) { return reinterpret_cast<Socket*>(r.own); }

bool IsArmed(const Registration& r) { return r.in_kernel && r.armed && r.interest != 0; }

// What to ask of the driver. An error is told whatever was asked for, and so is the end of the
// socket.
ULONG Conditions(uint32_t interest) {
  ULONG events = kAfdAbort | kAfdConnectFail | kAfdLocalClose;
  if (interest & kReadable) events |= kAfdReceive | kAfdAccept | kAfdDisconnect;
  if (interest & kWritable) events |= kAfdSend;
  if (interest & kPriority) events |= kAfdReceiveExpedited;
  return events;
}

// As epoll's: an error sets whichever of readable and writable was asked for.
uint32_t Translate(ULONG found, uint32_t interest) {
  uint32_t events = 0;
  if (found & (kAfdReceive | kAfdAccept)) events |= kReadable;
  if (found & kAfdDisconnect) events |= kReadable | kReadClosed;
  if (found & kAfdSend) events |= kWritable;
  if (found & kAfdReceiveExpedited) events |= kPriority;
  const bool failed = (found & (kAfdAbort | kAfdConnectFail)) != 0;
  if (failed) events |= kReadable | kWritable;
  if (found & kAfdAbort) events |= kReadClosed;
  events &= interest | kReadClosed;
  if (!(interest & kReadable)) events &= ~static_cast<uint32_t>(kReadClosed);
  if (failed) events |= kError | kHangup;
  return events;
}

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

  Group* RoomyGroup();
  Socket* NewSocket(Fd fd, SOCKET base);
  void Release(Socket* socket);
  void Abandon(Socket* socket);
  int Poll(Socket* socket, const Registration& r, uint64_t cycle);
  int Arm(Registration* r, uint64_t cycle);
  void Queue(Socket* socket);
  Socket* Dequeue();
  void PutBack();
  int Survey();
  bool IsSameSocket(const Registration& r);
  bool IsAlive(const Registration& r);
  void Forget(Registration* r);
  bool Ended(Socket* socket, ULONG* found);
  void HarvestPacket(Socket* socket);
  void HarvestHandle(HandleWatch* watch);
  void Doubt(Registration* r);
  void SettleDoubts();
  void Report(Registration* r, ULONG found);

  HANDLE port_ = nullptr;
  bool started_ = false;  // WSAStartup
  AfdGlancer glancer_;
  Group* groups_ = nullptr;
  Socket* sockets_ = nullptr;
  Registrations table_;
  HandleWatches handles_;
  uint32_t handle_batch_ = 0;

  // To be looked at before the next wait, first come first served.
  Socket* first_queued_ = nullptr;
  Socket* last_queued_ = nullptr;
  uint32_t queued_ = 0;

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
  // Learn now, not at the first add, whether the driver's handles and the port go together.
  if (result == 0 && RoomyGroup() == nullptr) result = -ENOSYS;
  if (result < 0) Close();
  return result;
}

void Iocp::Close() {
  for (Socket* socket = sockets_; socket != nullptr; socket = socket->next) {
    if (socket->pending != 0) CancelPoll(socket->group->device, &socket->status);
  }
  // Packets that were taken out of the port and never harvested.
  for (uint32_t i = 0; i < entry_count_; i++) {
    if (entries_[i].lpCompletionKey != kPollKey) continue;
    reinterpret_cast<Socket*>(entries_[i].lpOverlapped)->pending = 0;
  }
  entry_count_ = ready_count_ = 0;
  // The driver writes to a Socket until its packet has come. What it does not answer for in a
  // second is leaked, which is better than freed.
  uint32_t outstanding = 0;
  for (Socket* socket = sockets_; socket != nullptr; socket = socket->next) {
    if (socket->pending != 0) outstanding++;
  }
  for (uint32_t tries = 0; outstanding > 0 && tries < 1000 / kCloseWaitMs;) {
    OVERLAPPED_ENTRY entries[kSpareEntries];
    ULONG count = 0;
    if (!GetQueuedCompletionStatusEx(port_, entries, kSpareEntries, &count, kCloseWaitMs, FALSE)) {
      tries++;
      continue;
    }
    for (ULONG i = 0; i < count; i++) {
      if (entries[i].lpCompletionKey != kPollKey) continue;
      reinterpret_cast<Socket*>(entries[i].lpOverlapped)->pending = 0;
      outstanding--;
    }
  }
  for (Socket* socket = sockets_; socket != nullptr;) {
    Socket* next = socket->next;
    if (socket->pending == 0) delete socket;
    socket = next;
  }
  sockets_ = first_queued_ = last_queued_ = nullptr;
  queued_ = 0;
  handles_.Clear();
  for (Group* group = groups_; group != nullptr;) {
    Group* next = group->next;
    CloseHandle(group->device);
    delete group;
    group = next;
  }
  groups_ = nullptr;
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

// The first is the one with room, or all are full.
Group* Iocp::RoomyGroup() {
  for (Group* group = groups_; group != nullptr; group = group->next) {
    if (group->used < kGroupSize) return group;
  }
  auto* group = new (std::nothrow) Group{nullptr, 0, groups_};
  if (group == nullptr) return nullptr;
  if (OpenAfd(&group->device) == 0) {
    if (CreateIoCompletionPort(group->device, port_, kPollKey, 0) != nullptr) {
      // Nobody waits for the device's own event: setting it would cost something each time.
      SetFileCompletionNotificationModes(group->device, FILE_SKIP_SET_EVENT_ON_HANDLE);
      return groups_ = group;
    }
    CloseHandle(group->device);
  }
  delete group;
  return nullptr;
}

Socket* Iocp::NewSocket(Fd fd, SOCKET base) {
  Group* group = RoomyGroup();
  auto* socket = group == nullptr ? nullptr : new (std::nothrow) Socket{};
  if (socket == nullptr) return nullptr;
  group->used++;
  socket->group = group;
  socket->base = base;
  socket->fd = fd;
  socket->next = sockets_;
  socket->link = &sockets_;
  if (sockets_ != nullptr) sockets_->link = &socket->next;
  sockets_ = socket;
  return socket;
}

// Frees what neither the driver nor the queue knows any more.
void Iocp::Release(Socket* socket) {
  if (!socket->orphan || socket->pending != 0 || socket->queued) return;
  socket->group->used--;
  *socket->link = socket->next;
  if (socket->next != nullptr) socket->next->link = socket->link;
  delete socket;
}

void Iocp::Abandon(Socket* socket) {
  if (socket->pending != 0 && !socket->cancelled) {
    socket->cancelled = true;
    CancelPoll(socket->group->device, &socket->status);
  }
  socket->orphan = true;
  Release(socket);
}

int Iocp::Poll(Socket* socket, const Registration& r, uint64_t cycle) {
  const ULONG wanted = Conditions(r.interest);
  const int result = StartPoll(socket->group->device, &socket->poll, &socket->status, socket,
                               socket->base, wanted);
  if (result < 0) return result;
  socket->pending = wanted;
  socket->cancelled = false;
  socket->cycle = cycle;
  socket->generation = r.generation;
  return 0;
}

// Sees to it that a poll is outstanding which asks for no less than is wanted, or will be once the
// packet of the old one has come.
int Iocp::Arm(Registration* r, uint64_t cycle) {
  Socket* socket = SocketOf(*r);
  const ULONG wanted = Conditions(r->interest);
  if (socket->pending == 0) return Poll(socket, *r, cycle);
  if ((wanted & ~socket->pending) != 0 && !socket->cancelled) {
    socket->cancelled = true;
    CancelPoll(socket->group->device, &socket->status);
  }
  return 0;
}

void Iocp::Queue(Socket* socket) {
  if (socket->queued) return;
  socket->queued = true;
  socket->next_queued = nullptr;
  (last_queued_ == nullptr ? first_queued_ : last_queued_->next_queued) = socket;
  last_queued_ = socket;
  queued_++;
}

Socket* Iocp::Dequeue() {
  Socket* socket = first_queued_;
  first_queued_ = socket->next_queued;
  if (first_queued_ == nullptr) last_queued_ = nullptr;
  socket->queued = false;
  queued_--;
  return socket;
}

// Its poll, if it has not ended, proves that the socket is open still. One that has ended may have
// told of the end.
bool Iocp::IsAlive(const Registration& r) {
  if (!r.in_kernel) return false;
  const Socket* socket = SocketOf(r);
  if (socket->pending == 0 || socket->cancelled) return IsSameSocket(r);
  if (*const_cast<const volatile NTSTATUS*>(&socket->status.Status) == kStatusPending) return true;
  return IsSameSocket(r);
}

bool Iocp::IsSameSocket(const Registration& r) {
  if (!r.in_kernel) return false;
  const Socket* socket = SocketOf(r);
  if (socket->pending != 0 && *const_cast<const volatile NTSTATUS*>(&socket->status.Status) == 0 &&
      socket->poll.handle_count > 0 && (socket->poll.handles[0].events & kAfdLocalClose)) {
    return false;
  }
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
  Socket* socket = NewSocket(fd, base);
  if (socket == nullptr) return -ENOMEM;

  Registration wanted{};
  Registrations::Set(&wanted, table_.NextGeneration(), ask, key);
  if (ask.interest != 0) {
    result = Poll(socket, wanted, 0);
    if (result < 0) {
      Abandon(socket);
      return result;
    }
    Queue(socket);
  }
  int voided = 0;
  if (old != nullptr) {
    voided = table_.VoidRecord(old);
    Abandon(SocketOf(*old));
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
    const int result = Arm(&wanted, 0);
    if (result < 0) return result;
    Queue(SocketOf(*r));
  }
  *r = wanted;
  return table_.VoidRecord(r);
}

int Iocp::Delete(Fd fd) {
  Registration* r = table_.Find(fd);
  if (r == nullptr) return -ENOENT;
  const int voided = table_.VoidRecord(r);
  Abandon(SocketOf(*r));
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
    if (r != nullptr) Queue(SocketOf(*r));
  }
  for (uint32_t i = 0; i < entry_count_; i++) {
    if (entries_[i].lpCompletionKey != kPollKey) {
      PostQueuedCompletionStatus(port_, 0, entries_[i].lpCompletionKey, entries_[i].lpOverlapped);
      continue;
    }
    auto* socket = reinterpret_cast<Socket*>(entries_[i].lpOverlapped);
    socket->pending = 0;
    socket->cancelled = false;
    if (!socket->orphan) Queue(socket);
    Release(socket);
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
  Socket* sockets[AfdGlancer::kMost];
  for (uint32_t left = queued_; left > 0 && ready_count_ < prepared_;) {
    uint32_t count = 0;
    for (; left > 0 && count < AfdGlancer::kMost && count < prepared_ - ready_count_; left--) {
      Socket* socket = Dequeue();
      const Registration* r = socket->orphan ? nullptr : table_.Find(socket->fd);
      if (r == nullptr || SocketOf(*r) != socket || !IsArmed(*r)) {
        Release(socket);
        continue;
      }
      sockets[count] = socket;
      glances[count++] = Glance{socket->base, Conditions(r->interest), 0};
    }
    const int looked = glancer_.Look(glances, count);
    for (uint32_t i = 0; i < count; i++) {
      Registration* r = table_.Find(sockets[i]->fd);
      if (looked < 0) {
        Queue(sockets[i]);
      } else if (glances[i].found & kAfdLocalClose) {
        Forget(r);
      } else if (glances[i].found != 0) {
        ready_[ready_count_++] = Ready{r->fd, r->generation, glances[i].found};
      } else {
        const int armed = Arm(r, cycle_);
        if (armed == -ENOMEM) {
          Queue(sockets[i]);
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
      HarvestPacket(static_cast<Socket*>(of));
    }
  }
  SettleDoubts();
  entry_count_ = ready_count_ = 0;
  return static_cast<int>(written_);
}

void Iocp::HarvestPacket(Socket* socket) {
  const bool as_asked =
      !socket->cancelled && socket->status.Status == 0 && socket->poll.handle_count > 0;
  const ULONG found = as_asked ? socket->poll.handles[0].events : 0;
  const bool fresh = socket->cycle == cycle_;
  const bool of_abandoned = socket->cancelled;
  socket->pending = 0;
  socket->cancelled = false;
  Registration* r = socket->orphan ? nullptr : table_.Find(socket->fd);
  if (r == nullptr) {
    if (!of_abandoned) counters_.stale++;
    Release(socket);
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
    if (looked < 0 || doubts_[i].found == 0) {
      Queue(SocketOf(*r));
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
  Socket* socket = SocketOf(*r);
  if (events == 0 || written_ == prepared_) {
    Queue(socket);
    return;
  }
  if (r->mode == Mode::kOneshot) {
    r->armed = false;
  } else {
    Queue(socket);
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
