// Streams: connections accepted, bytes read and written, for many descriptors in one call.
#include <errno.h>
#include <string.h>

#include "adopt.h"
#include "compat.h"
#include "receiving.h"
#include "slots.h"

namespace pollux::net {
namespace {

constexpr int kVectors = 64;  // of one sendmsg; POSIX promises 16, Linux takes 1024
constexpr int kSegmentWords = 4;
constexpr int32_t kInArena = -1;

// Where segments lie.
struct Sources {
  const Bytes& arena;
  const Chunks& chunks;
};

struct Segment {
  int fd;
  uint8_t* data;
  size_t length;
  bool valid;
};

Segment ReadSegment(Words segments, int at, const Sources& sources) {
  int32_t words[kSegmentWords];
  memcpy(words, segments.data + static_cast<size_t>(at) * kSegmentWords, sizeof words);
  Segment segment{words[0], nullptr, 0, false};
  const int64_t offset = words[2];
  const int64_t length = words[3];
  if (words[1] < kInArena) return segment;
  if (words[1] != kInArena && static_cast<size_t>(words[1]) >= sources.chunks.size) return segment;
  const Bytes& chunk = words[1] == kInArena ? sources.arena : sources.chunks.items[words[1]];
  if (offset < 0 || length < 0 || static_cast<uint64_t>(offset + length) > chunk.size) {
    return segment;
  }
  segment.data = chunk.data + offset;
  segment.length = static_cast<size_t>(length);
  segment.valid = true;
  return segment;
}

// Writes segments[from..to), all of one descriptor.
int WriteRun(int fd, Words segments, int from, int to, const Sources& sources) {
  int64_t total = 0;
  Vector vectors[kVectors];
  while (from < to) {
    int count = 0;
    int64_t asked = 0;
    for (; from < to && count < kVectors; from++, count++) {
      const Segment segment = ReadSegment(segments, from, sources);
      if (!segment.valid || segment.fd != fd) {
        if (total == 0 && count == 0) return -EINVAL;
        to = from;  // what comes before it is written
        break;
      }
      // A result is an int32, so the rest waits for the next call.
      if (total + asked + static_cast<int64_t>(segment.length) > INT32_MAX) {
        to = from;
        break;
      }
      vectors[count] = MakeVector(segment.data, segment.length);
      asked += static_cast<int64_t>(segment.length);
    }
    if (count == 0) break;
    const int64_t written = SendVectors(fd, vectors, count);
    // An error after some bytes is kept by the socket, and met by the next write.
    if (written < 0) return total > 0 ? static_cast<int>(total) : static_cast<int>(written);
    total += written;
    if (written < asked) break;
  }
  return static_cast<int>(total);
}

}  // namespace

int Accept(OwnedFds* owned, Words fds, int count, int per_fd, Words records, Bytes peers) {
  if (!fds.Holds(count) || per_fd <= 0) return -EINVAL;
  size_t room = records.size / 2;
  if (room > peers.size / kSlotSize) room = peers.size / kSlotSize;
  size_t written = 0;
  for (int index = 0; index < count && written < room; index++) {
    const int listener = fds.data[index];
    // It may have been taken back, and accept(2) has no flag like MSG_DONTWAIT.
    if (owned->Has(listener)) SetNonblocking(listener);
    for (int tries = 0; tries < per_fd && written < room; tries++) {
      sockaddr_storage address{};
      socklen_t length = sizeof address;
      int fd = -EBADF;
      if (owned->Has(listener)) {
        fd = AcceptConnection(listener, reinterpret_cast<sockaddr*>(&address), &length);
      }
      if (IsAgain(fd)) break;
      if (IsLostConnection(fd)) continue;
      fd = Keep(owned, fd);
      PutSlot(peers.data + written * kSlotSize, &address, fd < 0 ? 0 : static_cast<size_t>(length));
      records.data[2 * written] = index;
      records.data[2 * written + 1] = fd;
      written++;
      if (fd < 0) break;
    }
  }
  return static_cast<int>(written);
}

int Read(OwnedFds* owned, Words fds, int count, int most, Bytes slab, Words results) {
  return ReadEach(
      *owned, fds, count, most, slab, results,
      [](int, int fd, uint8_t* data, size_t room) { return ReceiveBytes(fd, data, room); });
}

int Write(OwnedFds* owned, Words segments, int count, Bytes arena, const Chunks& chunks,
          Words results) {
  if (!segments.Holds(count, kSegmentWords) || !results.Holds(count)) return -EINVAL;
  const Sources sources{arena, chunks};
  int runs = 0;
  for (int from = 0; from < count;) {
    const int fd = segments.data[static_cast<size_t>(from) * kSegmentWords];
    int to = from + 1;
    while (to < count && segments.data[static_cast<size_t>(to) * kSegmentWords] == fd) to++;
    results.data[runs++] = owned->Has(fd) ? WriteRun(fd, segments, from, to, sources) : -EBADF;
    from = to;
  }
  return runs;
}

}  // namespace pollux::net
