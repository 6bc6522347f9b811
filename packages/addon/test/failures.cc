// No memory, no descriptors: each failure is an errno, leaves nothing behind and changes nothing.
#include <fcntl.h>
#include <unistd.h>

#include "harness.h"

namespace pollux::harness {
namespace {

// Duplicates of a readable descriptor: low and high numbers, so that every table must grow.
std::vector<int> ManyReadable(Pair& pair) {
  pair.Write();
  std::vector<int> fds;
  for (int i = 0; i < 100; i++) {
    fds.push_back(fcntl(pair.watched, F_DUPFD_CLOEXEC, 30 + i * (i > 50 ? 8 : 1)));
    CHECK(fds.back() >= 0);
  }
  return fds;
}

}  // namespace

THEME(no_descriptors) {
  const int before = CountDescriptors();
  const int limit = RaiseDescriptorLimit();
  {
    Engine engine;
    for (int spare = 0; spare < 2; spare++) {
      SetDescriptorLimit(LowestFreeDescriptor() + spare);
      CHECK_EQ(engine.Open(), -EMFILE);
      CHECK(!engine.open());
      SetDescriptorLimit(limit);
      CHECK_EQ(CountDescriptors(), before);
    }
    CHECK_EQ(engine.Open(), 0);
    CHECK(CountDescriptors() == before + 2);
  }
  CHECK_EQ(CountDescriptors(), before);
}

THEME(no_memory) {
  RaiseDescriptorLimit();
  Pair pair;
  const std::vector<int> fds = ManyReadable(pair);
  const int before = CountDescriptors();
  bool failed = true;
  for (int successes = 0; failed; successes++) {
    CHECK(successes < 100);
    Engine engine;
    std::vector<Record> records(200);
    FailAllocationsAfter(successes);
    const int opened = engine.Open();
    CHECK(opened == 0 || opened == -ENOMEM);
    if (opened != 0) {
      LetAllocationsSucceed();
      CHECK(!engine.open());
      CHECK_EQ(CountDescriptors(), before);
      CHECK_EQ(engine.Open(), 0);
      FailAllocationsAfter(0);
    }
    std::vector<int> missing;
    for (const int fd : fds) {
      const int added = engine.Add(fd, Ask{kReadable, Mode::kLevel, false}, fd);
      CHECK(added == 0 || added == -ENOMEM);
      if (added == 0) continue;
      missing.push_back(fd);
      CHECK_EQ(engine.Modify(fd, Ask{kReadable, Mode::kLevel, false}, fd), -ENOENT);
      CHECK_EQ(engine.Delete(fd), -ENOENT);
    }
    const int waited = engine.Wait(0, records.data(), 200);
    CHECK(waited == -ENOMEM || waited == -ETIMEDOUT ||
          waited == static_cast<int>(fds.size() - missing.size()));
    failed = LetAllocationsSucceed();
    CHECK(missing.empty() || failed);
    for (const int fd : missing) {
      CHECK_EQ(engine.Add(fd, Ask{kReadable, Mode::kLevel, false}, fd), 0);
    }
    CHECK_EQ(engine.Wait(kSoon, records.data(), 200), fds.size());
    for (const int fd : fds) CHECK(engine.Delete(fd) > 0);
  }
  CHECK_EQ(CountDescriptors(), before);
  for (const int fd : fds) close(fd);
}

// A kernel without memory, at every step of what epoll does with its set.
THEME(no_kernel_memory) {
  const int before = CountDescriptors();
  Bench bench;
  if (!bench.Is("epoll")) Skip("nothing is kept in the kernel");
  Engine other;
  FailEpollAddsAfter(0);
  CHECK_EQ(other.Open(), -ENOMEM);
  Pair pair;
  CHECK_EQ(bench.Add(pair.watched, kReadable, 1), -ENOMEM);
  CHECK_EQ(bench.Add(pair.watched, 0, 1), -ENOMEM);
  CHECK_EQ(bench.engine.CanWatch(pair.watched), -ENOMEM);
  LetEpollAddsSucceed();
  CHECK_EQ(CountDescriptors(), before + 4);
  CHECK_EQ(bench.Delete(pair.watched), -ENOENT);
  CHECK_EQ(bench.Add(pair.watched, 0, 1), 0);
  FailEpollAddsAfter(0);
  CHECK_EQ(bench.Modify(pair.watched, kReadable, 1), -ENOMEM);
  LetEpollAddsSucceed();
  pair.Write();
  bench.ExpectSilence();
  CHECK_EQ(bench.Modify(pair.watched, kReadable, 2), 0);
  bench.Expect(2, kReadable);
}

// A rebuild that fails half way has changed nothing: nobody is forgotten, and it is tried again.
THEME(a_rebuild_without_kernel_memory) {
  for (int successes = 0; successes < 12; successes++) {
    Bench bench;
    if (!bench.Is("epoll")) Skip("no kernel set, no rebuild");
    std::unique_ptr<Pair> pairs[4];
    for (int i = 0; i < 4; i++) {
      pairs[i] = std::make_unique<Pair>();
      const Mode mode = i == 3 ? Mode::kOneshot : Mode::kLevel;
      CHECK_EQ(bench.Add(pairs[i]->watched, kReadable, i, mode), 0);
    }
    pairs[3]->Write();
    bench.Expect(3, kReadable);
    Pair ghost;
    CHECK_EQ(bench.Add(ghost.watched, kReadable, 9), 0);
    const int number = ghost.watched;
    const int duplicate = dup(number);
    ghost.CloseWatched();
    CHECK_DONE(bench.Delete(number));
    ghost.Write();
    FailEpollAddsAfter(successes);
    bench.Wait(kMs);
    bench.Wait(kMs);
    LetEpollAddsSucceed();
    for (int i = 0; i < 3; i++) pairs[i]->Write();
    CHECK_DONE(bench.Modify(pairs[3]->watched, kReadable, 3, Mode::kOneshot));
    bool heard[4] = {};
    while (!heard[0] || !heard[1] || !heard[2] || !heard[3]) {
      const int count = bench.Wait();
      CHECK(count > 0);
      for (int i = 0; i < count; i++) {
        if (bench.records[i].key < 4) heard[bench.records[i].key] = true;
      }
    }
    close(duplicate);
  }
}

// Arm without memory: nothing is in flight, and it can be tried again.
THEME(no_memory_to_arm) {
  Bench bench(4);
  Pair pair;
  CHECK_EQ(bench.Add(pair.watched, kReadable, 1), 0);
  pair.Write();
  bench.Attach();
  FailAllocationsAfter(0);
  const int armed = bench.engine.Arm(kSoon, 4);
  CHECK(LetAllocationsSucceed());
  CHECK_EQ(armed, -ENOMEM);
  CHECK_EQ(bench.Harvest(), 0);
  CHECK_EQ(bench.Next(), 1);
}

}  // namespace pollux::harness
