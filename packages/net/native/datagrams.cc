// Datagrams: many received into one slab, many sent from one, in as few system calls as there are
// sockets.
#include <errno.h>
#include <string.h>

#include "compat.h"
#include "control.h"
#include "receiving.h"
#include "slots.h"

namespace pollux::net {
namespace {

// Messages of one system call: what the stack holds without pain. More gain little (the cost of the
// call itself is spread over 64 already).
constexpr int kBatch = 64;
constexpr int kJobWords = 6;

// What one system call receives into.
struct Incoming {
  Message messages[kBatch];
  Vector vectors[kBatch];
  ControlRoom control[kBatch];
};

// Points message i at memory for one datagram, its address and what is told beside them.
void Expect(Incoming* incoming, int i, uint8_t* data, size_t length, uint8_t* slot) {
  incoming->vectors[i] = MakeVector(data, length);
  Message& message = incoming->messages[i];
  message = {MessageOf(&incoming->vectors[i]), 0};
  message.msg_hdr.msg_name = slot;
  message.msg_hdr.msg_namelen = kSlotRoom;
  message.msg_hdr.msg_control = incoming->control[i].bytes;
  message.msg_hdr.msg_controllen = sizeof incoming->control[i].bytes;
}

// The length of a sender's address that the kernel wrote into a slot.
void FinishSlot(uint8_t* slot, uint32_t length) {
  // Slots are compared by words: the rest of the last one would be what was there before.
  if (length < kSlotRoom) memset(slot + length, 0, -length & 3);
  SetSlotLength(slot, length);
}

// One job, copied and checked.
struct Job {
  int fd;
  uint8_t* data;
  size_t length;
  uint8_t* slot;
  uint32_t slot_length;
  const uint8_t* local;
  uint16_t segment;
  bool valid;
};

// The slot of that number; false if there is no address in it. -1 is none, and fine.
bool TakePeer(Bytes peers, int64_t number, uint8_t** slot, uint32_t* length) {
  *slot = nullptr;
  *length = 0;
  if (number == -1) return true;
  if (number < 0) return false;
  *slot = SlotAt(peers, number * static_cast<int64_t>(kSlotSize));
  if (*slot != nullptr) *length = SlotLength(*slot);
  return *length > 0;
}

Job ReadJob(Words jobs, int at, Bytes slab, Bytes peers) {
  int32_t words[kJobWords];
  memcpy(words, jobs.data + static_cast<size_t>(at) * kJobWords, sizeof words);
  const int64_t offset = words[1];
  const int64_t length = words[2];
  Job job{};
  job.fd = words[0];
  if (offset < 0 || length < 0 || static_cast<uint64_t>(offset + length) > slab.size) return job;
  job.data = slab.data + offset;
  job.length = static_cast<size_t>(length);
  if (words[4] < 0 || words[4] > UINT16_MAX) return job;
  job.segment = static_cast<uint16_t>(words[4]);
  uint8_t* local = nullptr;
  uint32_t local_length = 0;
  job.valid = TakePeer(peers, words[3], &job.slot, &job.slot_length) &&
              TakePeer(peers, words[5], &local, &local_length);
  job.local = local;
  return job;
}

// What one system call sends: jobs of one socket, a message each.
class Outgoing {
 public:
  int size() const { return size_; }
  Message* messages() { return messages_; }

  void Clear() { size_ = 0; }

  // False if there is no room for it.
  bool Add(const Job& job) {
    if (size_ == kBatch) return false;
    Message& message = messages_[size_];
    vectors_[size_] = MakeVector(job.data, job.length);
    message = {MessageOf(&vectors_[size_]), 0};
    message.msg_hdr.msg_name = job.slot;
    message.msg_hdr.msg_namelen = job.slot_length;
    if (job.local != nullptr) SetSource(&message.msg_hdr, &control_[size_], job.local);
    if (job.segment > 0) SetSegment(&message.msg_hdr, &control_[size_], job.segment);
    size_++;
    return true;
  }

