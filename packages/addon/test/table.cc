// Registrations against a std::map: growth, backward-shift deletion, void records.
#include <map>

#include "harness.h"
#include "pollux/registrations.h"

namespace pollux::harness {
namespace {

struct Entry {
  uint32_t generation;
  uint32_t key;
  uint32_t batch;
  uint32_t record;
};

class Model {
 public:
  explicit Model(uint64_t stream) : random_(stream) {}

  // One random operation on one of the descriptors that `number` makes.
  template <typename Number>
  void Step(Number number) {
    const Fd fd = number(random_);
    const auto known = entries_.find(fd);
    Registration* found = table_.Find(fd);
    CHECK_EQ(found != nullptr, known != entries_.end());
    if (found != nullptr) CheckEntry(*found, fd, known->second);
    const uint32_t dice = random_.Below(100);
    const uint32_t key = random_.Below(UINT32_MAX);
    const Ask ask{dice & kInterestMask, Mode::kLevel, false};
    if (found == nullptr && dice < 70) {
      CHECK(table_.Reserve());
      const uint32_t generation = table_.NextGeneration();
      Registration* added = table_.Insert(fd, generation, ask, key);
      CHECK_EQ(table_.VoidRecord(added), 0);
      entries_[fd] = Entry{generation, key, 0, 0};
    } else if (found != nullptr && dice < erase_below_) {
      table_.Erase(found);
      entries_.erase(known);
      CHECK(table_.Find(fd) == nullptr);
    } else if (found != nullptr && dice < 80) {
      const uint32_t generation = table_.NextGeneration();
      Registrations::Set(found, generation, ask, key);
      known->second.generation = generation;
      known->second.key = key;
    } else if (found != nullptr && dice < 97) {
      table_.Wrote(found, written_);
      known->second.batch = batch_;
      known->second.record = written_++;
    } else if (dice >= 99) {
      table_.BeginBatch();
      batch_++;
      written_ = 0;
    }
    CHECK_EQ(table_.size(), entries_.size());
  }

  // Everything, in both directions; and from here on the table shrinks, or grows.
  void Compare(bool shrink) {
    size_t visited = 0;
    table_.ForEach([&](Registration* r) {
      const auto known = entries_.find(r->fd);
      CHECK(known != entries_.end());
      CheckEntry(*r, r->fd, known->second);
      visited++;
    });
    CHECK_EQ(visited, entries_.size());
    for (const auto& [fd, entry] : entries_) {
      const Registration* r = table_.Find(fd);
      CHECK(r != nullptr);
      CheckEntry(*r, fd, entry);
    }
    erase_below_ = shrink ? 75 : 20;
  }

 private:
  void CheckEntry(const Registration& r, Fd fd, const Entry& entry) {
    CHECK_EQ(r.fd, fd);
    CHECK_EQ(r.generation, entry.generation);
    CHECK_EQ(r.key, entry.key);
    const bool in_batch = entry.batch == batch_ && batch_ != 0;
    CHECK_EQ(table_.VoidRecord(&r), in_batch ? static_cast<int>(entry.record) + 1 : 0);
  }

  Random random_;
  Registrations table_;
  std::map<Fd, Entry> entries_;
  uint32_t batch_ = 0;
  uint32_t written_ = 0;
  uint32_t erase_below_ = 20;
};

template <typename Number>
void Exercise(uint64_t stream, Number number) {
  Model model(stream);
  const int steps = Scaled(50000);
  for (int i = 0; i < steps; i++) {
    model.Step(number);
    if (i % 2500 == 2499) model.Compare(i / 2500 % 2 != 0);
  }
}

}  // namespace

THEME(table_of_dense_numbers) {
  Exercise(1, [](Random& random) { return static_cast<Fd>(random.Below(1500)); });
}

// Multiples of the table's size and their neighbours: long runs that wrap around its end.
THEME(table_of_colliding_numbers) {
  Exercise(2, [](Random& random) {
    return static_cast<Fd>(random.Below(200) * 4096 + 4090 + random.Below(8));
  });
}

THEME(table_of_sparse_numbers) {
  Exercise(3, [](Random& random) { return static_cast<Fd>(random.Below(2000) * 1048573); });
}

// Few at a time: the table stays at its first size, so that every run touches every other.
THEME(table_of_few_numbers) {
  Exercise(4, [](Random& random) { return static_cast<Fd>(random.Below(32) * 61); });
}

}  // namespace pollux::harness
