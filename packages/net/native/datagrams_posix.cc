// Datagrams: many received into one slab, many sent from one, in as few system calls as there are
// sockets.
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "compat_posix.h"
#include "net.h"

namespace pollux::net {
namespace {

// Messages of one system call: what the stack holds without pain. More gain little (the cost of the
// call itself is spread over 64 already).
constexpr int kBatch = 64;
constexpr int kRecordWords = 4;
constexpr int kJobWords = 4;

int Min(int64_t a, int64_t b) { return static_cast<int>(a < b ? a : b); }

// How many things of `each` units fit, as an int.
int Fitting(size_t size, size_t each) {
  const size_t fitting = size / each;
  return fitting > INT32_MAX ? INT32_MAX : static_cast<int>(fitting);
}

// Points a message at memory for one datagram and its address.
void Fill(Message* message, iovec* vector, uint8_t* data, size_t length, uint8_t* slot,
          socklen_t slot_length) {
  *vector = {data, length};
  *message = {};
  message->msg_hdr.msg_iov = vector;
  message->msg_hdr.msg_iovlen = 1;
  message->msg_hdr.msg_name = slot;
  message->msg_hdr.msg_namelen = slot_length;
}

void Record(Words records, int at, int index, int64_t offset, int length, int flags) {
  int32_t* record = records.data + static_cast<size_t>(at) * kRecordWords;
  record[0] = index;
  record[1] = static_cast<int32_t>(offset);
  record[2] = length;
  record[3] = flags;
}

// One job, copied and checked.
struct Job {
  int fd;
  uint8_t* data;
  size_t length;
  uint8_t* slot;
  socklen_t slot_length;
  bool valid;
};

Job ReadJob(Words jobs, int at, Bytes slab, Bytes peers) {
  int32_t words[kJobWords];
  memcpy(words, jobs.data + static_cast<size_t>(at) * kJobWords, sizeof words);
  const int64_t offset = words[1];
  const int64_t length = words[2];
  const int64_t peer = words[3];
  Job job{words[0], nullptr, 0, nullptr, 0, false};
  if (offset < 0 || length < 0 || static_cast<uint64_t>(offset + length) > slab.size) return job;
  job.data = slab.data + offset;
  job.length = static_cast<size_t>(length);
  if (peer != -1) {
    job.slot = peer < 0 ? nullptr : SlotAt(peers, peer * static_cast<int64_t>(kSlotSize));
    if (job.slot == nullptr) return job;
    job.slot_length = SlotLength(job.slot);
    if (job.slot_length == 0) return job;
  }
  job.valid = true;
  return job;
}

// Whether a job before this one found its socket full.
bool IsFull(Words jobs, Words results, int before, int fd) {
  for (int i = before - 1; i >= 0; i--) {
    if (IsAgain(results.data[i]) && jobs.data[static_cast<size_t>(i) * kJobWords] == fd)
      return true;
  }
  return false;
}

}  // namespace

int Receive(OwnedFds* owned, Words fds, int count, int per_fd, Bytes slab, int slot_size,
            Words records, Bytes peers) {
  if (count < 0 || static_cast<size_t>(count) > fds.size || per_fd <= 0 || slot_size <= 0) {
    return -EINVAL;
  }
  if (slab.size > INT32_MAX) slab.size = INT32_MAX;  // an offset is an int32
  int room = Fitting(slab.size, static_cast<size_t>(slot_size));
  room = Min(room, Fitting(records.size, kRecordWords));
  room = Min(room, Fitting(peers.size, kSlotSize));

  Message messages[kBatch];
  iovec vectors[kBatch];
  int written = 0;
  for (int index = 0; index < count && written < room; index++) {
    const int fd = fds.data[index];
    if (!owned->Has(fd)) {
      Record(records, written++, index, 0, -EBADF, 0);
      continue;
    }
    int left = Min(per_fd, room - written);
    while (left > 0) {
      const int asked = Min(left, kBatch);
      for (int i = 0; i < asked; i++) {
        const size_t at = static_cast<size_t>(written + i);
        Fill(&messages[i], &vectors[i], slab.data + at * static_cast<size_t>(slot_size),
             static_cast<size_t>(slot_size), peers.data + at * kSlotSize, kSlotRoom);
      }
      const int received = ReceiveBatch(fd, messages, static_cast<unsigned int>(asked));
      if (received < 0) {
        if (!IsAgain(received)) Record(records, written++, index, 0, received, 0);
        break;
      }
      for (int i = 0; i < received; i++, written++) {
        const msghdr& header = messages[i].msg_hdr;
        SetSlotLength(peers.data + static_cast<size_t>(written) * kSlotSize, header.msg_namelen);
        Record(records, written, index, static_cast<int64_t>(written) * slot_size,
               static_cast<int>(messages[i].msg_len),
               (header.msg_flags & MSG_TRUNC) != 0 ? kTruncated : 0);
      }
      left -= received;
      if (received < asked) break;
    }
  }
  return written;
}

int Send(OwnedFds* owned, Words jobs, int count, Bytes slab, Bytes peers, Words results) {
  if (count < 0 || count > Fitting(jobs.size, kJobWords) ||
      static_cast<size_t>(count) > results.size) {
    return -EINVAL;
  }
  Message messages[kBatch];
  iovec vectors[kBatch];
  int at = 0;
  bool any_full = false;
  while (at < count) {
    Job job = ReadJob(jobs, at, slab, peers);
    const int fd = job.fd;
    int refusal = 0;
    if (!job.valid) {
      refusal = -EINVAL;
    } else if (!owned->Has(fd)) {
      refusal = -EBADF;
    } else if (any_full && IsFull(jobs, results, at, fd)) {
      refusal = -EAGAIN;
    }
    if (refusal != 0) {
      results.data[at++] = refusal;
      continue;
    }

    int size = 0;
    do {
      Fill(&messages[size], &vectors[size], job.data, job.length, job.slot, job.slot_length);
      size++;
      if (size == kBatch || at + size == count) break;
      job = ReadJob(jobs, at + size, slab, peers);
    } while (job.valid && job.fd == fd);

    // If it stops short, the next round begins with the one that failed and learns why.
    const int sent = SendBatch(fd, messages, static_cast<unsigned int>(size));
    if (sent <= 0) {
      any_full = any_full || IsAgain(sent);
      results.data[at++] = sent < 0 ? sent : -EIO;
      continue;
    }
    for (int i = 0; i < sent; i++) {
      results.data[at++] = static_cast<int32_t>(messages[i].msg_len);
    }
  }
  return count;
}

}  // namespace pollux::net
