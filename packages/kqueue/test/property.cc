// Random operations on the kqueue backend, with the kqueue model below it and poll(2) as the
// oracle: registrations, traffic, ends, closed and reused numbers, in every mode.
//
//   property [operations] [seed]
//
// After each wait: a level or armed oneshot registration is reported if and only if poll(2) calls
// its descriptor ready for what was asked; an edge is reported if something has arrived since,
// and not if nothing has happened; a paused, deleted, closed or reused one never; nobody twice.
// Some waits have room for a few records only: what they leave is told by a later one.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <initializer_list>
#include <new>

#include "pollux/backend.h"

using namespace pollux;  // NOLINT: a program of one file

namespace {

constexpr int kSlots = 16;
constexpr uint32_t kRoom = 64;
constexpr int kLow = 20;  // the numbers of the slots, from here on
constexpr int kHigh = 100;

uint64_t state;
uint32_t Below(uint32_t n) {  // xorshift64*
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return static_cast<uint32_t>((state * 2685821657736338717ull) >> 33) % n;
}

long step = 0;
uint64_t seed;
[[noreturn]] void Fail(const char* what, int slot, long a, long b) {
  fprintf(stderr, "seed %llu, step %ld, slot %d: %s (%ld, %ld)\n",
          static_cast<unsigned long long>(seed), step, slot, what, a, b);
  abort();
}

enum class Kind { kReadEnd, kWriteEnd, kSocket };

struct Slot {
  Kind kind;
  int fd = -1;    // watched; the number stays when the file is another
  int peer = -1;  // -1: closed
  bool open = false;
  bool registered = false;
  bool stale = false;  // the number was closed since it was registered
  uint32_t interest = 0;
  Mode mode = Mode::kLevel;
  bool armed = false;
  uint32_t key = 0;
  uint32_t must = 0;  // edges that have to come, if poll(2) agrees
  uint32_t may = 0;   // and that are allowed to
};

Backend* backend;
Slot slots[kSlots];
bool ringing = false;  // a wake-up that no wait has told yet
uint32_t last_key = 0;
long records_seen = 0;

void Ends(Slot& slot) {
  int ends[2];
  slot.kind = static_cast<Kind>(Below(3));
  if (slot.kind == Kind::kSocket) {
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) abort();
  } else if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) {
    abort();
  }
  const int near = slot.kind == Kind::kWriteEnd ? 1 : 0;
  // The far end out of the way, for a closed number of ours shall stay free; the near one
  // under the number that the slot has had all along, so that numbers are reused.
  slot.peer = fcntl(ends[1 - near], F_DUPFD_CLOEXEC, kHigh);
  const int moved = fcntl(ends[near], F_DUPFD_CLOEXEC, kHigh);
  close(ends[0]);
  close(ends[1]);
  if (slot.peer < 0 || dup3(moved, slot.fd, O_CLOEXEC) < 0) abort();
  close(moved);
  slot.open = true;
}

// What poll(2) says of it, in the bits of the contract.
uint32_t Oracle(const Slot& slot, uint32_t* hints) {
  pollfd asked{slot.fd, POLLIN | POLLOUT | POLLRDHUP, 0};
  if (poll(&asked, 1, 0) < 0) abort();
  const int seen = asked.revents;
  uint32_t ready = 0;
  if (seen & (POLLIN | POLLRDHUP | POLLHUP | POLLERR)) ready |= kReadable;
  if (seen & (POLLOUT | POLLHUP | POLLERR)) ready |= kWritable;
  *hints = 0;
  if (seen & (POLLHUP | POLLERR)) *hints |= kError | kHangup;
  if (seen & POLLRDHUP) *hints |= kReadClosed;
  return ready;
}

// A pipe's end has one direction; what is said of the other means nothing.
uint32_t Directions(const Slot& slot) {
  switch (slot.kind) {
    case Kind::kReadEnd:
      return kReadable;
    case Kind::kWriteEnd:
      return kWritable;
    case Kind::kSocket:
      return kReadable | kWritable;
  }
  return 0;
}

Ask Wish() { return Ask{Below(4), static_cast<Mode>(Below(3)), false}; }

