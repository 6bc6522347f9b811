// The select backend on Winsock: the fallback where the driver under it cannot be asked directly.
//
// Winsock's fd_set is a count and an array of sockets, and its size is the caller's: FD_SETSIZE
// (64) bounds only the type, so the arrays here are our own. There is no memory in select, so
// oneshot is disarmed by hand and Block waits on a snapshot, as in select_posix.cc. The waker is a
// UDP socket connected to itself, for select takes sockets only; it also keeps the sets from being
// empty, which Winsock refuses.
//
// A connection that fails shows in the third set alone, which is that of urgent bytes too. So a
// stream that was not connected when it was registered is in that set whatever was asked for, and
// getpeername tells the two apart: SO_ERROR would take the error away from the program.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <new>

#include "pollux/backend.h"
#include "pollux/clock.h"
#include "pollux/registrations.h"
#include "pollux/winsock_error.h"

namespace pollux {
namespace {

constexpr uint64_t kLongestWaitNs = 1000ull * 1000 * 1000 * 3600 * 24;

// What Registration::own holds: this bit, and the events that a harvest has found so far.
constexpr uintptr_t kNotConnected = 0x100;
constexpr uintptr_t kFoundMask = 0xff;

// A fd_set of any size: `count` and the sockets after it, laid out as Winsock's.
class SocketSet {
 public:
  SocketSet() = default;
  SocketSet(const SocketSet&) = delete;
  SocketSet& operator=(const SocketSet&) = delete;
  ~SocketSet() { free(set_); }

  bool Grow(uint32_t sockets) {
    if (sockets <= room_) return true;
    uint32_t room = room_ == 0 ? 64 : room_;
    while (room < sockets) room *= 2;
    auto* set =
        static_cast<fd_set*>(realloc(set_, offsetof(fd_set, fd_array) + room * sizeof(SOCKET)));
    if (set == nullptr) return false;
    if (set_ == nullptr) set->fd_count = 0;
    set_ = set;
    room_ = room;
    return true;
  }
  void Clear() { set_->fd_count = 0; }
  void Put(SOCKET socket) { Sockets()[set_->fd_count++] = socket; }
  void CopyFrom(const SocketSet& other) {
    set_->fd_count = other.set_->fd_count;
    memcpy(Sockets(), other.Sockets(), set_->fd_count * sizeof(SOCKET));
  }
  uint32_t count() const { return set_->fd_count; }
  SOCKET operator[](uint32_t i) const { return Sockets()[i]; }
  fd_set* get() { return set_; }

 private:
  SOCKET* Sockets() const { return set_->fd_array; }

  fd_set* set_ = nullptr;
  uint32_t room_ = 0;
};

bool IsConnected(Fd fd) {
  sockaddr_storage peer;
  int size = sizeof peer;
  return getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0;
}

class Select final : public Backend {
 public:
  const char* Name() const override { return "select"; }
  uint32_t Capabilities() const override { return 0; }
  uint32_t ResolutionNs() const override { return 1000000; }
  bool ChangesNeedWake() const override { return true; }

  ~Select() override { Close(); }
  int Open() override;
  void Close() override;
  int Add(Fd fd, Ask ask, uint32_t key) override;
  int Modify(Fd fd, Ask ask, uint32_t key) override;
  int Delete(Fd fd) override;
  int CanWatch(Fd fd) override;
  int Prepare(uint32_t capacity) override;
  int Block(uint64_t timeout_ns, bool* woken) override;
  int Harvest(Record* records, uint32_t capacity) override;
  void Wake() override;

 private:
  enum Set { kRead, kWrite, kExcept, kSets };

  int OpenWaker();
  void Notice(Registration* registration) const;
  uint32_t HarvestClosed(Record* records);
  void Gather(Set set);
  uint32_t EventsOf(Registration* registration);
  bool InSnapshot(const Registration& r) const {
    return r.in_kernel && r.armed && r.generation <= snapshot_generation_;
  }

  bool started_ = false;  // WSAStartup
  Fd waker_ = kNoFd;
  Registrations table_;

