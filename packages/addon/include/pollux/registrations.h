// The table of what is registered: descriptor to key, interest, generation.
//
// It belongs to the JavaScript thread. It is a hash table with open addressing
// whose hash is the descriptor itself: descriptors on POSIX are small and dense,
// so a look-up is one probe, as in an array, but a single descriptor of 19,999
// does not cost an array of 20,000. Entries move when room is reserved or others
// are erased: keep no pointer across such a call.
#pragma once

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pollux/backend.h"
#include "pollux/identity.h"

namespace pollux {

struct Registration {
  Fd fd;
  // Never 0 in use, so 0 marks a free place in the table. Rises with every add
  // and modify of this poller: an event that carries an older one is stale. Its
  // lower half is never 0 either, for primitives that carry no more than that.
  uint64_t generation;
  uint32_t key;
  uint32_t interest;
  Mode mode;
  bool exclusive;
  bool armed;         // false: a oneshot that has fired
  bool in_kernel;     // a member of the kernel's set
  bool moved;         // while that set is made anew: the old one still knew it
  uint8_t filters;    // kqueue: which of its filters the kernel has for it
  uint32_t batch;     // the harvest that last wrote a record for it ...
  uint32_t record;    // ... and which record that was
  Identity identity;  // which open file this was, where the backend asked
  uintptr_t own;      // the backend's, for what it keeps beside this

  Ask ask() const { return Ask{interest, mode, exclusive}; }
};

class Registrations {
 public:
  Registrations() = default;
  Registrations(const Registrations&) = delete;
  Registrations& operator=(const Registrations&) = delete;
  ~Registrations() { free(places_); }

  Registration* Find(Fd fd) {
    if (count_ == 0) return nullptr;
    for (uint32_t i = Home(fd);; i = Next(i)) {
      if (places_[i].generation == 0) return nullptr;
      if (places_[i].fd == fd) return &places_[i];
    }
  }

  // Makes sure that one Insert cannot fail. False: out of memory.
  bool Reserve() { return (count_ + 1) * 2 <= capacity_ || Grow(); }

  // A number for the next registration; drawn first, since the kernel is told of
  // it before the table is.
  uint64_t NextGeneration() {
    if (static_cast<uint32_t>(++generation_) == 0) generation_++;
    return generation_;
  }

  // After Reserve, for a descriptor that is not in the table.
  Registration* Insert(Fd fd, uint64_t generation, Ask ask, uint32_t key) {
    Registration* place = Place(fd);
    *place = Registration{};
    place->fd = fd;
    count_++;
    Set(place, generation, ask, key);
    return place;
  }

  // A modification is a new generation too: what was found before it is stale.
  // Nothing is lost by that, for every primitive looks at the descriptor's state
  // when it is armed anew.
  static void Set(Registration* r, uint64_t generation, Ask ask, uint32_t key) {
    r->generation = generation;
    r->key = key;
    r->interest = ask.interest;
    r->mode = ask.mode;
    r->exclusive = ask.exclusive;
    r->armed = ask.interest != 0;
  }

  void Erase(Registration* r) {
    // Backward shift: what follows and is not at home moves up, so that no
    // tombstones are needed.
    uint32_t hole = static_cast<uint32_t>(r - places_);
    for (uint32_t i = Next(hole); places_[i].generation != 0; i = Next(i)) {
      const uint32_t home = Home(places_[i].fd);
      if (((i - home) & mask()) >= ((i - hole) & mask())) {
        places_[hole] = places_[i];
        hole = i;
      }
    }
    places_[hole].generation = 0;
    count_--;
  }

  uint32_t size() const { return count_; }
  uint64_t last_generation() const { return generation_; }

  template <typename Visit>
  void ForEach(Visit visit) {
    for (uint32_t i = 0; i < capacity_; i++) {
      if (places_[i].generation != 0) visit(&places_[i]);
    }
  }

  // Harvest calls BeginBatch once and Wrote for each record; the changing verbs
  // call VoidRecord to learn which record of the batch they made void.
  void BeginBatch() { batch_++; }
  void Wrote(Registration* r, uint32_t record) {
    r->batch = batch_;
    r->record = record;
  }
  int VoidRecord(const Registration* r) const {
    return r->batch == batch_ && batch_ != 0 ? static_cast<int>(r->record) + 1 : 0;
  }

 private:
  uint32_t mask() const { return capacity_ - 1; }
  uint32_t Home(Fd fd) const { return static_cast<uint32_t>(fd) & mask(); }
  uint32_t Next(uint32_t i) const { return (i + 1) & mask(); }

  Registration* Place(Fd fd) {
    uint32_t i = Home(fd);
    while (places_[i].generation != 0) i = Next(i);
    return &places_[i];
  }

  bool Grow() {
    const uint32_t capacity = capacity_ == 0 ? 64 : capacity_ * 2;
    if (capacity == 0) return false;
    auto* places = static_cast<Registration*>(calloc(capacity, sizeof(Registration)));
    if (places == nullptr) return false;
    Registration* old = places_;
    const uint32_t old_capacity = capacity_;
    places_ = places;
    capacity_ = capacity;
    for (uint32_t i = 0; i < old_capacity; i++) {
      if (old[i].generation != 0) *Place(old[i].fd) = old[i];
    }
    free(old);
    return true;
  }

  Registration* places_ = nullptr;
  uint32_t capacity_ = 0;
  uint32_t count_ = 0;
  uint64_t generation_ = 0;
  uint32_t batch_ = 0;
};

}  // namespace pollux
