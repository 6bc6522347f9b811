// The sockets of a completion port, and for each at most one poll of the driver.
//
// A PolledSocket outlives its registration: it is where the driver writes, so it lives until the
// packet of its last poll has come. Those that are to be looked at before the next wait stand in a
// queue.
#pragma once

#include <stdint.h>

#include "afd.h"
#include "pollux/fd.h"

namespace pollux {

// The keys of packets: polls come under 0.
constexpr ULONG_PTR kPollKey = 0;

// A handle of the driver, and how many sockets it carries.
struct Group {
  HANDLE device;
  uint32_t used;
  Group* next;
};

struct PolledSocket {
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
  PolledSocket* next_queued;
  PolledSocket* next;
  PolledSocket** link;

  // While a poll is outstanding: whether it goes on, and whether it told of the socket's end. Both
  // are read from where the driver writes.
  bool PollGoesOn() const;
  bool ToldOfEnd() const;
};

class PollSet {
 public:
  PollSet() = default;
  PollSet(const PollSet&) = delete;
  PollSet& operator=(const PollSet&) = delete;

  // Learns, before the first socket, whether the driver's handles and the port go together: 0 or a
  // negative errno.
  int Open(HANDLE port);
  // Cancels all polls and waits for their packets, but for those that were taken out of the port.
  void Close(const OVERLAPPED_ENTRY* taken, uint32_t taken_count);

  // Null without memory.
  PolledSocket* Make(Fd fd, SOCKET base);
  // The registration is gone.
  void Abandon(PolledSocket* socket);
  // Frees what neither the driver nor the queue knows any more.
  void Release(PolledSocket* socket);

  // Sees to it that a poll is outstanding which asks for no less than is wanted, or will be once
  // the packet of the old one has come. 0 or a negative errno.
  int Arm(PolledSocket* socket, ULONG wanted, uint64_t cycle, uint64_t generation);
  // Its packet has come.
  void Ended(PolledSocket* socket);

  void Queue(PolledSocket* socket);
  // First come, first served; not to be called when there is none.
  PolledSocket* Dequeue();
  uint32_t queued() const { return queued_; }

 private:
  Group* RoomyGroup();
  void Await(uint32_t outstanding);

  HANDLE port_ = nullptr;
  Group* groups_ = nullptr;
  PolledSocket* sockets_ = nullptr;
  PolledSocket* first_queued_ = nullptr;
  PolledSocket* last_queued_ = nullptr;
  uint32_t queued_ = 0;
};

}  // namespace pollux
