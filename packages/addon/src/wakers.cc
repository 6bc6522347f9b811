// A sorted array under a lock. Notify holds the lock while it rings, so that
// UnregisterWaker, called before a backend closes, leaves nobody ringing.
#include "pollux/wakers.h"

#include <stdlib.h>
#include <string.h>

#include "pollux/thread.h"
#include "pollux/wakeup.h"

namespace pollux {
namespace {

struct Entry {
  uint32_t id;
  Backend* backend;
  Wakeup* wakeup;
};

Mutex mutex;
Entry* entries = nullptr;
uint32_t count = 0;
uint32_t capacity = 0;
uint32_t last_id = 0;

// Ids only rise and are appended, so the array is sorted.
Entry* Find(uint32_t id) {
  uint32_t low = 0, high = count;
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    if (entries[middle].id == id) return &entries[middle];
    if (entries[middle].id < id) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return nullptr;
}

}  // namespace

uint32_t RegisterWaker(Backend* backend, Wakeup* wakeup) {
  Lock lock(mutex);
  // The methods of the class return an int.
  if (last_id == INT32_MAX) return 0;
  if (count == capacity) {
    const uint32_t larger = capacity == 0 ? 16 : capacity * 2;
    auto* grown = static_cast<Entry*>(realloc(entries, larger * sizeof(Entry)));
    if (grown == nullptr) return 0;
    entries = grown;
    capacity = larger;
  }
  entries[count++] = Entry{++last_id, backend, wakeup};
  return last_id;
}

void UnregisterWaker(uint32_t id) {
  Lock lock(mutex);
  Entry* entry = Find(id);
  if (entry == nullptr) return;
  memmove(entry, entry + 1, static_cast<size_t>(entries + count - (entry + 1)) * sizeof(Entry));
  count--;
}

bool NotifyWaker(uint32_t id) {
  Lock lock(mutex);
  const Entry* entry = Find(id);
  if (entry == nullptr) return false;
  entry->wakeup->Raise(entry->backend, Wakeup::kNotify);
  return true;
}

}  // namespace pollux
