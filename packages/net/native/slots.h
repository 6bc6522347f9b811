// Slots, in which addresses travel (net.h), and the system's own form of them. A slot may lie at
// any address, so a sockaddr is copied in and out, never used in place.
#pragma once

#include "compat.h"
#include "net.h"

namespace pollux::net {

// What a slot holds, aligned as the system's headers want it.
struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
  size_t size() const { return static_cast<size_t>(length); }
  int family() const { return storage.ss_family; }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

// The slot at a byte offset, or null if it is not within the array.
uint8_t* SlotAt(Bytes slots, int64_t offset);
// The length of a slot's sockaddr, 0 if that is no sensible one.
uint32_t SlotLength(const uint8_t* slot);
void SetSlotLength(uint8_t* slot, uint32_t length);

// An empty address for an empty slot.
Address ReadSlot(const uint8_t* slot);
// -EINVAL if there is no slot, or none with an address.
int TakeSlot(Bytes slots, int64_t offset, Address* out);
// A sockaddr, and nothing behind it of what the slot held before. A length of 0 empties the slot.
void PutSlot(uint8_t* slot, const void* address, size_t length);

}  // namespace pollux::net
