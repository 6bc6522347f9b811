// Everything at once: random changes under a block, eight engines on eight threads, descriptors
// closed under the thread that waits for them, 1000 lives of a poller.
#include <algorithm>

#include "harness.h"
#include "pollux/wakers.h"

namespace pollux::harness {
namespace {

constexpr uint32_t kSubjects = 12;

// One descriptor under change. The key of its registration is index and version, and each change is
// a new version, so that a record which survived a change is known by its key.
struct Subject {
  Pair pair{Pair::kSocket};
  uint32_t version = 0;
  uint32_t interest = 0;
  Mode mode = Mode::kLevel;
  bool registered = false;
  bool fired = false;
  int record = -1;  // of the last harvest
};

class Storm {
 public:
  explicit Storm(Bench& bench) : bench_(bench) {}

  void Change() {
    const uint32_t index = random_.Below(kSubjects);
    Subject& subject = subjects[index];
    const int fd = subject.pair.watched;
    if (!subject.registered) {
      Draw(subject);
      CHECK_EQ(bench_.Add(fd, subject.interest, Key(index), subject.mode), 0);
      subject.registered = true;
    } else if (random_.Below(3) == 0) {
      Void(subject, bench_.Delete(fd));
      subject.registered = false;
      subject.record = -1;
    } else {
      Draw(subject);
      Void(subject, bench_.Modify(fd, subject.interest, Key(index), subject.mode));
    }
  }

  // Looks at a harvest of `count` records.
  void Take(int count) {
    CHECK(count >= 0);
    count_ = count;
    if (count > 0) {
      for (Subject& subject : subjects) subject.record = -1;
    }
    for (int i = 0; i < count; i++) {
      const Record& record = bench_.records[i];
      Subject& subject = subjects[record.key & 0xff];
      CHECK(subject.registered);
      CHECK_EQ(record.key, Key(record.key & 0xff));
      CHECK(record.events != 0);
      CHECK_EQ(record.events & ~subject.interest, 0);
      CHECK(!subject.fired);
      subject.fired = subject.mode == Mode::kOneshot;
      subject.record = i;
    }
  }

  // Reads what the last harvest found, but for what was changed since.
  void Read() {
    for (int i = 0; i < count_; i++) {
      const Record& record = bench_.records[i];
      if (record.events & kReadable) subjects[record.key & 0xff].pair.Drain();
    }
  }

  // Every registration that asks for it hears of one more byte.
  void ExpectAllReadable() {
    bool pending[kSubjects];
    for (uint32_t i = 0; i < kSubjects; i++) {
      subjects[i].pair.Drain();
      subjects[i].pair.Write();
      pending[i] = true;
    }
    const auto awaited = [&](uint32_t i) {
      const Subject& s = subjects[i];
      return pending[i] && s.registered && (s.interest & kReadable) && !s.fired;
    };
    for (;;) {
      bool any = false;
      for (uint32_t i = 0; i < kSubjects; i++) any = any || awaited(i);
      if (!any) return;
      Take(bench_.Wait());
      CHECK(count_ > 0);
      for (int i = 0; i < count_; i++) {
        if (bench_.records[i].events & kReadable) pending[bench_.records[i].key & 0xff] = false;
      }
      Read();
    }
  }

  Subject subjects[kSubjects];

 private:
  uint32_t Key(uint32_t index) const { return subjects[index].version << 8 | index; }

  void Draw(Subject& subject) {
    subject.version++;
    subject.fired = false;
    subject.interest = random_.Below(4) == 0 ? 0 : static_cast<uint32_t>(kReadable);
    if (random_.Below(16) == 0) subject.interest |= kWritable;
    const uint32_t dice = random_.Below(3);
    subject.mode = dice == 0 ? Mode::kOneshot : Mode::kLevel;
    if (dice == 1 && bench_.Has(kEdgeTriggered)) subject.mode = Mode::kEdge;
  }

  // A harvest of nothing may or may not have ended the one before.
  void Void(const Subject& subject, int result) {
    CHECK(result == subject.record + 1 || (result == 0 && count_ == 0));
    if (result > 0) bench_.records[result - 1].events = 0;
  }

