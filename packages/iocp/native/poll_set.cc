// See poll_set.h.
#include "poll_set.h"

#include <errno.h>

#include <new>

namespace pollux {
namespace {

// Sockets per handle of the driver. The cost of a cancel grows with what a handle carries
// (trio#1280); wepoll and mio use 32 too.
constexpr uint32_t kGroupSize = 32;
constexpr uint32_t kCloseWaitMs = 10;
constexpr uint32_t kPackets = 64;

}  // namespace

bool PolledSocket::PollGoesOn() const {
  return *const_cast<const volatile NTSTATUS*>(&status.Status) == kStatusPending;
}

bool PolledSocket::ToldOfEnd() const {
  return *const_cast<const volatile NTSTATUS*>(&status.Status) == 0 && poll.handle_count > 0 &&
         (poll.handles[0].events & kAfdLocalClose) != 0;
}

int PollSet::Open(HANDLE port) {
  port_ = port;
  return RoomyGroup() == nullptr ? -ENOSYS : 0;
}

void PollSet::Close(const OVERLAPPED_ENTRY* taken, uint32_t taken_count) {
  for (PolledSocket* socket = sockets_; socket != nullptr; socket = socket->next) {
    if (socket->pending != 0) CancelPoll(socket->group->device, &socket->status);
  }
  for (uint32_t i = 0; i < taken_count; i++) {
    if (taken[i].lpCompletionKey != kPollKey) continue;
    reinterpret_cast<PolledSocket*>(taken[i].lpOverlapped)->pending = 0;
  }
  uint32_t outstanding = 0;
  for (PolledSocket* socket = sockets_; socket != nullptr; socket = socket->next) {
    if (socket->pending != 0) outstanding++;
  }
  Await(outstanding);
  for (PolledSocket* socket = sockets_; socket != nullptr;) {
    PolledSocket* next = socket->next;
    if (socket->pending == 0) delete socket;
    socket = next;
  }
  sockets_ = first_queued_ = last_queued_ = nullptr;
  queued_ = 0;
  for (Group* group = groups_; group != nullptr;) {
    Group* next = group->next;
    CloseHandle(group->device);
    delete group;
    group = next;
  }
  groups_ = nullptr;
  port_ = nullptr;
}

// The driver writes to a socket until its packet has come. What it does not answer for in a second
// is leaked, which is better than freed.
void PollSet::Await(uint32_t outstanding) {
  for (uint32_t tries = 0; outstanding > 0 && tries < 1000 / kCloseWaitMs;) {
    OVERLAPPED_ENTRY entries[kPackets];
    ULONG count = 0;
    if (!GetQueuedCompletionStatusEx(port_, entries, kPackets, &count, kCloseWaitMs, FALSE)) {
      tries++;
      continue;
    }
    for (ULONG i = 0; i < count; i++) {
      if (entries[i].lpCompletionKey != kPollKey) continue;
      reinterpret_cast<PolledSocket*>(entries[i].lpOverlapped)->pending = 0;
      outstanding--;
    }
  }
}

// The first is the one with room, or all are full.
Group* PollSet::RoomyGroup() {
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

PolledSocket* PollSet::Make(Fd fd, SOCKET base) {
  Group* group = RoomyGroup();
  auto* socket = group == nullptr ? nullptr : new (std::nothrow) PolledSocket{};
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

void PollSet::Release(PolledSocket* socket) {
  if (!socket->orphan || socket->pending != 0 || socket->queued) return;
  socket->group->used--;
  *socket->link = socket->next;
  if (socket->next != nullptr) socket->next->link = socket->link;
  delete socket;
}

void PollSet::Abandon(PolledSocket* socket) {
  if (socket->pending != 0 && !socket->cancelled) {
    socket->cancelled = true;
    CancelPoll(socket->group->device, &socket->status);
  }
  socket->orphan = true;
  Release(socket);
}

int PollSet::Arm(PolledSocket* socket, ULONG wanted, uint64_t cycle, uint64_t generation) {
  if (socket->pending != 0) {
    if ((wanted & ~socket->pending) != 0 && !socket->cancelled) {
      socket->cancelled = true;
      CancelPoll(socket->group->device, &socket->status);
    }
    return 0;
  }
  const int result = StartPoll(socket->group->device, &socket->poll, &socket->status, socket,
                               socket->base, wanted);
  if (result < 0) return result;
  socket->pending = wanted;
  socket->cancelled = false;
  socket->cycle = cycle;
  socket->generation = generation;
  return 0;
}

void PollSet::Ended(PolledSocket* socket) {
  socket->pending = 0;
  socket->cancelled = false;
}

void PollSet::Queue(PolledSocket* socket) {
  if (socket->queued) return;
  socket->queued = true;
  socket->next_queued = nullptr;
  (last_queued_ == nullptr ? first_queued_ : last_queued_->next_queued) = socket;
  last_queued_ = socket;
  queued_++;
}

PolledSocket* PollSet::Dequeue() {
  PolledSocket* socket = first_queued_;
  first_queued_ = socket->next_queued;
  if (first_queued_ == nullptr) last_queued_ = nullptr;
  socket->queued = false;
  queued_--;
  return socket;
}

}  // namespace pollux
