// The select backend on Winsock: the fallback where the driver under it cannot be asked directly.
//
// Winsock's fd_set is a count and an array of sockets, and its size is the caller's: FD_SETSIZE
// (64) bounds only the type, so the arrays here are our own, and each snapshot is made from the
// table. What it has in common with other primitives that have no memory is in pollux/stateless.h.
// The waker also keeps the sets from being empty, which Winsock refuses.
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
#include "pollux/stateless.h"
#include "pollux/wake_socket.h"
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

class Select final : public StatelessBackend<WakeSocket> {
 public:
  const char* Name() const override { return "select"; }
  uint32_t Capabilities() const override { return 0; }
  uint32_t ResolutionNs() const override { return 1000000; }

  ~Select() override { Close(); }
  int Open() override;
  void Close() override;
  int Prepare(uint32_t capacity) override;
  int Block(uint64_t timeout_ns, bool* woken) override;
  int Harvest(Record* records, uint32_t capacity) override;

 private:
  enum Set { kRead, kWrite, kExcept, kSets };

  // There is no list beside the table: Prepare makes the snapshot from it.
  bool Reserve(Fd) override { return true; }
  void Want(Registration* registration) override;
  void Unwant(Registration*) override {}
  uint32_t HarvestClosed(Record* records);
  void Gather(Set set);
  uint32_t EventsOf(Registration* registration);

  bool started_ = false;  // WSAStartup

  // The private buffer: Block's between Prepare and Harvest.
  SocketSet snapshot_[kSets];
  SocketSet found_[kSets];
  int found_result_ = 0;  // how many select found, less the waker, or -EBADF
  uint32_t prepared_ = 0;
  // While Harvest runs: who was found, each once.
  SocketSet ready_;
  // Where the last harvest ran out of room; the next begins there.
  uint32_t start_ = 0;
};

int Select::Open() {
  WSADATA data;
  if (WSAStartup(MAKEWORD(2, 2), &data) != 0) return -ENOSYS;
  started_ = true;
  const int result = waker_.Open();
  if (result < 0) Close();
  return result;
}

void Select::Close() {
  waker_.Close();
  if (started_) WSACleanup();
  started_ = false;
}

// A stream that is not connected may be a connection that fails, or one that listens.
void Select::Want(Registration* r) {
  r->own = r->identity.type == SOCK_STREAM && !IsConnected(r->fd) ? kNotConnected : 0;
}

int Select::Prepare(uint32_t capacity) {
  const uint32_t most = table_.size() + 1;
  for (int set = 0; set < kSets; set++) {
    if (!snapshot_[set].Grow(most) || !found_[set].Grow(most)) return -ENOMEM;
    snapshot_[set].Clear();
  }
  if (!ready_.Grow(most * kSets)) return -ENOMEM;
  snapshot_[kRead].Put(waker_.fd());
  table_.ForEach([&](Registration* r) {
    if (!r->in_kernel || !r->armed) return;
    if (r->interest & kReadable) snapshot_[kRead].Put(r->fd);
    if (r->interest & kWritable) snapshot_[kWrite].Put(r->fd);
    if ((r->interest & kPriority) || (r->own & kNotConnected)) snapshot_[kExcept].Put(r->fd);
  });
  prepared_ = capacity;
  MarkSnapshot();
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
        if (!waker_.Owns(found_[kRead][i])) continue;
        waker_.Silence();
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
    if (waker_.Owns(socket)) continue;
    Registration* r = Answered(socket);
    if (r == nullptr) continue;
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
    return closed == 0 && Identity::Of(waker_.fd(), &ignored) < 0 ? -EBADF
                                                                  : static_cast<int>(closed);
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
    Tell(r, events, records, &written);
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
    if (!InSnapshot(*r) || !r->armed || written == prepared_) return;
    if (Identity::Of(r->fd, &ignored) < 0) TellClosed(r, records, &written);
  });
  return written;
}

}  // namespace
}  // namespace pollux

POLLUX_BACKEND(Select)
