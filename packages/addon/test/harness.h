// What every theme of the harness uses: CHECK, the list of themes, and small owners of threads,
// descriptors and engines.
//
// A theme is one function. harness.cc runs each in a process of its own, under an alarm, so a theme
// may leave by Fail from any thread, and one that hangs is a failure with a name.
#pragma once

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>

#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "pollux/clock.h"
#include "pollux/engine.h"

namespace pollux::harness {

constexpr uint64_t kUs = 1000;
constexpr uint64_t kMs = 1000 * kUs;
// For what must happen: a wait that takes this long has lost its wake-up.
constexpr uint64_t kSoon = 20000 * kMs;
// For what must not happen.
constexpr uint64_t kMoment = 3 * kMs;

struct Theme {
  Theme(const char* its_name, void (*its_run)());
  const char* name;
  void (*run)();
  Theme* next = nullptr;
};

#define THEME(name)                                                 \
  static void name();                                               \
  static const ::pollux::harness::Theme theme_##name(#name, &name); \
  static void name()

[[noreturn]] void Fail(const char* file, int line, const char* what);
void CheckEqual(const char* file, int line, const char* what, int64_t actual, int64_t expected);

#define CHECK(condition)                                                       \
  do {                                                                         \
    if (!(condition)) ::pollux::harness::Fail(__FILE__, __LINE__, #condition); \
  } while (0)
#define CHECK_EQ(actual, expected)                                            \
  ::pollux::harness::CheckEqual(__FILE__, __LINE__, #actual " == " #expected, \
                                static_cast<int64_t>(actual), static_cast<int64_t>(expected))

// For a change that may tell of a void record: those of a harvest count until the next harvest,
// also where a wait has ended with nothing since.
#define CHECK_DONE(change) CHECK((change) >= 0)

// Says that this theme had nothing to do here; shown by harness.cc.
[[noreturn]] void Skip(const char* why);

// How often a loop runs: less under valgrind (POLLUX_HARNESS_PERCENT).
int Scaled(int times);
void Sleep(uint64_t ns);
int CountDescriptors();
// Raises RLIMIT_NOFILE to what it may be, at most 20,000; returns the limit now in force.
int RaiseDescriptorLimit();
void SetDescriptorLimit(int limit);
int LowestFreeDescriptor();

// xorshift64*, from POLLUX_HARNESS_SEED or the clock; the seed is printed once by harness.cc.
uint64_t Seed();
class Random {
 public:
  explicit Random(uint64_t stream = 0) : state_(Seed() ^ (stream + 1) * 0x9e3779b97f4a7c15u) {
    if (state_ == 0) state_ = 1;
  }
  uint32_t Below(uint32_t limit) {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return static_cast<uint32_t>(((state_ * 0x2545f4914f6cdd1du) >> 32) % limit);
  }

 private:
  uint64_t state_;
};

// Threads that are joined at the end of their scope.
class Crew {
 public:
  Crew() = default;
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;
  ~Crew() { Join(); }
  template <typename Body>
  void Start(Body body) {
    pthread_t thread;
    auto* copy = new Body(std::move(body));
    CHECK_EQ(pthread_create(&thread, nullptr, &Crew::Run<Body>, copy), 0);
    threads_.push_back(thread);
  }
  void Join() {
    for (const pthread_t thread : threads_) pthread_join(thread, nullptr);
    threads_.clear();
  }

 private:
  template <typename Body>
  static void* Run(void* copy) {
    const std::unique_ptr<Body> body(static_cast<Body*>(copy));
    (*body)();
    return nullptr;
  }
  std::vector<pthread_t> threads_;
};

// Two nonblocking descriptors that are connected: `watched` reads what Write wrote to `other`.
class Pair {
 public:
  enum Kind { kPipe, kSocket, kTcp };
  explicit Pair(Kind kind = kPipe);
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  ~Pair();
  void Write() { CHECK(TryWrite()); }
  // One byte; false if there is no room for it.
  bool TryWrite();
  // Reads what is there; returns how many bytes that were.
  int Drain();
  // Fills the way from `watched` to `other`, so that `watched` is not writable.
  void Fill();
  void CloseWatched();
  void CloseOther();
  // Gives `watched` another number, the one given, and closes the one it had.
  void MoveWatched(int number);

  int watched = -1;
  int other = -1;
};

// An open engine with room for records, and the owner's side of an attached one.
class Bench {
 public:
  explicit Bench(uint32_t capacity = 64);
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;
  ~Bench();

  bool Is(const char* backend);
  // That a number was closed: whoever is handed all numbers with each call meets it.
  bool TellsClosed() { return engine.backend()->ChangesNeedWake(); }
  bool Has(uint32_t capability) { return (engine.backend()->Capabilities() & capability) != 0; }
  uint32_t capacity() const { return static_cast<uint32_t>(records.size()); }

  int Add(int fd, uint32_t interest, uint32_t key, Mode mode = Mode::kLevel) {
    return engine.Add(fd, Ask{interest, mode, false}, key);
  }
  int Modify(int fd, uint32_t interest, uint32_t key, Mode mode = Mode::kLevel) {
    return engine.Modify(fd, Ask{interest, mode, false}, key);
  }
  int Delete(int fd) { return engine.Delete(fd); }
  int Wait(uint64_t timeout = kSoon) { return engine.Wait(timeout, records.data(), capacity()); }
  // Waits, and fails unless it is this one record.
  void Expect(uint32_t key, uint32_t events, uint64_t timeout = kSoon);
  void ExpectSilence(uint64_t timeout = kMoment) { CHECK_EQ(Wait(timeout), -ETIMEDOUT); }

  void Attach();
  void Arm(uint64_t timeout = kSoon) { CHECK_EQ(engine.Arm(timeout, capacity()), 0); }
  // Whether `ready` was called since the last Await; for at most a moment, or soon.
  bool Announced(uint64_t timeout = 0);
  void Await() { CHECK(Announced(kSoon)); }
  int Harvest() { return engine.Harvest(records.data(), capacity()); }
  int Collect() {
    Await();
    return Harvest();
  }
  // Arms until there are records. Call it while nothing is in flight.
  int Next();
  void Detach();

  Engine engine;
  std::vector<Record> records;

 private:
  static void OnReady(void* self);
  sem_t announced_;
  std::atomic<bool> attached_{false};
};

// Ages the registrations of a backend: the next one gets a generation `by` later than it would.
// backend.cc knows how.
void AgeGenerations(Backend* backend, uint32_t by);

// hooks.cc stands between the sources under test and these functions.
// The first `successes` calls of calloc and realloc succeed, later ones fail; until the call of
// LetAllocationsSucceed, which returns whether any failed.
void FailAllocationsAfter(int successes);
bool LetAllocationsSucceed();
// As above, of epoll_ctl's EPOLL_CTL_ADD.
void FailEpollAddsAfter(int successes);
void LetEpollAddsSucceed();
// epoll_pwait2 answers this errno, or is really called where it is 0.
void RefusePwait2(int error);

}  // namespace pollux::harness
