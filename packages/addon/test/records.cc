// The records of a harvest: which of them a change makes void, and what happens when there is not
// room for all. An event that finds no room must come with a later wait, in every mode: a kernel
// that has disarmed a oneshot, or reported an edge, will not say it again.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "harness.h"

namespace pollux::harness {
namespace {

using Pairs = std::vector<std::unique_ptr<Pair>>;

Pairs MakePairs(int count) {
  Pairs pairs;
  for (int i = 0; i < count; i++) pairs.push_back(std::make_unique<Pair>());
  return pairs;
}

// With `ready` descriptors and room for `capacity`, counts how often each is reported until a wait
// comes back with nothing, or `waits` are over.
std::vector<int> Reports(int ready, uint32_t capacity, Mode mode, int waits) {
  Bench bench(capacity);
  const Pairs pairs = MakePairs(ready);
  for (int i = 0; i < ready; i++) {
    CHECK_EQ(bench.Add(pairs[i]->watched, kReadable, i, mode), 0);
    pairs[i]->Write();
  }
  std::vector<int> reports(ready);
  for (int wait = 0; wait < waits; wait++) {
    const int count = bench.Wait(kMoment);
    if (count == -ETIMEDOUT) return reports;
    CHECK(count > 0 && static_cast<uint32_t>(count) <= capacity);
    for (int i = 0; i < count; i++) {
      CHECK_EQ(bench.records[i].events, kReadable);
      reports[bench.records[i].key]++;
    }
  }
  return reports;
}

void EachOnce(Mode mode) {
  for (const uint32_t capacity : {1u, 2u, 5u, 16u, 17u}) {
    for (const int ready : {1, 2, 3, 5, 6, 16, 17, 40}) {
      for (const int times : Reports(ready, capacity, mode, 1000)) CHECK_EQ(times, 1);
    }
  }
}

}  // namespace

THEME(full_buffer_loses_no_oneshot) { EachOnce(Mode::kOneshot); }

THEME(full_buffer_loses_no_edge) {
  Bench bench;
  if (!bench.Has(kEdgeTriggered)) Skip("no edge mode here");
  EachOnce(Mode::kEdge);
}

THEME(full_buffer_starves_nobody) {
  for (const uint32_t capacity : {1u, 3u, 16u}) {
    constexpr int kReady = 50, kRounds = 20;
    const int waits = kReady * kRounds / static_cast<int>(capacity);
    const std::vector<int> reports = Reports(kReady, capacity, Mode::kLevel, waits);
    const auto [least, most] = std::minmax_element(reports.begin(), reports.end());
    CHECK(*least >= kRounds / 2);
    CHECK(*most <= kRounds * 2);
  }
}

// A notify comes through although every wait is full.
THEME(full_buffer_and_a_notify) {
  Bench bench(2);
  const Pairs pairs = MakePairs(10);
  for (int i = 0; i < 10; i++) {
    CHECK_EQ(bench.Add(pairs[i]->watched, kReadable, i), 0);
    pairs[i]->Write();
  }
  bench.engine.Notify();
  for (int wait = 0; wait < 12; wait++) {
    const int count = bench.Wait();  // the waker may take a place
    CHECK(count >= 0 && count <= 2);
  }
  for (const auto& pair : pairs) CHECK_DONE(bench.Delete(pair->watched));
  const int last = bench.Wait(kMoment);  // it ended one of the twelve, or ends this one
  CHECK(last == 0 || last == -ETIMEDOUT);
  bench.ExpectSilence();
  bench.engine.Notify();
  CHECK_EQ(bench.Wait(), 0);
}

THEME(changes_tell_the_void_record) {
  Bench bench;
  const Pairs pairs = MakePairs(6);
  for (int i = 0; i < 5; i++) {
    CHECK_EQ(bench.Add(pairs[i]->watched, kReadable, i), 0);
    if (i != 4) pairs[i]->Write();
  }
  CHECK_EQ(bench.Wait(), 4);
  for (int record = 0; record < 4; record++) {
    const uint32_t key = bench.records[record].key;
    const int fd = pairs[key]->watched;
    if (key == 0) {
      CHECK_EQ(bench.Delete(fd), record + 1);
      CHECK_EQ(bench.Delete(fd), -ENOENT);
      CHECK_EQ(bench.Add(fd, kReadable, key), 0);  // the new one has no record
      CHECK_EQ(bench.Modify(fd, kReadable, key), 0);
    } else if (key == 1) {
      CHECK_EQ(bench.Modify(fd, kReadable, key), record + 1);
    } else if (key == 2) {
      CHECK_EQ(bench.Add(fd, kReadable, 9), -EEXIST);
      CHECK_EQ(bench.Modify(fd, 0, key), record + 1);
      CHECK_EQ(bench.Modify(fd, kReadable, key), record + 1);
    } else {
      // Closed and reused: the add drops the old registration, and its record.
      CHECK_EQ(dup3(pairs[5]->watched, fd, O_CLOEXEC), fd);
      CHECK_EQ(bench.Add(fd, kReadable, key), record + 1);
      pairs[5]->Write();
    }
  }
  CHECK_EQ(bench.Delete(pairs[4]->watched), 0);  // was not ready
  CHECK_EQ(bench.Wait(), 4);
  // A harvest that does not hold it makes its old record nobody's.
  for (int i = 0; i < 3; i++) CHECK_EQ(pairs[i]->Drain(), 1);
  CHECK_EQ(bench.Wait(), 1);
  for (int i = 0; i < 3; i++) CHECK_EQ(bench.Delete(pairs[i]->watched), 0);
  CHECK_EQ(bench.Delete(pairs[3]->watched), 1);
}

// Registrations are compared by age; one that is much older than the others is still there.
THEME(an_old_registration_is_not_forgotten) {
  for (const uint32_t age : {1u << 30, 1u << 31, UINT32_MAX - 3}) {
    Bench bench;
    Pair old, other;
    CHECK_EQ(bench.Add(old.watched, kReadable, 1), 0);
    old.Write();
    AgeGenerations(bench.engine.backend(), age);
    for (int i = 0; i < 10; i++) {  // over the edge of 32 bits, too
      CHECK_EQ(bench.Add(other.watched, kReadable, 2), 0);
      bench.Expect(1, kReadable);
      CHECK_EQ(bench.Delete(other.watched), 0);
      CHECK_EQ(bench.Add(other.watched, kReadable, 3, Mode::kOneshot), 0);
      other.Write();
      CHECK_EQ(bench.Wait(), 2);
      CHECK(bench.Delete(other.watched) > 0);
      CHECK_EQ(other.Drain(), 1);
    }
    CHECK_EQ(bench.engine.backend()->counters().stale, 0);
  }
}

}  // namespace pollux::harness
