// What a test asks of its own process: which descriptors are open, a system call that fails as it
// does on an old kernel or in a strict container, and a child.
#include <dirent.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "binding.h"
#include "scoped_fd.h"

// The same on every architecture.
#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441  // Linux 5.11
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434  // Linux 5.3
#endif

namespace testkit {
namespace {

// Writes as many numbers as fit and returns how many there are, the one of this listing left out.
int64_t OpenFds(Ints out) {
  DIR* directory = opendir("/proc/self/fd");
  if (directory == nullptr) return -errno;
  size_t count = 0;
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
    const int fd = atoi(entry->d_name);
    if (fd == dirfd(directory)) continue;
    if (count < out.size) out.data[count] = fd;
    count++;
  }
  closedir(directory);
  return static_cast<int64_t>(count);
}

constexpr struct {
  const char* name;
  int number;
} kSyscalls[] = {
    {"epoll_pwait2", SYS_epoll_pwait2}, {"epoll_create1", SYS_epoll_create1},
    {"eventfd2", SYS_eventfd2},         {"timerfd_create", SYS_timerfd_create},
    {"pselect6", SYS_pselect6},         {"ppoll", SYS_ppoll},
    {"accept4", SYS_accept4},           {"recvmmsg", SYS_recvmmsg},
    {"sendmmsg", SYS_sendmmsg},         {"sendmsg", SYS_sendmsg},
    {"pidfd_open", SYS_pidfd_open},     {"waitid", SYS_waitid},
};

// From here on the call fails with `error` on every thread, for good. The filter does not look at
// the architecture: a Node process makes system calls of one only.
int64_t DenySyscall(Text name, int error) {
  int number = -1;
  for (const auto& entry : kSyscalls) {
    if (strcmp(entry.name, name.data) == 0) number = entry.number;
  }
  if (number < 0 || error <= 0 || error > 4095) return -EINVAL;
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(number), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<uint32_t>(error)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter = {sizeof(program) / sizeof(*program), program};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return -errno;
  const long result =
      syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter);
  if (result > 0) return -EBUSY;  // the id of a thread that has a filter of its own
  return Result(result);
}

// A child that nobody but the caller knows of, so that nobody else reaps it. It exits at once, or,
// if the code is negative, waits to be killed.
int64_t ForkChild(int code) {
  const pid_t pid = fork();
  if (pid != 0) return Result(pid);
  // Other threads may have held any lock: system calls only. A signal shall do what it does to a
  // program that handles none, and who is killed in a test leaves no child behind.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  if (code >= 0) _exit(code);
  for (;;) pause();
}

TESTKIT_EXPORT(openFds, OpenFds);
TESTKIT_EXPORT(denySyscall, DenySyscall);
TESTKIT_EXPORT(forkChild, ForkChild);

}  // namespace
}  // namespace testkit