void Registered(Slot& slot, Ask ask, uint32_t key) {
  slot.registered = true;
  slot.stale = false;
  slot.interest = ask.interest;
  slot.mode = ask.mode;
  slot.armed = true;
  slot.key = key;
  slot.must = slot.may = ask.interest;
}

void Add(int n, Slot& slot) {
  const Ask ask = Wish();
  const uint32_t key = ++last_key;
  const int result = backend->Add(slot.fd, ask, key);
  if (!slot.open) {
    if (result != -EBADF) Fail("add of a closed number", n, result, -EBADF);
  } else if (slot.registered && !slot.stale) {
    if (result != -EEXIST) Fail("add of a registered one", n, result, -EEXIST);
    slot.may = slot.interest;  // some kernels look again, and say an edge again
  } else {
    if (result < 0) Fail("add", n, result, 0);
    Registered(slot, ask, key);
  }
}

void Modify(int n, Slot& slot) {
  const Ask ask = Wish();
  const uint32_t key = ++last_key;
  const int result = backend->Modify(slot.fd, ask, key);
  if (!slot.registered) {
    if (result != -ENOENT) Fail("modify of an unknown one", n, result, -ENOENT);
  } else if (!slot.open) {
    if (result != -ENOENT && result != -EBADF) Fail("modify of a closed one", n, result, 0);
  } else if (slot.stale) {
    if (result != -ENOENT) Fail("modify of a reused number", n, result, -ENOENT);
  } else {
    if (result < 0) Fail("modify", n, result, 0);
    Registered(slot, ask, key);
  }
}

void Delete(int n, Slot& slot) {
  const int result = backend->Delete(slot.fd);
  if (slot.registered ? result < 0 : result != -ENOENT) Fail("delete", n, result, 0);
  slot.registered = slot.stale = false;
}

void CanWatch(int n, Slot& slot) {
  const int result = backend->CanWatch(slot.fd);
  if (result != (slot.open ? 0 : -EBADF)) Fail("canWatch", n, result, slot.open);
}

void PeerWrites(int, Slot& slot) {
  if (slot.peer < 0 || slot.kind == Kind::kWriteEnd) return;
  if (send(slot.peer, "x", 1, MSG_NOSIGNAL) == 1 || write(slot.peer, "x", 1) == 1) {
    slot.must |= kReadable;
    slot.may |= kReadable;
  }
}

void Drain(int fd) {
  char bytes[65536];
  while (fd >= 0 && read(fd, bytes, sizeof bytes) > 0) {
  }
}

void PeerReads(int, Slot& slot) {
  Drain(slot.peer);
  slot.may |= kWritable;
}

void Reads(int, Slot& slot) {
  if (slot.open) Drain(slot.fd);
}

void Fills(int, Slot& slot) {
  if (!slot.open || slot.kind == Kind::kReadEnd) return;
  static const char bytes[4096] = {};
  while (slot.kind == Kind::kSocket ? send(slot.fd, bytes, sizeof bytes, MSG_NOSIGNAL) > 0
                                    : write(slot.fd, bytes, sizeof bytes) > 0) {
  }
}

void Shutdown(int, Slot& slot) {
  if (slot.kind != Kind::kSocket || Below(4) != 0) return;
  const bool own = Below(2) == 0;
  if (own ? slot.open : slot.peer >= 0) shutdown(own ? slot.fd : slot.peer, SHUT_WR);
  if (!own && slot.peer >= 0) slot.must |= kReadable;
  slot.may = kReadable | kWritable;
}

void PeerCloses(int, Slot& slot) {
  if (slot.peer < 0 || Below(4) != 0) return;
  close(slot.peer);
  slot.peer = -1;
  // The last end of a pipe is an edge of the one direction that the other end has.
  slot.must |= Directions(slot);
  slot.may = kReadable | kWritable;
}

void Close(int, Slot& slot) {
  if (!slot.open || Below(2) != 0) return;
  // With a duplicate, the file lives on under another number.
  const int duplicate = Below(2) == 0 ? fcntl(slot.fd, F_DUPFD_CLOEXEC, kHigh) : -1;
  close(slot.fd);
  slot.open = false;
  slot.stale = slot.registered;
  static int kept[8] = {-1, -1, -1, -1, -1, -1, -1, -1};
  int& place = kept[Below(8)];
  if (place >= 0) close(place);
  place = duplicate;
}

