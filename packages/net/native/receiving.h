// What the ways of receiving have in common, with descriptors (passing_posix.cc) and without: how a
// slab is filled, and how it is told what lies where.
#pragma once

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "net.h"

namespace pollux::net {

constexpr size_t kLeastRoom = 4096;  // a slab with less is as good as full
constexpr int64_t kNoMoreRoom = INT64_MIN;

// Reads streams as `Read` says, by receive(index, fd, data, room): a length, a negative errno, or
// kNoMoreRoom, which ends it.
template <typename Receive>
int ReadEach(const OwnedFds& owned, Words fds, int count, int most, Bytes slab, Words results,
             Receive receive) {
  if (!fds.Holds(count) || !results.Holds(count, 2) || most <= 0) return -EINVAL;
  const size_t largest = static_cast<size_t>(most);
  if (slab.size > INT32_MAX) slab.size = INT32_MAX;  // an offset is an int32
  size_t used = 0;
  for (int index = 0; index < count; index++) {
    const int fd = fds.data[index];
    size_t room = slab.size - used;
    if (index > 0 && room < kLeastRoom && room < largest) return index;
    if (room > largest) room = largest;
    int64_t length = -EAGAIN;
    if (!owned.Has(fd)) {
      length = -EBADF;
    } else if (room > 0) {
      length = receive(index, fd, slab.data + used, room);
    }
    if (length == kNoMoreRoom) return index;
    results.data[2 * index] = static_cast<int32_t>(used);
    results.data[2 * index + 1] = static_cast<int32_t>(length);
    if (length > 0) used += static_cast<size_t>(length);
  }
  return count;
}

// A record of `Receive`.
constexpr int kRecordWords = 6;
struct Found {
  int index;
  int64_t offset;
  int length;
  int flags;
  int segment;
  int interface_index;
};

inline void Record(Words records, int at, const Found& found) {
  int32_t* record = records.data + static_cast<size_t>(at) * kRecordWords;
  record[0] = found.index;
  record[1] = static_cast<int32_t>(found.offset);
  record[2] = found.length;
  record[3] = found.flags;
  record[4] = found.segment;
  record[5] = found.interface_index;
}

inline int Min(int64_t a, int64_t b) { return static_cast<int>(a < b ? a : b); }

// How many things of `each` units fit, as an int.
inline int Fitting(size_t size, size_t each) {
  const size_t fitting = size / each;
  return fitting > INT32_MAX ? INT32_MAX : static_cast<int>(fitting);
}

// How many datagrams there is room for, and for what is told of them.
inline int RecordRoom(Words records, Bytes slab, int slot_size, Bytes peers) {
  if (slab.size > INT32_MAX) slab.size = INT32_MAX;  // an offset is an int32
  const int told = Min(Fitting(records.size, kRecordWords), Fitting(peers.size, kSlotSize));
  return Min(told, Fitting(slab.size, static_cast<size_t>(slot_size)));
}

}  // namespace pollux::net
