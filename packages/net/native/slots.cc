// See slots.h.
#include "slots.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

namespace pollux::net {

uint8_t* SlotAt(Bytes slots, int64_t offset) {
  if (offset < 0 || slots.size < kSlotSize) return nullptr;
  if (static_cast<uint64_t>(offset) > slots.size - kSlotSize) return nullptr;
  return slots.data + offset;
}

uint32_t SlotLength(const uint8_t* slot) {
  uint32_t length;
  memcpy(&length, slot + kSlotLengthAt, sizeof length);
  return length <= kSlotRoom ? length : 0;
}

void SetSlotLength(uint8_t* slot, uint32_t length) {
  if (length > kSlotRoom) length = kSlotRoom;  // the kernel tells the length it would have needed
  memcpy(slot + kSlotLengthAt, &length, sizeof length);
}

Address ReadSlot(const uint8_t* slot) {
  Address address;
  address.length = static_cast<socklen_t>(SlotLength(slot));
  memcpy(&address.storage, slot, address.size());
  return address;
}

int TakeSlot(Bytes slots, int64_t offset, Address* out) {
  const uint8_t* slot = SlotAt(slots, offset);
  if (slot == nullptr) return -EINVAL;
  *out = ReadSlot(slot);
  return out->length > 0 ? 0 : -EINVAL;
}

void PutSlot(uint8_t* slot, const void* address, size_t length) {
  if (length > kSlotRoom) length = kSlotRoom;
  memset(slot, 0, kSlotSize);
  memcpy(slot, address, length);
#ifdef SIN6_LEN
  // Where a sockaddr tells its length, the kernel always writes it, and a membership's (group_req)
  // is refused without; slots are compared, so they all have it.
  if (length > 0) slot[offsetof(sockaddr, sa_len)] = static_cast<uint8_t>(length);
#endif
  SetSlotLength(slot, static_cast<uint32_t>(length));
}

}  // namespace pollux::net