  Bench& bench_;
  Random random_;
  int count_ = 0;
};

}  // namespace

// The owner changes what is watched while the thread blocks on it and others write. No record may
// be of a registration that is gone, none may come twice from a oneshot, and none may be lost.
THEME(changes_under_a_block) {
  for (const uint32_t capacity : {3u, 64u}) {
    Bench bench(capacity);
    Storm storm(bench);
    Random random(7);
    std::atomic<bool> over{false};
    Crew writers;
    for (uint32_t writer = 0; writer < 2; writer++) {
      writers.Start([&, writer] {
        Random its_random(20 + writer);
        while (!over) {
          storm.subjects[its_random.Below(kSubjects / 2) * 2 + writer].pair.TryWrite();
          if (its_random.Below(4) == 0) Sleep(its_random.Below(50) * kUs);
        }
      });
    }
    for (int i = 0; i < Scaled(1500); i++) {
      if (!bench.engine.attached()) bench.Attach();
      bench.Arm(random.Below(300) * kUs);
      for (uint32_t changes = random.Below(5); changes > 0; changes--) storm.Change();
      if (random.Below(3) == 0) storm.Read();
      if (random.Below(40) == 0) {
        bench.Detach();
        storm.Change();
        const int count = bench.Wait(100 * kUs);
        storm.Take(count == -ETIMEDOUT ? 0 : count);
      } else {
        bench.Await();
        storm.Take(bench.Harvest());
      }
      for (uint32_t changes = random.Below(3); changes > 0; changes--) storm.Change();
      if (random.Below(2) == 0) storm.Read();
    }
    over = true;
    writers.Join();
    if (bench.engine.attached()) bench.Detach();
    storm.ExpectAllReadable();
  }
}

// A ring: each engine has one to write to and to notify, and waits for its own in both ways.
THEME(eight_engines_on_eight_threads) {
  constexpr int kEngines = 8;
  const int rounds = Scaled(250);
  Pair pairs[kEngines];
  std::atomic<uint32_t> ids[kEngines] = {};
  Crew crew;
  for (int me = 0; me < kEngines; me++) {
    crew.Start([&, me] {
      Bench bench(4);
      ids[me] = bench.engine.waker_id();
      Random random(me);
      const int next = (me + 1) % kEngines;
      CHECK_EQ(bench.Add(pairs[me].watched, kReadable, me), 0);
      for (int received = 0, round = 1; round <= rounds; round++) {
        const bool attach = random.Below(4) != 0;
        if (attach && !bench.engine.attached()) bench.Attach();
        if (!attach && bench.engine.attached()) bench.Detach();
        if (random.Below(3) == 0) NotifyWaker(ids[next]);
        pairs[next].Write();
        while (received < round) {
          const int count = attach ? bench.Next() : bench.Wait();
          CHECK(count == 0 || count == 1);
          if (count == 1) {
            CHECK_EQ(bench.records[0].key, me);
            received += pairs[me].Drain();
          }
        }
      }
    });
  }
}

// The owner, or anyone, closes descriptors that the thread is waiting for.
THEME(closed_under_a_block) {
  Random random;
  for (int round = 0; round < Scaled(60); round++) {
    Bench bench(4);
    std::vector<std::unique_ptr<Pair>> pairs;
    std::vector<int> numbers;
    for (int i = 0; i < 8; i++) {
      pairs.push_back(std::make_unique<Pair>(static_cast<Pair::Kind>(i % 3)));
      numbers.push_back(pairs.back()->watched);
      CHECK_EQ(bench.Add(numbers.back(), kReadable, i), 0);
    }
    bench.Attach();
    bench.Arm(kForever);
    if (round % 2 == 0) Sleep(random.Below(1000) * kUs);
    Crew crew;
    crew.Start([&] {
      for (int i = 0; i < 8; i += 2) pairs[i]->CloseWatched();
    });
    crew.Join();
    pairs[1]->Write();
    bool heard = false;
    bool failed[8] = {};
    while (!heard) {
      for (int i = bench.Collect() - 1; i >= 0; i--) {
        const Record& record = bench.records[i];
        CHECK(record.key == 1 || record.key % 2 == 0);
        CHECK(record.key != 1 || record.events == kReadable);
        heard = heard || record.key == 1;
        if (record.events & kError) failed[record.key] = true;
      }
      bench.Arm(kSoon);
    }
    // From here on it does not spin on the closed ones.
    CHECK_EQ(pairs[1]->Drain(), 1);
    int batches = 0;
    for (;;) {
      bench.engine.Retime(kMoment);
      const int count = bench.Collect();
      if (count == 0) break;
      for (int i = 0; i < count; i++) {
        if (bench.records[i].events & kError) failed[bench.records[i].key] = true;
      }
      CHECK(++batches < 20);
      bench.Arm(kSoon);
    }
    for (int i = 0; i < 8; i += 2) CHECK(failed[i] == bench.TellsClosed());
    for (const int number : numbers) CHECK(bench.Delete(number) >= 0);
    bench.Detach();
  }
}

THEME(a_thousand_lives) {
  Bench first;  // what the libraries open once, they open now
  const int before = CountDescriptors();
  for (int i = 0; i < Scaled(1000); i++) {
    Bench bench(1 + i % 7);
    Pair pair;
    CHECK_EQ(bench.Add(pair.watched, kReadable, i), 0);
    if (i % 2 == 0) pair.Write();
    if (i % 3 == 0) {
      bench.Attach();
      if (i % 6 == 0) bench.Arm();
    } else {
      const int result = bench.Wait(0);
      CHECK(result == (i % 2 == 0 ? 1 : -ETIMEDOUT));
    }
    if (i % 5 == 0) pair.CloseWatched();
    if (i % 4 == 0) bench.engine.Close();
  }
  CHECK_EQ(CountDescriptors(), before);
}

}  // namespace pollux::harness
