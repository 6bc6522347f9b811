// See process.h. The numbers are the kernel's own, for older headers lack them.
#include "process.h"

#include <errno.h>

#ifdef __linux__
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434  // the same on every architecture
#endif

namespace pollux {
namespace {

// P_PIDFD of waitid(2), Linux 5.4.
constexpr idtype_t kByPidfd = static_cast<idtype_t>(3);

// struct pidfd_info of linux/pidfd.h, as of Linux 6.15; larger ones begin so.
struct PidfdInfo {
  uint64_t mask;
  uint64_t cgroup;
  uint32_t ids[11];  // pid, tgid, ppid, and the user's and group's four each
  int32_t exit_code;
};
static_assert(sizeof(PidfdInfo) == 64);
constexpr uint64_t kInfoExit = 1 << 3;  // PIDFD_INFO_EXIT: once it was reaped
constexpr unsigned long kGetInfo = _IOWR(0xFF, 11, PidfdInfo);

}  // namespace

Fd OpenProcess(int pid) {
  const long fd = syscall(SYS_pidfd_open, pid, 0);
  return fd < 0 ? -errno : static_cast<Fd>(fd);
}

int ProcessExit(Fd pidfd, bool reap) {
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

}  // namespace pollux

#else

namespace pollux {

Fd OpenProcess(int) { return static_cast<Fd>(-ENOSYS); }
int ProcessExit(Fd, bool) { return 0; }

}  // namespace pollux

#endif