void Reopen(int, Slot& slot) {
  if (slot.peer >= 0 && Below(4) != 0) return;
  if (slot.peer >= 0) close(slot.peer);
  slot.stale = slot.registered;
  Ends(slot);  // dup3 closes what the number was
}

void Wait(int, Slot&) {
  static Record records[kRoom];
  uint32_t said[kSlots] = {};
  const uint32_t room = Below(3) == 0 ? 1 + Below(4) : kRoom;
  if (backend->Prepare(room) != 0) abort();
  bool woken = false;
  if (Below(8) == 0) {
    backend->Wake();
    ringing = true;
  }
  const int found = backend->Block(0, &woken);
  if (found < 0) Fail("block", -1, found, 0);
  // As much as there was room for: there may be more.
  const bool cut = static_cast<uint32_t>(found) + (woken ? 1 : 0) >= room;
  if (woken ? !ringing : ringing && !cut) Fail("wake", -1, woken, ringing);
  if (woken) ringing = false;
  const int count = found > 0 ? backend->Harvest(records, kRoom) : 0;
  for (int i = 0; i < count; i++) {
    int n = 0;
    while (n < kSlots && (!slots[n].registered || slots[n].key != records[i].key)) n++;
    if (n == kSlots) Fail("a record of nobody", -1, records[i].key, records[i].events);
    if (said[n] != 0) Fail("told twice", n, said[n], records[i].events);
    if (slots[n].stale) Fail("told of another's file", n, records[i].events, 0);
    said[n] = records[i].events;
    records_seen++;
  }
  for (int n = 0; n < kSlots; n++) {
    Slot& slot = slots[n];
    if (!slot.registered || slot.stale) continue;
    uint32_t hints;
    const uint32_t ready = Oracle(slot, &hints);
    const uint32_t directions = Directions(slot);
    uint32_t may = ready & slot.interest;
    uint32_t must = may & directions;
    if (!slot.armed) may = must = 0;
    if (slot.mode == Mode::kEdge) {
      must &= slot.must;
      // An end is told of in both directions, whichever it came by.
      if (!(hints & (kError | kHangup))) may &= slot.may;
      if (slot.may == 0) may = 0;
      if (cut) {
        slot.must &= ~said[n];
      } else {
        slot.must = slot.may = 0;
      }
    }
    if (!cut && (said[n] & must) != must) Fail("lost", n, said[n], must);
    const uint32_t allowed = may == 0 ? 0 : may | hints;
    if (said[n] & ~allowed) Fail("invented", n, said[n], allowed);
    if (said[n] != 0 && slot.mode == Mode::kOneshot) slot.armed = false;
  }
}

using Operation = void (*)(int, Slot&);
constexpr Operation kOperations[] = {
    Add,   Add,   Modify, Modify,   Delete,     CanWatch, PeerWrites, PeerWrites, PeerReads,
    Reads, Reads, Fills,  Shutdown, PeerCloses, Close,    Reopen,     Wait,       Wait,
};

}  // namespace

int main(int argc, char** argv) {
  const long operations = argc > 1 ? atol(argv[1]) : 200000;
  seed = argc > 2 ? strtoull(argv[2], nullptr, 10) : 20261121;
  state = seed * 2 + 1;
  signal(SIGPIPE, SIG_IGN);
  backend = CreateBackend();
  if (backend == nullptr || backend->Open() != 0) abort();
  for (int n = 0; n < kSlots; n++) {
    slots[n].fd = kLow + n;
    Ends(slots[n]);
  }
  for (step = 0; step < operations; step++) {
    const uint32_t n = Below(kSlots);
    kOperations[Below(sizeof kOperations / sizeof *kOperations)](static_cast<int>(n), slots[n]);
  }
  backend->Close();
  delete backend;
  printf("%ld operations, %ld records\n", operations, records_seen);
  return 0;
}
