// The descriptors that only Linux has, each made by its own system call. What a kernel lacks or a
// container forbids comes back as the system's errno; tests then skip that row.
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#include "binding.h"
#include "scoped_fd.h"

// Numbers that are the same on every architecture, for headers older than the call.
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

namespace testkit {
namespace {

int64_t Eventfd(int initial) {
  return Result(eventfd(static_cast<unsigned>(initial), EFD_CLOEXEC | EFD_NONBLOCK));
}

int64_t Timerfd(double ms) {
  if (!(ms >= 0 && ms < 1e12)) return -EINVAL;
  ScopedFd fd(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!fd.ok()) return -errno;
  int64_t ns = static_cast<int64_t>(ms * 1e6);
  if (static_cast<double>(ns) < ms * 1e6) ns++;  // never early
  itimerspec when = {};
  when.it_value.tv_sec = static_cast<time_t>(ns / 1000000000);
  when.it_value.tv_nsec = static_cast<long>(ns % 1000000000);
  if (timerfd_settime(fd.get(), 0, &when, nullptr) < 0) return -errno;
  return fd.Release();
}

int64_t BlockSignal(int signal, bool block) {
  sigset_t set;
  sigemptyset(&set);
  if (sigaddset(&set, signal) < 0) return -errno;
  return -pthread_sigmask(block ? SIG_BLOCK : SIG_UNBLOCK, &set, nullptr);
}

// The signal must be blocked where it is sent to, or its handler gets it instead. Only the calling
// thread's mask is touched: the other threads are not ours.
int64_t Signalfd(int signal) {
  sigset_t set;
  sigemptyset(&set);
  if (sigaddset(&set, signal) < 0) return -errno;
  ScopedFd fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.ok()) return -errno;
  const int64_t blocked = BlockSignal(signal, true);
  return blocked < 0 ? blocked : fd.Release();
}

int64_t RaiseSignal(int signal) { return -pthread_kill(pthread_self(), signal); }

int64_t Inotify(Text path) {
  ScopedFd fd(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!fd.ok()) return -errno;
  constexpr uint32_t kChanges =
      IN_CREATE | IN_DELETE | IN_MODIFY | IN_MOVE | IN_ATTRIB | IN_DELETE_SELF;
  if (inotify_add_watch(fd.get(), path.data, kChanges) < 0) return -errno;
  return fd.Release();
}

int64_t Pidfd(int pid) { return Result(syscall(SYS_pidfd_open, pid, 0)); }

int64_t Memfd() { return Result(syscall(SYS_memfd_create, "pollux-testkit", 1u)); }  // CLOEXEC

int64_t Userfaultfd() {
  constexpr int kUserModeOnly = 1;  // what unprivileged processes may have since Linux 5.11
  return Result(syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | kUserModeOnly));
}

int64_t SocketOf(int domain, int type, int protocol) {
  return Result(socket(domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
}

int64_t NetlinkSocket() { return SocketOf(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE); }
int64_t PacketSocket() { return SocketOf(AF_PACKET, SOCK_DGRAM, 0); }  // 0: receives nothing
int64_t VsockSocket() { return SocketOf(AF_VSOCK, SOCK_STREAM, 0); }

int64_t NestedEpoll() { return Result(epoll_create1(EPOLL_CLOEXEC)); }

int64_t NestedEpollAdd(int epoll, int fd) {
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.fd = fd;
  return Result(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
}

// The interface takes a free name (tun0, tun1 ...) and goes away with the descriptor.
int64_t Tun() {
  ScopedFd fd(open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (!fd.ok()) return -errno;
  ifreq request = {};
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  if (ioctl(fd.get(), TUNSETIFF, &request) < 0) return -errno;
  return fd.Release();
}

TESTKIT_EXPORT(eventfd, Eventfd);
TESTKIT_EXPORT(timerfd, Timerfd);
TESTKIT_EXPORT(blockSignal, BlockSignal);
TESTKIT_EXPORT(signalfd, Signalfd);
TESTKIT_EXPORT(raiseSignal, RaiseSignal);
TESTKIT_EXPORT(inotify, Inotify);
TESTKIT_EXPORT(pidfd, Pidfd);
TESTKIT_EXPORT(memfd, Memfd);
TESTKIT_EXPORT(userfaultfd, Userfaultfd);
TESTKIT_EXPORT(netlinkSocket, NetlinkSocket);
TESTKIT_EXPORT(packetSocket, PacketSocket);
TESTKIT_EXPORT(vsockSocket, VsockSocket);
TESTKIT_EXPORT(nestedEpoll, NestedEpoll);
TESTKIT_EXPORT(nestedEpollAdd, NestedEpollAdd);
TESTKIT_EXPORT(tun, Tun);

}  // namespace
}  // namespace testkit