 private:
  Message messages_[kBatch];
  Vector vectors_[kBatch];
  ControlRoom control_[kBatch];
  int size_ = 0;
};

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
            Words records, Bytes peers, Bytes locals) {
  if (!fds.Holds(count) || per_fd <= 0 || slot_size <= 0) return -EINVAL;
  const int room =
      Min(RecordRoom(records, slab, slot_size, peers), Fitting(locals.size, kSlotSize));

  Incoming incoming;
  int written = 0;
  for (int index = 0; index < count && written < room; index++) {
    const int fd = fds.data[index];
    if (!owned->Has(fd)) {
      Record(records, written++, {index, 0, -EBADF, 0, 0, 0});
      continue;
    }
    int left = Min(per_fd, room - written);
    while (left > 0) {
      const int asked = Min(left, kBatch);
      for (int i = 0; i < asked; i++) {
        const size_t at = static_cast<size_t>(written + i);
        Expect(&incoming, i, slab.data + at * static_cast<size_t>(slot_size),
               static_cast<size_t>(slot_size), peers.data + at * kSlotSize);
      }
      int failure = 0;
      const int received =
          ReceiveBatch(fd, incoming.messages, static_cast<unsigned int>(asked), &failure);
      if (received < 0) {
        if (!IsAgain(received)) Record(records, written++, {index, 0, received, 0, 0, 0});
        break;
      }
      for (int i = 0; i < received; i++, written++) {
        msghdr& header = incoming.messages[i].msg_hdr;
        FinishSlot(peers.data + static_cast<size_t>(written) * kSlotSize,
                   static_cast<uint32_t>(header.msg_namelen));
        Found found{index,
                    static_cast<int64_t>(written) * slot_size,
                    static_cast<int>(incoming.messages[i].msg_len),
                    (header.msg_flags & MSG_TRUNC) != 0 ? kTruncated : 0,
                    0,
                    0};
        if (header.msg_controllen > 0) {
          uint8_t* local = locals.data + static_cast<size_t>(written) * kSlotSize;
          const Control control = ReadControl(&header, local);
          found.segment = control.segment;
          found.interface_index = control.interface_index;
          if (control.has_local) found.flags |= kHasLocal;
        }
        Record(records, written, found);
      }
      // There is room for it: fewer were received than were asked for.
      if (failure != 0) Record(records, written++, {index, 0, failure, 0, 0, 0});
      left -= received;
      if (received < asked) break;
    }
  }
  return written;
}

int Send(OwnedFds* owned, Words jobs, int first, int count, Bytes slab, Bytes peers,
         Words results) {
  if (first < 0 || count < first || !jobs.Holds(count, kJobWords) || !results.Holds(count)) {
    return -EINVAL;
  }
  Outgoing outgoing;
  int at = first;
  bool any_full = first > 0;
  while (at < count) {
    Job job = ReadJob(jobs, at, slab, peers);
    const int fd = job.fd;
    const bool is_train = job.segment > 0;
    int refusal = 0;
    if (!job.valid) {
      refusal = -EINVAL;
    } else if (!owned->Has(fd)) {
      refusal = -EBADF;
    } else if (any_full && IsFull(jobs, results, at, fd)) {
      refusal = -EAGAIN;
    } else if (is_train && !kHasSegments) {
      results.data[at] = -EOPNOTSUPP;
      return at + 1;
    }
    if (refusal != 0) {
      results.data[at++] = refusal;
      continue;
    }

    outgoing.Clear();
    int end = at;
    while (outgoing.Add(job)) {
      if (++end == count) break;
      job = ReadJob(jobs, end, slab, peers);
      if (!job.valid || job.fd != fd) break;
    }

    // If it stops short, the next round begins with the one that failed and learns why.
    const int size = outgoing.size();
    const int sent = SendBatch(fd, outgoing.messages(), static_cast<unsigned int>(size));
    if (sent <= 0) {
      results.data[at++] = sent < 0 ? sent : -EIO;
      if (IsAgain(sent)) {
        any_full = true;
      } else if (is_train) {
        return at;
      }
      continue;
    }
    for (int i = 0; i < sent; i++) {
      results.data[at++] = static_cast<int32_t>(outgoing.messages()[i].msg_len);
    }
  }
  return count;
}

}  // namespace pollux::net
