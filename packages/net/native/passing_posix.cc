// Descriptors as ancillary data (SCM_RIGHTS, unix(7)): sent with the first byte of a message, taken
// over when it is read.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "compat_posix.h"
#include "receiving.h"
#include "slots.h"
#include "unix.h"

namespace pollux::net {
namespace {

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
  const auto* control = static_cast<const uint8_t*>(header->msg_control);
  const size_t before = arrivals->used;
  bool lost = (header->msg_flags & MSG_CTRUNC) != 0;
  for (cmsghdr* part = CMSG_FIRSTHDR(header); part != nullptr; part = CMSG_NXTHDR(header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    // Of what was cut off, Darwin still tells the whole length.
    const size_t at = static_cast<size_t>(CMSG_DATA(part) - control);
    size_t bytes = part->cmsg_len - CMSG_LEN(0);
    if (at + bytes > header->msg_controllen) bytes = header->msg_controllen - at;
    const size_t count = bytes / sizeof(int);
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
  const int64_t length = Uninterrupted([&] {
    header->msg_control = arrivals == nullptr ? nullptr : control;
    header->msg_controllen = arrivals == nullptr ? 0 : sizeof control;
    return recvmsg(fd, header, kReceiveFlags | kNoWait);
  });
  *passed = 0;
  if (length < 0 || arrivals == nullptr) return length;
  *passed = TakeFds(owned, header, arrivals);
  header->msg_control = nullptr;
  return length;
}

bool IsStream(int fd) {
  int type = 0;
  socklen_t length = sizeof type;
  return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_STREAM;
}

}  // namespace

int SendFds(OwnedFds* owned, int fd, Bytes data, int offset, int length, Words fds, int count,
            Bytes peer) {
  if (offset < 0 || length < 0 || count > kMaxFds || !fds.Holds(count) ||
      static_cast<size_t>(offset) + static_cast<size_t>(length) > data.size) {
    return -EINVAL;
  }
  if (!owned->Has(fd)) return -EBADF;

  iovec vector{data.data + offset, static_cast<size_t>(length)};
  msghdr header = MessageOf(&vector);

  Address address;
  if (peer.size > 0) {
    if (TakeSlot(peer, 0, &address) < 0) return -EINVAL;
    header.msg_name = &address.storage;
    header.msg_namelen = address.length;
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

  const int64_t sent = Uninterrupted([&] { return sendmsg(fd, &header, kNoSignal | kNoWait); });
  // The user's descriptors on their way are too many (unix(7)): like a buffer that is full, this
  // passes. Not every runtime has a name for it.
  if (sent == -ETOOMANYREFS) return -ENOBUFS;
  // No message is too long for a stream: so Darwin says that there is no room for the descriptors.
  if (sent == -EMSGSIZE && count > 0 && IsStream(fd)) return -ENOBUFS;
  return static_cast<int>(sent);
}

int ReadFds(OwnedFds* owned, Words fds, int count, int most, Bytes slab, Words results,
            Words passed, Words arrived) {
  if (!passed.Holds(count) || arrived.size < kMaxFds) return -EINVAL;
  for (int i = 0; i < count; i++) passed.data[i] = 0;
  Arrivals arrivals{arrived};
  return ReadEach(*owned, fds, count, most, slab, results,
                  [&](int index, int fd, uint8_t* data, size_t room) {
                    if (!arrivals.HasRoom()) return kNoMoreRoom;
                    iovec vector{data, room};
                    msghdr header = MessageOf(&vector);
                    return ReceiveOne(owned, fd, &header, &arrivals, &passed.data[index]);
                  });
}

int ReceiveFds(OwnedFds* owned, Words fds, int count, int per_fd, Bytes slab, int slot_size,
               Words records, Bytes peers, Words passed, Words arrived) {
  if (!fds.Holds(count) || per_fd <= 0 || slot_size <= 0 || arrived.size < kMaxFds) return -EINVAL;
  const int room = Min(RecordRoom(records, slab, slot_size, peers), Fitting(passed.size, 1));
  Arrivals arrivals{arrived};
  int written = 0;
  for (int index = 0; index < count && written < room; index++) {
    const bool takes = fds.data[index] < 0;
    const int fd = takes ? ~fds.data[index] : fds.data[index];
    const bool open = owned->Has(fd);
    for (int tries = 0; tries < per_fd && written < room; tries++) {
      if (!arrivals.HasRoom()) return written;
      const int64_t offset = static_cast<int64_t>(written) * slot_size;
      sockaddr_storage address{};
      iovec vector{slab.data + offset, static_cast<size_t>(slot_size)};
      msghdr header = MessageOf(&vector);
      header.msg_name = &address;
      header.msg_namelen = sizeof address;
      int32_t taken = 0;
      int64_t length = -EBADF;
      if (open) length = ReceiveOne(owned, fd, &header, takes ? &arrivals : nullptr, &taken);
      if (IsAgain(static_cast<int>(length))) break;
      PutSlot(peers.data + static_cast<size_t>(written) * kSlotSize, &address,
              length < 0 ? 0 : header.msg_namelen);
      const int flags = length >= 0 && (header.msg_flags & MSG_TRUNC) != 0 ? kTruncated : 0;
      Record(records, written,
             {index, length < 0 ? 0 : offset, static_cast<int>(length), flags, 0, 0});
      passed.data[written++] = taken;
      if (length < 0) break;
    }
  }
  return written;
}

}  // namespace pollux::net