  // The private buffer: Block's between Prepare and Harvest.
  SocketSet snapshot_[kSets];
  SocketSet found_[kSets];
  int found_result_ = 0;  // how many select found, less the waker, or -EBADF
  uint32_t prepared_ = 0;
  uint64_t snapshot_generation_ = 0;
  // While Harvest runs: who was found, each once.
  SocketSet ready_;
  // Where the last harvest ran out of room; the next begins there.
  uint32_t start_ = 0;
};

int Select::Open() {
  WSADATA data;
  if (WSAStartup(MAKEWORD(2, 2), &data) != 0) return -ENOSYS;
  started_ = true;
  const int result = OpenWaker();
  if (result < 0) Close();
  return result;
}

// Bound to a port of the loopback and connected to that very port, so it takes datagrams from
// itself only. Not inheritable.
int Select::OpenWaker() {
  waker_ = WSASocketW(AF_INET, SOCK_DGRAM, IPPROTO_UDP, nullptr, 0,
                      WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
  if (waker_ == INVALID_SOCKET) return LastWinsockError();
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* at = reinterpret_cast<sockaddr*>(&address);
  int size = sizeof address;
  u_long on = 1;
  if (bind(waker_, at, size) != 0 || getsockname(waker_, at, &size) != 0 ||
      connect(waker_, at, size) != 0 || ioctlsocket(waker_, FIONBIO, &on) != 0) {
    return LastWinsockError();
  }
  return 0;
}

void Select::Close() {
  if (waker_ != kNoFd) closesocket(waker_);
  waker_ = kNoFd;
  if (started_) WSACleanup();
  started_ = false;
}

// A stream that is not connected may be a connection that fails, or one that listens.
void Select::Notice(Registration* r) const {
  r->own = r->identity.type == SOCK_STREAM && !IsConnected(r->fd) ? kNotConnected : 0;
}

int Select::Add(Fd fd, Ask ask, uint32_t key) {
  if (ask.mode == Mode::kEdge || ask.exclusive) return -EINVAL;
  if (fd == waker_) return -EINVAL;
  Identity identity;
  const int opened = Identity::Of(fd, &identity);
  if (opened < 0) return opened;
  // First, for a table that grows moves what Find points to.
  if (!table_.Reserve()) return -ENOMEM;
  Registration* old = table_.Find(fd);
  // in_kernel false here: found closed by a harvest, so this is another socket.
  if (old != nullptr && old->in_kernel && identity.MayBe(old->identity)) return -EEXIST;
  int voided = 0;
  if (old != nullptr) {
    voided = table_.VoidRecord(old);
    table_.Erase(old);
  }
  Registration* added = table_.Insert(fd, table_.NextGeneration(), ask, key);
  added->identity = identity;
  added->in_kernel = true;
  Notice(added);
  return voided;
}

int Select::Modify(Fd fd, Ask ask, uint32_t key) {
  if (ask.mode == Mode::kEdge || ask.exclusive) return -EINVAL;
  Registration* r = table_.Find(fd);
  if (r == nullptr) return -ENOENT;
  Identity identity;
  const int opened = Identity::Of(fd, &identity);
  if (opened < 0) return opened;
  if (!r->in_kernel || !identity.MayBe(r->identity)) return -ENOENT;
  r->identity = identity;
  Registrations::Set(r, table_.NextGeneration(), ask, key);
  Notice(r);
  return table_.VoidRecord(r);
}

int Select::Delete(Fd fd) {
  Registration* r = table_.Find(fd);
  if (r == nullptr) return -ENOENT;
  const int voided = table_.VoidRecord(r);
  table_.Erase(r);
  return voided;
}

int Select::CanWatch(Fd fd) {
  Identity ignored;
  return Identity::Of(fd, &ignored);
}

int Select::Prepare(uint32_t capacity) {
  const uint32_t most = table_.size() + 1;
  for (int set = 0; set < kSets; set++) {
    if (!snapshot_[set].Grow(most) || !found_[set].Grow(most)) return -ENOMEM;
    snapshot_[set].Clear();
  }
  if (!ready_.Grow(most * kSets)) return -ENOMEM;
  snapshot_[kRead].Put(waker_);
  table_.ForEach([&](Registration* r) {
    if (!r->in_kernel || !r->armed) return;
    if (r->interest & kReadable) snapshot_[kRead].Put(r->fd);
    if (r->interest & kWritable) snapshot_[kWrite].Put(r->fd);
    if ((r->interest & kPriority) || (r->own & kNotConnected)) snapshot_[kExcept].Put(r->fd);
  });
  prepared_ = capacity;
  snapshot_generation_ = table_.last_generation();
  found_result_ = 0;
  return 0;
}

int Select::Block(uint64_t timeout_ns, bool* woken) {
  const uint64_t deadline = DeadlineAfter(timeout_ns);
  for (;;) {
    for (int set = 0; set < kSets; set++) found_[set].CopyFrom(snapshot_[set]);
    uint64_t left = TimeUntil(deadline);
    if (left > kLongestWaitNs) left = kLongestWaitNs;
    const uint64_t microseconds = (left + 999) / 1000;
    timeval timeout;
    timeout.tv_sec = static_cast<long>(microseconds / 1000000);
    timeout.tv_usec = static_cast<long>(microseconds % 1000000);
    found_result_ = 0;
    const int result =
        select(0, found_[kRead].get(), found_[kWrite].get(), found_[kExcept].get(), &timeout);
    if (result == SOCKET_ERROR) {
      const int error = LastWinsockError();
      if (error != -ENOTSOCK && error != -EBADF) return error;
      found_result_ = -EBADF;
      return 1;  // for Harvest to find which
    }
    if (result > 0) {
      found_result_ = result;
      for (uint32_t i = 0; i < found_[kRead].count(); i++) {
        if (found_[kRead][i] != waker_) continue;
        char drained[16];
        while (recv(waker_, drained, sizeof drained, 0) >= 0) {
        }
        found_result_--;
        *woken = true;
      }
      return found_result_;
    }
    // Winsock's clock may tick more coarsely than ours: never early.
    if (TimeUntil(deadline) == 0) return 0;
  }
}

void Select::Gather(Set set) {
  static constexpr uint32_t kEvents[] = {kReadable, kWritable, kPriority};
  for (uint32_t i = 0; i < found_[set].count(); i++) {
    const SOCKET socket = found_[set][i];
    if (socket == waker_) continue;
    Registration* r = table_.Find(socket);
    if (r == nullptr || !InSnapshot(*r)) {
      counters_.stale++;
      continue;
    }
    if ((r->own & kFoundMask) == 0) ready_.Put(socket);
    r->own |= kEvents[set];
  }
}

// What was found of one, made ready for the next harvest.
uint32_t Select::EventsOf(Registration* r) {
  uint32_t events = static_cast<uint32_t>(r->own & kFoundMask);
  r->own &= ~kFoundMask;
  if (r->own & kNotConnected) {
    if (IsConnected(r->fd)) {
      r->own = 0;
    } else if (events & kPriority) {
      events |= kReadable | kWritable;  // the connection failed
      events &= ~static_cast<uint32_t>(kPriority);
    }
  }
  return events & r->interest;
}

int Select::Harvest(Record* records, uint32_t capacity) {
  if (capacity < prepared_) return -EINVAL;
  table_.BeginBatch();
  const int result = found_result_;
  found_result_ = 0;
  if (result == 0) return 0;
  if (result == -EBADF) {
    const uint32_t closed = HarvestClosed(records);
    Identity ignored;
    // Somebody closed the waker itself: said, not looped on.
    return closed == 0 && Identity::Of(waker_, &ignored) < 0 ? -EBADF : static_cast<int>(closed);
  }
  ready_.Clear();
  Gather(kRead);
  Gather(kWrite);
  Gather(kExcept);
  const uint32_t count = ready_.count();
  const uint32_t start = count > prepared_ ? start_ % count : 0;
  uint32_t written = 0;
  for (uint32_t i = 0; i < count; i++) {
    Registration* r = table_.Find(ready_[(start + i) % count]);
    const uint32_t events = EventsOf(r);
    // What finds no room is level triggered, so the next select finds it again.
    if (events == 0 || written == prepared_) continue;
    if (r->mode == Mode::kOneshot) r->armed = false;
    table_.Wrote(r, written);
    records[written++] = Record{r->key, events};
  }
  start_ = start + written;
  return static_cast<int>(written);
}

// Reports every watched number that is not a socket any more, once: from then on it is out of the
// set, until it is deleted or added anew.
uint32_t Select::HarvestClosed(Record* records) {
  uint32_t written = 0;
  table_.ForEach([&](Registration* r) {
    Identity ignored;
    if (!InSnapshot(*r) || written == prepared_ || Identity::Of(r->fd, &ignored) == 0) return;
    r->in_kernel = false;
    table_.Wrote(r, written);
    records[written++] = Record{r->key, (r->interest & (kReadable | kWritable)) | kError};
  });
  return written;
}

void Select::Wake() {
  const char one = 1;
  // WSAEWOULDBLOCK: the buffer is full, so it is readable already.
  send(waker_, &one, 1, 0);
}

}  // namespace
}  // namespace pollux

POLLUX_BACKEND(Select)
