// See process.h. The numbers are the kernel's own, for older headers lack them.
#include "process.h"

#include <errno.h>
#include <stdlib.h>

#ifdef __linux__
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434  // the same on every architecture
#endif
#endif

namespace pollux {
namespace {

#ifdef __linux__

// P_PIDFD of waitid(2), Linux 5.4.
constexpr idtype_t kByPidfd = static_cast<idtype_t>(3);

// struct pidfd_info of linux/pidfd.h as it was first (Linux 6.13; exit_code since 6.15): 64 bytes,
// PIDFD_INFO_SIZE_VER0. Later ones are longer, and every kernel takes the shorter.
struct PidfdInfo {
  uint64_t mask;
  uint64_t cgroupid;
  uint32_t ids[11];  // pid, tgid, ppid; real, effective, saved and file system's uid and gid
  int32_t exit_code;
};
static_assert(sizeof(PidfdInfo) == 64 && offsetof(PidfdInfo, exit_code) == 60);
constexpr uint64_t kInfoExit = 1 << 3;  // PIDFD_INFO_EXIT: there is one once it was reaped
constexpr unsigned long kGetInfo = _IOWR(0xFF, 11, PidfdInfo);

int OpenPidfd(int pid) {
  const long fd = syscall(SYS_pidfd_open, pid, 0);
  return fd < 0 ? -errno : static_cast<int>(fd);
}

int ExitOf(Fd pidfd, bool reap) {
  siginfo_t info{};
  const int options = WEXITED | WNOHANG | (reap ? 0 : WNOWAIT);
  int result;
  do {
    result = waitid(kByPidfd, static_cast<id_t>(pidfd), &info, options);
  } while (result != 0 && errno == EINTR);
  if (result == 0 && info.si_pid != 0) {
    const int status = info.si_code == CLD_EXITED ? (info.si_status & 0xff) << 8 : info.si_status;
    return kExitKnown | status;
  }
  PidfdInfo asked{};
  asked.mask = kInfoExit;
  if (ioctl(pidfd, kGetInfo, &asked) == 0 && (asked.mask & kInfoExit) != 0) {
    return kExitKnown | (asked.exit_code & 0xffff);
  }
  return 0;
}

// EINTR: the number is free all the same; never close twice (close(2)).
void CloseFd(Fd fd) { close(fd); }

#else

int OpenPidfd(int) { return -ENOSYS; }
int ExitOf(Fd, bool) { return 0; }
void CloseFd(Fd) {}

#endif

}  // namespace

Processes::~Processes() {
  CloseAll();
  free(fds_);
}

int Processes::Open(int pid) {
  if (count_ == room_) {
    const size_t room = room_ == 0 ? 16 : room_ * 2;
    auto* fds = static_cast<Fd*>(realloc(fds_, room * sizeof *fds_));
    if (fds == nullptr) return -ENOMEM;
    fds_ = fds;
    room_ = room;
  }
  const int fd = OpenPidfd(pid);
  if (fd >= 0) fds_[count_++] = static_cast<Fd>(fd);
  return fd;
}

int Processes::Exit(Fd pidfd, bool reap) const {
  return Find(pidfd) == count_ ? 0 : ExitOf(pidfd, reap);
}

int Processes::Close(Fd pidfd) {
  const size_t at = Find(pidfd);
  if (at == count_) return -EBADF;
  fds_[at] = fds_[--count_];
  CloseFd(pidfd);
  return 0;
}

void Processes::CloseAll() {
  while (count_ > 0) CloseFd(fds_[--count_]);
}

size_t Processes::Find(Fd pidfd) const {
  size_t at = 0;
  while (at < count_ && fds_[at] != pidfd) at++;
  return at;
}

}  // namespace pollux
