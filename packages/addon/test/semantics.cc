// What add, modify, delete and wait mean, on real descriptors: level, oneshot, edge, exclusive,
// pauses, hints. The conformance suite asks the same of the whole; here the sanitizers look on.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"

namespace pollux::harness {

THEME(level_reports_while_it_holds) {
  for (const auto kind : {Pair::kPipe, Pair::kSocket, Pair::kTcp}) {
    Bench bench;
    Pair pair(kind);
    CHECK_EQ(bench.Add(pair.watched, kReadable, 7), 0);
    bench.ExpectSilence();
    pair.Write();
    for (int i = 0; i < 3; i++) bench.Expect(7, kReadable);
    CHECK_EQ(pair.Drain(), 1);
    bench.ExpectSilence();
    CHECK_DONE(bench.Delete(pair.watched));
    pair.Write();
    bench.ExpectSilence();
  }
}

THEME(both_directions_are_one_record) {
  Bench bench;
  Pair pair(Pair::kSocket);
  CHECK_EQ(bench.Add(pair.watched, kReadable | kWritable, UINT32_MAX), 0);
  bench.Expect(UINT32_MAX, kWritable);
  pair.Write();
  bench.Expect(UINT32_MAX, kReadable | kWritable);
  pair.Fill();
  bench.Expect(UINT32_MAX, kReadable);
  CHECK_EQ(bench.Modify(pair.watched, kWritable, 8), 1);
  bench.ExpectSilence();
}

THEME(keys_need_not_be_unique) {
  Bench bench;
  Pair a, b;
  CHECK_EQ(bench.Add(a.watched, kReadable, 5), 0);
  CHECK_EQ(bench.Add(b.watched, kReadable, 5), 0);
  a.Write();
  b.Write();
  CHECK_EQ(bench.Wait(), 2);
  CHECK_EQ(bench.records[0].key, 5);
  CHECK_EQ(bench.records[1].key, 5);
}

THEME(a_pause_is_silent) {
  Bench bench;
  Pair pair(Pair::kSocket);
  CHECK_EQ(bench.Add(pair.watched, 0, 1), 0);
  pair.Write();
  bench.ExpectSilence();
  CHECK_EQ(bench.Add(pair.watched, kReadable, 9), -EEXIST);
  CHECK_EQ(bench.Modify(pair.watched, kReadable, 2), 0);
  bench.Expect(2, kReadable);
  CHECK_EQ(bench.Modify(pair.watched, 0, 3), 1);
  pair.CloseOther();  // hangup and error come even with an empty mask, unless out of the set
  bench.ExpectSilence();
  CHECK_DONE(bench.Modify(pair.watched, 0, 4));
  CHECK_DONE(bench.Modify(pair.watched, kReadable, 5));
  CHECK_EQ(bench.Wait(), 1);
  CHECK_EQ(bench.records[0].key, 5);
  CHECK(bench.records[0].events & kReadable);
  CHECK_EQ(bench.Modify(pair.watched, 0, 6), 1);
  CHECK_EQ(bench.Delete(pair.watched), 1);
  CHECK_EQ(bench.Delete(pair.watched), -ENOENT);
}

THEME(oneshot_fires_once) {
  for (const auto kind : {Pair::kPipe, Pair::kSocket}) {
    Bench bench;
    Pair pair(kind);
    CHECK_EQ(bench.Add(pair.watched, kReadable, 1, Mode::kOneshot), 0);
    pair.Write();
    bench.Expect(1, kReadable);
    bench.ExpectSilence();
    pair.Write();
    bench.ExpectSilence();
    CHECK_EQ(bench.Add(pair.watched, kReadable, 9), -EEXIST);  // still registered
    CHECK_DONE(bench.Modify(pair.watched, kReadable, 2, Mode::kOneshot));
    bench.Expect(2, kReadable);
    bench.ExpectSilence();
    pair.CloseOther();
    bench.ExpectSilence();
    CHECK_DONE(bench.Modify(pair.watched, 0, 3, Mode::kOneshot));
    bench.ExpectSilence();
    CHECK_DONE(bench.Modify(pair.watched, kReadable, 4));  // level now
    for (int i = 0; i < 2; i++) {
      CHECK_EQ(bench.Wait(), 1);
      CHECK_EQ(bench.records[0].key, 4);
    }
    CHECK_EQ(bench.Delete(pair.watched), 1);
  }
}

THEME(edge_reports_what_is_new) {
  Bench bench;
  Pair pair;
  if (!bench.Has(kEdgeTriggered)) {
    CHECK_EQ(bench.Add(pair.watched, kReadable, 1, Mode::kEdge), -EINVAL);
    CHECK_EQ(bench.Add(pair.watched, kReadable, 1), 0);
    CHECK_EQ(bench.Modify(pair.watched, kReadable, 2, Mode::kEdge), -EINVAL);
    pair.Write();
    bench.Expect(1, kReadable);
    Skip("a refusal was all there is to see");
  }
  CHECK_EQ(bench.Add(pair.watched, kReadable, 1, Mode::kEdge), 0);
  pair.Write();
  bench.Expect(1, kReadable);
  bench.ExpectSilence();
  pair.Write();
  bench.Expect(1, kReadable);
  bench.ExpectSilence();
  CHECK_DONE(bench.Modify(pair.watched, kReadable, 2, Mode::kEdge));
  bench.Expect(2, kReadable);  // a modification looks anew
  bench.ExpectSilence();
}

THEME(exclusive_is_epolls) {
  Bench bench;
  Pair pair(Pair::kSocket);
  const auto ask = [](uint32_t interest, Mode mode) { return Ask{interest, mode, true}; };
  Engine& engine = bench.engine;
  if (!bench.Has(kExclusiveWakeup)) {
    CHECK_EQ(engine.Add(pair.watched, ask(kReadable, Mode::kLevel), 1), -EINVAL);
    CHECK_EQ(bench.Modify(pair.watched, kReadable, 1), -ENOENT);
    Skip("a refusal was all there is to see");
  }
  CHECK_EQ(engine.Add(pair.watched, ask(kReadable | kPriority, Mode::kLevel), 1), -EINVAL);
  CHECK_EQ(engine.Add(pair.watched, ask(kReadable, Mode::kOneshot), 1), -EINVAL);
  CHECK_EQ(bench.Modify(pair.watched, kReadable, 1), -ENOENT);
  CHECK_EQ(engine.Add(pair.watched, ask(kReadable, Mode::kLevel), 1), 0);
  pair.Write();
  bench.Expect(1, kReadable);
  CHECK_EQ(engine.Modify(pair.watched, ask(kReadable | kWritable, Mode::kLevel), 2), 1);
  bench.Expect(2, kReadable | kWritable);
  CHECK_EQ(engine.Modify(pair.watched, ask(kPriority, Mode::kLevel), 3), -EINVAL);
  bench.Expect(2, kReadable | kWritable);
  CHECK_EQ(bench.Modify(pair.watched, kReadable, 4), 1);
  bench.Expect(4, kReadable);
  CHECK_EQ(engine.Modify(pair.watched, ask(0, Mode::kLevel), 5), 1);
  bench.ExpectSilence();
  CHECK_DONE(engine.Modify(pair.watched, ask(kReadable, Mode::kEdge), 6));
  bench.Expect(6, kReadable);
  bench.ExpectSilence();
  CHECK_DONE(bench.Delete(pair.watched));
}

// A oneshot that has fired stays disarmed when a modify of it is refused. The kernel refuses
// EPOLLEXCLUSIVE on an epoll.
THEME(a_refused_modify_does_not_rearm_a_oneshot) {
  Bench outer, inner;
  const int fd = inner.engine.backend()->PollableFd();
  if (!outer.Has(kExclusiveWakeup)) Skip("no exclusive wakeup here");
  CHECK_EQ(outer.Add(fd, kReadable, 1, Mode::kOneshot), 0);
  inner.engine.Notify();
  outer.Expect(1, kReadable);
  outer.ExpectSilence();
  CHECK_EQ(outer.engine.Modify(fd, Ask{kReadable, Mode::kLevel, true}, 2), -EINVAL);
  outer.ExpectSilence();
  CHECK_DONE(outer.Modify(fd, kReadable, 3, Mode::kOneshot));
  outer.Expect(3, kReadable);
}

THEME(ends_and_hints) {
  const auto hint = [](Bench& bench, uint32_t capability, uint32_t bit) {
    return bench.Has(capability) ? bit : 0u;
  };
  {  // The writer of a pipe goes.
    Bench bench;
    Pair pair;
    CHECK_EQ(bench.Add(pair.watched, kReadable, 1), 0);
    pair.CloseOther();
    bench.Expect(1, kReadable | hint(bench, kHintHangup, kHangup));
  }
  {  // The reader of a pipe goes.
    Bench bench;
    Pair pair;
    CHECK_EQ(bench.Add(pair.other, kWritable, 1), 0);
    pair.CloseWatched();
    bench.Expect(1, kWritable | hint(bench, kHintError, kError));
  }
  {  // Half a close: an end of reading, and nothing to a writer.
    Bench bench;
    Pair pair(Pair::kSocket);
    CHECK_EQ(bench.Add(pair.watched, kReadable, 1), 0);
    CHECK_EQ(shutdown(pair.other, SHUT_WR), 0);
    bench.Expect(1, kReadable | hint(bench, kEarlyClose, kReadClosed));
    pair.Fill();
    CHECK_EQ(bench.Modify(pair.watched, kWritable, 2), 1);
    bench.ExpectSilence();
  }
  {  // The whole close.
    Bench bench;
    Pair pair(Pair::kSocket);
    CHECK_EQ(bench.Add(pair.watched, kReadable | kWritable, 1), 0);
    pair.CloseOther();
    bench.Expect(1, kReadable | kWritable | hint(bench, kHintHangup, kHangup) |
                        hint(bench, kEarlyClose, kReadClosed));
  }
  {  // Urgent data.
    Bench bench;
    Pair pair(Pair::kTcp);
    CHECK_EQ(bench.Add(pair.watched, kPriority, 1), 0);
    CHECK_EQ(send(pair.other, "!", 1, MSG_OOB), 1);
    bench.Expect(1, kPriority);
  }
}

THEME(refusals_leave_no_trace) {
  Bench bench;
  Pair pair;
  CHECK_EQ(bench.Modify(pair.watched, kReadable, 1), -ENOENT);
  CHECK_EQ(bench.Delete(pair.watched), -ENOENT);
  CHECK_EQ(bench.Delete(-1), -ENOENT);
  CHECK_EQ(bench.Add(-1, kReadable, 1), -EBADF);
  const int closed = LowestFreeDescriptor();
  for (const uint32_t interest : {0u, static_cast<uint32_t>(kReadable)}) {
    CHECK_EQ(bench.Add(closed, interest, 1), -EBADF);
    CHECK_EQ(bench.Modify(closed, interest, 1), -ENOENT);
    CHECK_EQ(bench.Delete(closed), -ENOENT);
  }
  CHECK_EQ(bench.engine.CanWatch(closed), -EBADF);
  CHECK_EQ(bench.engine.CanWatch(INT32_MAX), -EBADF);

  CHECK_EQ(bench.Add(pair.watched, kReadable, 1), 0);
  CHECK_EQ(bench.Add(pair.watched, kReadable, 2), -EEXIST);
  CHECK_EQ(bench.Add(pair.watched, 0, 2), -EEXIST);
  CHECK_EQ(bench.engine.CanWatch(pair.watched), 0);
  pair.Write();
  bench.Expect(1, kReadable);

  const int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  CHECK(file >= 0);
  if (bench.Has(kAnyDescriptor)) {
    CHECK_EQ(bench.engine.CanWatch(file), 0);
    CHECK_EQ(bench.Add(file, kReadable, 3), 0);
    CHECK_EQ(bench.Wait(), 2);
  } else {
    for (const uint32_t interest : {0u, static_cast<uint32_t>(kReadable)}) {
      CHECK_EQ(bench.Add(file, interest, 3), -EPERM);
      CHECK_EQ(bench.Modify(file, interest, 3), -ENOENT);
    }
    CHECK_EQ(bench.engine.CanWatch(file), -EPERM);
    const int own = bench.engine.backend()->PollableFd();
    CHECK_EQ(bench.Add(own, kReadable, 4), -EINVAL);
    CHECK_EQ(bench.engine.CanWatch(own), -EINVAL);
  }
  close(file);
}

THEME(a_poller_within_a_poller) {
  Bench outer, inner;
  const int fd = inner.engine.backend()->PollableFd();
  if (fd == kNoFd) Skip("the primitive has no descriptor");
  Pair pair;
  CHECK_EQ(outer.Add(fd, kReadable, 1), 0);
  CHECK_EQ(inner.Add(pair.watched, kReadable, 2), 0);
  outer.ExpectSilence();
  pair.Write();
  outer.Expect(1, kReadable);
  inner.Expect(2, kReadable);
  CHECK_EQ(inner.Add(outer.engine.backend()->PollableFd(), kReadable, 3), -ELOOP);
}

}  // namespace pollux::harness
