// The owners of harness.h: descriptors, an engine with its records, and the process's limits.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"

namespace pollux::harness {
namespace {

void MakeTcp(int* ends) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  CHECK_EQ(bind(listener, generic, length), 0);
  CHECK_EQ(listen(listener, 1), 0);
  CHECK_EQ(getsockname(listener, generic, &length), 0);
  ends[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK_EQ(connect(ends[1], generic, length), 0);
  ends[0] = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  close(listener);
}

}  // namespace

void Sleep(uint64_t ns) {
  timespec left{static_cast<time_t>(ns / 1000000000u), static_cast<long>(ns % 1000000000u)};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

int CountDescriptors() {
  DIR* directory = opendir("/proc/self/fd");
  CHECK(directory != nullptr);
  int count = 0;
  while (readdir(directory) != nullptr) count++;
  closedir(directory);
  return count - 3;  // ".", ".." and the directory
}

void SetDescriptorLimit(int limit) {
  rlimit limits;
  CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limits), 0);
  limits.rlim_cur = static_cast<rlim_t>(limit);
  CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limits), 0);
}

int RaiseDescriptorLimit() {
  rlimit limits;
  CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limits), 0);
  if (limits.rlim_cur < 20000) {
    limits.rlim_cur = limits.rlim_max < 20000 ? limits.rlim_max : 20000;
    setrlimit(RLIMIT_NOFILE, &limits);
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limits), 0);
  }
  return limits.rlim_cur > 20000 ? 20000 : static_cast<int>(limits.rlim_cur);
}

int LowestFreeDescriptor() {
  const int fd = dup(STDIN_FILENO);
  CHECK(fd >= 0);
  close(fd);
  return fd;
}

Pair::Pair(Kind kind) {
  int ends[2] = {-1, -1};
  if (kind == kPipe) {
    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
  } else if (kind == kSocket) {
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  } else {
    MakeTcp(ends);
  }
  for (const int end : ends) CHECK_EQ(fcntl(end, F_SETFL, O_NONBLOCK), 0);
  watched = ends[0];
  other = ends[1];
}

Pair::~Pair() {
  CloseWatched();
  CloseOther();
}

bool Pair::TryWrite() {
  const char byte = 'x';
  ssize_t written;
  do {
    written = write(other, &byte, 1);
  } while (written < 0 && errno == EINTR);
  CHECK(written == 1 || errno == EAGAIN);
  return written == 1;
}

int Pair::Drain() {
  char bytes[256];
  int total = 0;
  for (;;) {
    const ssize_t got = read(watched, bytes, sizeof bytes);
    if (got > 0) total += static_cast<int>(got);
    if (got == 0 || (got < 0 && errno != EINTR)) return total;
  }
}

void Pair::Fill() {
  char bytes[4096] = {};
  while (write(watched, bytes, sizeof bytes) > 0) {
  }
  CHECK_EQ(errno, EAGAIN);
}

void Pair::CloseWatched() {
  if (watched >= 0) close(watched);
  watched = -1;
}

void Pair::CloseOther() {
  if (other >= 0) close(other);
  other = -1;
}

void Pair::MoveWatched(int number) {
  if (watched == number) return;
  CHECK_EQ(dup3(watched, number, O_CLOEXEC), number);
  close(watched);
  watched = number;
}

Bench::Bench(uint32_t capacity) : records(capacity) {
  CHECK_EQ(engine.Open(), 0);
  CHECK_EQ(sem_init(&announced_, 0, 0), 0);
}

Bench::~Bench() {
  engine.Close();
  attached_ = false;
  sem_destroy(&announced_);
}

bool Bench::Is(const char* backend) { return strcmp(engine.backend()->Name(), backend) == 0; }

void Bench::Expect(uint32_t key, uint32_t events, uint64_t timeout) {
  CHECK_EQ(Wait(timeout), 1);
  CHECK_EQ(records[0].key, key);
  CHECK_EQ(records[0].events, events);
}

void Bench::OnReady(void* self) {
  auto* bench = static_cast<Bench*>(self);
  CHECK(bench->attached_);  // never after Detach returned
  CHECK_EQ(sem_post(&bench->announced_), 0);
}

void Bench::Attach() {
  attached_ = true;
  while (sem_trywait(&announced_) == 0) {
  }
  CHECK_EQ(engine.Attach(&Bench::OnReady, this), 0);
}

void Bench::Detach() {
  engine.Detach();
  attached_ = false;
}

bool Bench::Announced(uint64_t timeout) {
  timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  const uint64_t ns = static_cast<uint64_t>(until.tv_nsec) + timeout;
  until.tv_sec += static_cast<time_t>(ns / 1000000000u);
  until.tv_nsec = static_cast<long>(ns % 1000000000u);
  while (sem_timedwait(&announced_, &until) != 0) {
    if (errno != EINTR) return false;
  }
  return true;
}

int Bench::Next() {
  for (;;) {
    Arm();
    const int count = Collect();
    CHECK(count >= 0);
    if (count > 0) return count;
  }
}

}  // namespace pollux::harness
