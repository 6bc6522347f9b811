// UDP echo with recvmmsg(2) and sendmmsg(2): all that waits, in two system calls for 64 datagrams.
#include <sys/epoll.h>

#include "server.h"

enum { BATCH = 64, SIZE = 2048 };

int main(void) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  const int fd = udp_socket();
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  event.data.fd = 0;
  epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &event);
  announce(fd);
  static char data[BATCH][SIZE];
  static struct sockaddr_in peers[BATCH];
  static struct iovec vectors[BATCH];
  static struct mmsghdr messages[BATCH];
  for (int i = 0; i < BATCH; i++) {
    vectors[i].iov_base = data[i];
    messages[i].msg_hdr = (struct msghdr){.msg_name = &peers[i],
                                          .msg_namelen = sizeof peers[i],
                                          .msg_iov = &vectors[i],
                                          .msg_iovlen = 1};
  }
  struct epoll_event events[2];
  for (;;) {
    const int count = epoll_wait(epoll, events, 2, -1);
    for (int i = 0; i < count; i++) {
      if (events[i].data.fd == 0) {
        on_control();
        continue;
      }
      int got;
      do {
        for (int k = 0; k < BATCH; k++) {
          vectors[k].iov_len = SIZE;
          messages[k].msg_hdr.msg_namelen = sizeof peers[k];
        }
        got = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);
        for (int k = 0; k < got; k++) vectors[k].iov_len = messages[k].msg_len;
        for (int sent = 0; sent < got;) {
          const int now = sendmmsg(fd, messages + sent, got - sent, 0);
          if (now <= 0) break;
          sent += now;
        }
        if (got > 0) served += got;
      } while (got == BATCH);
    }
  }
}
