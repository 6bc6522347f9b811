// Datagrams: many received into one slab, many sent from one, in as few system calls as there are
// sockets.
#include <errno.h>
#include <string.h>

#include "compat.h"
#include "control.h"
#include "net.h"

namespace pollux::net {
namespace {

// Messages of one system call: what the stack holds without pain. More gain little (the cost of the
// call itself is spread over 64 already).
constexpr int kBatch = 64;
constexpr int kRecordWords = 6;
constexpr int kJobWords = 6;
constexpr int kFlagsWord = 4;

// Pieces of memory of one system call to send: those of several joined messages.
constexpr int kVectors = 256;
// Datagrams that the kernel takes as one: UDP_MAX_SEGMENTS, 64 from Linux 4.18, 128 later; and all
// of them are no longer than one may be, which IPv4 says (udp(7)).
constexpr int kMaxJoined = 64;
constexpr size_t kMaxJoinedBytes = 65507;

int Min(int64_t a, int64_t b) { return static_cast<int>(a < b ? a : b); }

// How many things of `each` units fit, as an int.
int Fitting(size_t size, size_t each) {
  const size_t fitting = size / each;
  return fitting > INT32_MAX ? INT32_MAX : static_cast<int>(fitting);
}

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
  message = {};
  message.msg_hdr.msg_iov = &incoming->vectors[i];
  message.msg_hdr.msg_iovlen = 1;
  message.msg_hdr.msg_name = slot;
  message.msg_hdr.msg_namelen = kSlotRoom;
  message.msg_hdr.msg_control = incoming->control[i].bytes;
  message.msg_hdr.msg_controllen = sizeof incoming->control[i].bytes;
}

struct Found {
  int index;
  int64_t offset;
  int length;
  int flags;
  int segment;
  int interface_index;
};

void Record(Words records, int at, const Found& found) {
  int32_t* record = records.data + static_cast<size_t>(at) * kRecordWords;
  record[0] = found.index;
  record[1] = static_cast<int32_t>(found.offset);
  record[2] = found.length;
  record[3] = found.flags;
  record[4] = found.segment;
  record[5] = found.interface_index;
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
  socklen_t slot_length;
  const uint8_t* local;
  bool joins;
  bool valid;
};

// The slot of that number; false if there is no address in it. -1 is none, and fine.
bool TakePeer(Bytes peers, int64_t number, uint8_t** slot, socklen_t* length) {
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
  job.joins = words[kFlagsWord] == kJoins;
  uint8_t* local = nullptr;
  socklen_t local_length = 0;
  job.valid = TakePeer(peers, words[3], &job.slot, &job.slot_length) &&
              TakePeer(peers, words[5], &local, &local_length);
  job.local = local;
  return job;
}

// What one system call sends: messages of one socket, each of one job or of several joined ones.
class Outgoing {
 public:
  int size() const { return size_; }
  int jobs_of(int message) const { return counts_[message]; }
  Message* messages() { return messages_; }

  void Clear() { size_ = vector_count_ = 0; }

  // False if there is no room for it.
  bool Add(const Job& job, bool may_join) {
    if (may_join && size_ > 0 && Join(job)) return true;
    if (size_ == kBatch || vector_count_ == kVectors) return false;
    Message& message = messages_[size_];
    Vector& vector = vectors_[vector_count_++];
    vector = MakeVector(job.data, job.length);
    message = {};
    message.msg_hdr.msg_iov = &vector;
    message.msg_hdr.msg_iovlen = 1;
    message.msg_hdr.msg_name = job.slot;
    message.msg_hdr.msg_namelen = job.slot_length;
    if (job.local != nullptr) SetSource(&message.msg_hdr, &control_[size_], job.local);
    counts_[size_++] = 1;
    if (!may_join) return true;
    last_ = job;
    segment_ = total_ = job.length;
    closed_ = !job.joins || job.length == 0;
    return true;
  }

