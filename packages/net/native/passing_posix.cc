// Descriptors as ancillary data (SCM_RIGHTS, unix(7)): sent with the first byte of a message, taken
// over when it is read.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "compat_posix.h"
#include "unix.h"

namespace pollux::net {
namespace {

constexpr int kRecordWords = 6;
constexpr size_t kLeastRoom = 4096;  // a slab with less is as good as full

// Beside the descriptors an adopted socket may have been told to deliver credentials, a security
// label or a time; with no room for those, descriptors would be cut off.
constexpr size_t kControlRoom = CMSG_SPACE(kMaxFds * sizeof(int)) + 512;

#ifdef MSG_CMSG_CLOEXEC
constexpr int kReceiveFlags = MSG_CMSG_CLOEXEC;
#else
constexpr int kReceiveFlags = 0;
#endif

struct Arrivals {
  Words out;
  size_t used = 0;
  bool HasRoom() const { return out.size - used >= kMaxFds; }
};

// Takes over what came with a message: how many, and kFdsLost.
int TakeFds(OwnedFds* owned, msghdr* header, Arrivals* arrivals) {
  const size_t before = arrivals->used;
  bool lost = (header->msg_flags & MSG_CTRUNC) != 0;
  for (cmsghdr* part = CMSG_FIRSTHDR(header); part != nullptr; part = CMSG_NXTHDR(header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
      int fd;
      memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
      if (kReceiveFlags == 0) fcntl(fd, F_SETFD, FD_CLOEXEC);
      if (arrivals->used == arrivals->out.size || !owned->Add(fd)) {
        close(fd);
        lost = true;
        continue;
      }
      arrivals->out.data[arrivals->used++] = fd;
    }
  }
  return static_cast<int>(arrivals->used - before) + (lost ? kFdsLost : 0);
}

// Receives one message into a vector; what it carries goes to `arrivals`. Without those there is no
// room for descriptors, and the kernel drops them.
int64_t ReceiveOne(OwnedFds* owned, int fd, msghdr* header, Arrivals* arrivals, int32_t* passed) {
  alignas(cmsghdr) uint8_t control[kControlRoom];
  int64_t length;
  do {
    header->msg_control = arrivals == nullptr ? nullptr : control;
    header->msg_controllen = arrivals == nullptr ? 0 : sizeof control;
    length = recvmsg(fd, header, kReceiveFlags | kNoWait);
  } while (length < 0 && errno == EINTR);
  *passed = 0;
  if (length < 0) return -errno;
  if (arrivals == nullptr) return length;
  *passed = TakeFds(owned, header, arrivals);
  header->msg_control = nullptr;
  return length;
}

}  // namespace

int SendFds(OwnedFds* owned, int fd, Bytes data, int offset, int length, Words fds, int count,
            Bytes peer) {
  if (offset < 0 || length < 0 || count < 0 || count > kMaxFds ||
      static_cast<size_t>(offset) + static_cast<size_t>(length) > data.size ||
      static_cast<size_t>(count) > fds.size) {
    return -EINVAL;
  }
  if (!owned->Has(fd)) return -EBADF;

  iovec vector{data.data + offset, static_cast<size_t>(length)};
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;

  sockaddr_storage address{};
  if (peer.size > 0) {
    const uint8_t* slot = SlotAt(peer, 0);
    if (slot == nullptr || SlotLength(slot) == 0) return -EINVAL;
    memcpy(&address, slot, SlotLength(slot));
    header.msg_name = &address;
    header.msg_namelen = SlotLength(slot);
  }

  alignas(cmsghdr) uint8_t control[CMSG_SPACE(kMaxFds * sizeof(int))] = {};
  if (count > 0) {
    const size_t bytes = static_cast<size_t>(count) * sizeof(int);
    header.msg_control = control;
    header.msg_controllen = static_cast<decltype(header.msg_controllen)>(CMSG_SPACE(bytes));
    cmsghdr* part = CMSG_FIRSTHDR(&header);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = static_cast<decltype(part->cmsg_len)>(CMSG_LEN(bytes));
    for (int i = 0; i < count; i++) {
      const int passed = fds.data[i];
      if (!owned->Has(passed)) return -EBADF;
      memcpy(CMSG_DATA(part) + static_cast<size_t>(i) * sizeof passed, &passed, sizeof passed);
    }
  }

  ssize_t sent;
  do {
    sent = sendmsg(fd, &header, kNoSignal | kNoWait);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) return static_cast<int>(sent);
  // The user's descriptors on their way are too many (unix(7)): like a buffer that is full, this
  // passes. Not every runtime has a name for it.
  return errno == ETOOMANYREFS ? -ENOBUFS : -errno;
}

int ReadFds(OwnedFds* owned, Words fds, int count, int most, Bytes slab, Words results,
            Words passed, Words arrived) {
  if (count < 0 || static_cast<size_t>(count) > fds.size || most <= 0 ||
      static_cast<size_t>(count) > results.size / 2 || static_cast<size_t>(count) > passed.size ||
      arrived.size < kMaxFds) {
    return -EINVAL;
  }
  if (slab.size > INT32_MAX) slab.size = INT32_MAX;  // an offset is an int32
  Arrivals arrivals{arrived};
  size_t used = 0;
  for (int index = 0; index < count; index++) {
    const int fd = fds.data[index];
    size_t room = slab.size - used;
    if (index > 0 && room < kLeastRoom && room < static_cast<size_t>(most)) return index;
    if (!arrivals.HasRoom()) return index;
    if (room > static_cast<size_t>(most)) room = static_cast<size_t>(most);
    int32_t taken = 0;
    int64_t length = -EAGAIN;
    if (!owned->Has(fd)) {
      length = -EBADF;
    } else if (room > 0) {
      iovec vector{slab.data + used, room};
      msghdr header{};
      header.msg_iov = &vector;
      header.msg_iovlen = 1;
      length = ReceiveOne(owned, fd, &header, &arrivals, &taken);
    }
    passed.data[index] = taken;
    results.data[2 * index] = static_cast<int32_t>(used);
    results.data[2 * index + 1] = static_cast<int32_t>(length);
    if (length > 0) used += static_cast<size_t>(length);
  }
  return count;
}

int ReceiveFds(OwnedFds* owned, Words fds, int count, int per_fd, Bytes slab, int slot_size,
               Words records, Bytes peers, Words passed, Words arrived) {
  if (count < 0 || static_cast<size_t>(count) > fds.size || per_fd <= 0 || slot_size <= 0 ||
      arrived.size < kMaxFds) {
    return -EINVAL;
  }
  if (slab.size > INT32_MAX) slab.size = INT32_MAX;
  const size_t slot = static_cast<size_t>(slot_size);
  const size_t fits[] = {records.size / kRecordWords, slab.size / slot, peers.size / kSlotSize};
  size_t room = passed.size;
  for (const size_t each : fits) room = room < each ? room : each;
  Arrivals arrivals{arrived};
  size_t written = 0;
  for (int index = 0; index < count && written < room; index++) {
    const bool takes = fds.data[index] < 0;
    const int fd = takes ? ~fds.data[index] : fds.data[index];
    const bool open = owned->Has(fd);
    for (int tries = 0; tries < per_fd && written < room; tries++) {
      if (!arrivals.HasRoom()) return static_cast<int>(written);
      uint8_t* peer = peers.data + written * kSlotSize;
      sockaddr_storage address{};
      iovec vector{slab.data + written * slot, slot};
      msghdr header{};
      header.msg_iov = &vector;
      header.msg_iovlen = 1;
      header.msg_name = &address;
      header.msg_namelen = sizeof address;
      int32_t taken = 0;
      int64_t length = -EBADF;
      if (open) length = ReceiveOne(owned, fd, &header, takes ? &arrivals : nullptr, &taken);
      if (IsAgain(static_cast<int>(length))) break;
      memset(peer, 0, kSlotSize);
      if (length >= 0) {
        const uint32_t size = header.msg_namelen < kSlotRoom ? header.msg_namelen : kSlotRoom;
        memcpy(peer, &address, size);
        SetSlotLength(peer, size);
      }
      int32_t* record = records.data + written * kRecordWords;
      record[0] = index;
      record[1] = length < 0 ? 0 : static_cast<int32_t>(written * slot);
      record[2] = static_cast<int32_t>(length);
      record[3] = length >= 0 && (header.msg_flags & MSG_TRUNC) != 0 ? kTruncated : 0;
      record[4] = 0;
      record[5] = 0;
      passed.data[written++] = taken;
      if (length < 0) break;
    }
  }
  return static_cast<int>(written);
}

}  // namespace pollux::net
