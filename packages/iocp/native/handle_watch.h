// Events, processes, threads and timers on a completion port: a thread of the system's pool waits
// for the object and posts a packet. (A wait completion packet would do without that thread, but
// NtAssociateWaitCompletionPacket is in no header, and Wine has none.)
#pragma once

#include <stdint.h>

#include "pollux/windows.h"

namespace pollux {

// One object. It is the JavaScript thread's, but that the pool's posts its address.
struct HandleWatch {
  HANDLE handle;
  HANDLE port;
  ULONG_PTR packet_key;
  HANDLE wait = nullptr;
  volatile LONG posted = 0;  // written by the pool's thread, ahead of the packet
  uint32_t key = 0;
  bool pending = false;    // it waits, or its packet is on its way
  bool forgotten = false;  // the packet will be dropped
  uint32_t batch = 0;      // as in Registration
  uint32_t record = 0;
  HandleWatch* next = nullptr;
};

class HandleWatches {
 public:
  HandleWatches() = default;
  HandleWatches(const HandleWatches&) = delete;
  HandleWatches& operator=(const HandleWatches&) = delete;
  ~HandleWatches() { Clear(); }

  // 0; -EEXIST, -EBADF (no handle, or none that can be waited for), -ENOMEM.
  int Watch(HANDLE port, ULONG_PTR packet_key, HANDLE handle, uint32_t key);
  HandleWatch* Find(HANDLE handle);
  // No packet of it is reported after this.
  void Forget(HandleWatch* watch);
  // A packet of it came out of the port. False: it was forgotten, and is gone now.
  bool Came(HandleWatch* watch);
  // Ends all waits; to be called when the port yields nothing any more.
  void Clear();

 private:
  void Drop(HandleWatch* watch);

  HandleWatch* first_ = nullptr;
};

}  // namespace pollux