 private:
  // Into the last message, if it goes with what is in there.
  bool Join(const Job& job) {
    const int at = size_ - 1;
    if (closed_ || !job.joins || job.slot != last_.slot || job.local != last_.local) return false;
    if (job.length == 0 || job.length > segment_ || counts_[at] == kMaxJoined ||
        total_ + job.length > kMaxJoinedBytes) {
      return false;
    }
    Vector& vector = vectors_[vector_count_ - 1];
    if (static_cast<uint8_t*>(vector.iov_base) + vector.iov_len == job.data) {
      vector.iov_len += job.length;
    } else if (vector_count_ == kVectors) {
      return false;
    } else {
      vectors_[vector_count_++] = MakeVector(job.data, job.length);
      messages_[at].msg_hdr.msg_iovlen++;
    }
    if (counts_[at]++ == 1) {
      if (!SetSegment(&messages_[at].msg_hdr, &control_[at], static_cast<uint16_t>(segment_))) {
        // Not here: what was begun is undone.
        counts_[at]--;
        if (messages_[at].msg_hdr.msg_iovlen == 1) {
          vector.iov_len -= job.length;
        } else {
          messages_[at].msg_hdr.msg_iovlen--;
          vector_count_--;
        }
        closed_ = true;
        return false;
      }
    }
    total_ += job.length;
    closed_ = job.length < segment_;  // the last one
    return true;
  }

  Message messages_[kBatch];
  Vector vectors_[kVectors];
  ControlRoom control_[kBatch];
  int counts_[kBatch];
  int size_ = 0;
  int vector_count_ = 0;
  // Of the last message.
  Job last_{};
  size_t segment_ = 0;
  size_t total_ = 0;
  bool closed_ = true;
};

// Why several datagrams are not taken as one, when each alone may be: no checksum offload (EIO),
// longer than the path takes (EINVAL, EMSGSIZE since 6.14), no UDP_SEGMENT.
bool RefusesJoin(int result) {
  return result == -EIO || result == -EINVAL || result == -EMSGSIZE || result == -ENOPROTOOPT ||
         result == -EOPNOTSUPP;
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
            Words records, Bytes peers, Bytes locals) {
  if (count < 0 || static_cast<size_t>(count) > fds.size || per_fd <= 0 || slot_size <= 0) {
    return -EINVAL;
  }
  if (slab.size > INT32_MAX) slab.size = INT32_MAX;  // an offset is an int32
  int room = Fitting(slab.size, static_cast<size_t>(slot_size));
  room = Min(room, Fitting(records.size, kRecordWords));
  room = Min(room, Fitting(peers.size, kSlotSize));
  room = Min(room, Fitting(locals.size, kSlotSize));

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
      const int received = ReceiveBatch(fd, incoming.messages, static_cast<unsigned int>(asked));
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
  Outgoing outgoing;
  int at = 0;
  bool any_full = false;
  // The jobs before this one were refused as one, and why; they are sent one by one.
  int apart_until = 0;
  int apart_first = 0;
  int refused_join = 0;
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

    outgoing.Clear();
    int end = at;
    while (outgoing.Add(job, end >= apart_until)) {
      if (++end == count) break;
      job = ReadJob(jobs, end, slab, peers);
      if (!job.valid || job.fd != fd) break;
    }

    // If it stops short, the next round begins with the one that failed and learns why.
    const int size = outgoing.size();
    const int sent = SendBatch(fd, outgoing.messages(), static_cast<unsigned int>(size));
    if (sent <= 0) {
      if (outgoing.jobs_of(0) > 1 && RefusesJoin(sent)) {
        apart_first = at;
        apart_until = at + outgoing.jobs_of(0);
        refused_join = sent;
        continue;
      }
      any_full = any_full || IsAgain(sent);
      results.data[at++] = sent < 0 ? sent : -EIO;
      continue;
    }
    // That the first of them is taken alone shows that it was the joining.
    if (refused_join != 0 && at == apart_first) {
      jobs.data[static_cast<size_t>(at) * kJobWords + kFlagsWord] = refused_join;
    }
    refused_join = 0;
    for (int i = 0; i < sent; i++) {
      const int32_t* job_words = jobs.data + static_cast<size_t>(at) * kJobWords;
      const int joined = outgoing.jobs_of(i);
      for (int k = 0; k < joined; k++, at++) {
        results.data[at] = joined == 1 ? static_cast<int32_t>(outgoing.messages()[i].msg_len)
                                       : job_words[static_cast<size_t>(k) * kJobWords + 2];
      }
    }
  }
  return count;
}

}  // namespace pollux::net
