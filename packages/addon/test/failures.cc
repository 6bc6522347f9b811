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
