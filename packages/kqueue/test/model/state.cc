// What a descriptor is like for a filter: poll(2) says whether it is ready and ended,
// ioctl(2) and TCP_INFO the rest.
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "model.h"

namespace model {
namespace {

short Poll(int fd, short events) {
  pollfd asked{fd, events, 0};
  while (poll(&asked, 1, 0) < 0 && errno == EINTR) {
  }
  return asked.revents;
}

bool IsPipe(int fd) {
  struct stat status;
  return fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode);
}

bool IsSocket(int fd) {
  struct stat status;
  return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

int Option(int fd, int level, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  return getsockopt(fd, level, name, &value, &size) == 0 ? value : -1;
}

// Whether a TCP socket has said its own last word: shutdown(2) for writing.
bool HasFinished(int fd) {
  if (Option(fd, SOL_SOCKET, SO_PROTOCOL) != IPPROTO_TCP) return false;
  tcp_info info{};
  socklen_t size = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return false;
  switch (info.tcpi_state) {
    case TCP_FIN_WAIT1:
    case TCP_FIN_WAIT2:
    case TCP_CLOSING:
    case TCP_TIME_WAIT:
    case TCP_LAST_ACK:
      return true;
  }
  return false;
}

int64_t Backlog(int fd) {
  tcp_info info{};
  socklen_t size = sizeof info;
  const bool known = getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0;
  return known ? info.tcpi_unacked : 1;
}

int64_t Waiting(int fd) {
  if (Option(fd, SOL_SOCKET, SO_ACCEPTCONN) == 1) return Backlog(fd);
  int bytes = 0;
  return ioctl(fd, FIONREAD, &bytes) == 0 ? bytes : 0;
}

int64_t Space(int fd) {
  int queued = 0;
  const int buffer = Option(fd, SOL_SOCKET, SO_SNDBUF);
  if (buffer < 0) return 1;
  if (ioctl(fd, SIOCOUTQ, &queued) != 0) return 1;
  return buffer > queued ? buffer - queued : 0;
}

// A pending error cannot be read without taking it away, so it always has the one name.
unsigned Cause(short revents, int fd) {
  return revents & POLLERR && IsSocket(fd) ? static_cast<unsigned>(TheVariant().broken) : 0;
}

State Input(int fd) {
  const short revents = Poll(fd, POLLIN | POLLRDHUP);
  State state{};
  state.active = (revents & (POLLIN | POLLRDHUP | POLLHUP | POLLERR)) != 0;
  if (!state.active) return state;
  state.data = Waiting(fd);
  // A socket that was never connected is hung up to Linux, and has no end to a BSD.
  const short ends = IsSocket(fd) ? POLLRDHUP : POLLHUP;
  const bool broken_pipe = revents & POLLERR && IsPipe(fd);
  if (revents & ends || broken_pipe) {
    state.flags = EV_EOF;
    state.fflags = Cause(revents, fd);
  }
  return state;
}

State Output(int fd) {
  const short revents = Poll(fd, POLLOUT);
  State state{};
  const bool broken_pipe = revents & POLLERR && IsPipe(fd);
  const bool finished = HasFinished(fd);
  state.active = (revents & (POLLOUT | POLLHUP | POLLERR)) != 0 || finished;
  if (!state.active) return state;
  state.data = Space(fd);
  if (revents & POLLHUP || broken_pipe || finished) {
    state.flags = EV_EOF;
    state.fflags = Cause(revents, fd);
  }
  return state;
}

State Urgent(int fd) {
  const short revents = Poll(fd, POLLPRI);
  State state{};
  state.active = (revents & POLLPRI) != 0;
  state.fflags = NOTE_OOB;
  return state;
}

}  // namespace

const Variant& TheVariant() {
  static const Variant variant = [] {
    const char* asked = getenv("POLLUX_KQUEUE_MODEL");
    if (asked == nullptr) asked = "freebsd";
    Variant chosen = strncmp(asked, "contrary", 8) == 0
                         ? Variant{false, true, false, false, EPIPE}
                         : Variant{true, true, true, true, ECONNRESET};
    if (strstr(asked, ",no-user")) chosen.has_user = false;
    if (strstr(asked, ",no-except")) chosen.has_except = false;
    return chosen;
  }();
  return variant;
}

int Acceptable(int fd, int filter) {
  struct stat status;
  if (fstat(fd, &status) != 0) return errno;
  if (filter == EVFILT_EXCEPT && !S_ISSOCK(status.st_mode)) return EINVAL;
  if (filter == EVFILT_WRITE && TheVariant().refuses_readerless_pipe && S_ISFIFO(status.st_mode) &&
      (fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY && Poll(fd, POLLOUT) & POLLERR) {
    return EPIPE;
  }
  // A kqueue has no way to be written to.
  if (filter == EVFILT_WRITE && Kqueue::Find(fd) != nullptr) return EINVAL;
  return 0;
}

State StateOf(const Knote& knote) {
  const int fd = static_cast<int>(knote.event.ident);
  switch (knote.event.filter) {
    case EVFILT_READ:
      return Input(fd);
    case EVFILT_WRITE:
      return Output(fd);
    case EVFILT_EXCEPT:
      return Urgent(fd);
    case EVFILT_USER:
      return State{knote.triggered, 0, 0, 0};
  }
  return State{true, 0, 0, 0};  // a source of its own, which epoll has found ready
}

}  // namespace model
