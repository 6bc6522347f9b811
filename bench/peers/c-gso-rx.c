// Receives datagrams with recvmmsg(2) and GRO, all that waits at once, cuts the trains apart and
// calls a function for each datagram, as a server would. It is the sink for senders, too.
#include <sys/epoll.h>

#include "gso.h"
#include "server.h"

enum { TRAINS = 32, TRAIN_BYTES = 65536 };

static __attribute__((noinline)) void on_datagram(const char* data, int length) {
  __asm__ volatile("" : : "r"(data), "r"(length) : "memory"); /* it may read them */
  served++;
}

static void receive_trains(int fd) {
  static char data[TRAINS][TRAIN_BYTES];
  static char controls[TRAINS][CMSG_SPACE(sizeof(int))];
  static struct sockaddr_in peers[TRAINS];
  static struct iovec vectors[TRAINS];
  static struct mmsghdr messages[TRAINS];
  for (int i = 0; i < TRAINS; i++) {
    vectors[i] = (struct iovec){data[i], TRAIN_BYTES};
    messages[i].msg_hdr = (struct msghdr){.msg_name = &peers[i],
                                          .msg_namelen = sizeof peers[i],
                                          .msg_iov = &vectors[i],
                                          .msg_iovlen = 1,
                                          .msg_control = controls[i],
                                          .msg_controllen = sizeof controls[i]};
  }
  const int got = recvmmsg(fd, messages, TRAINS, MSG_DONTWAIT, NULL);
  for (int i = 0; i < got; i++) {
    const int bytes = messages[i].msg_len;
    const int size = segment_size(&messages[i].msg_hdr, bytes);
    for (int at = 0; at < bytes; at += size)
      on_datagram(data[i] + at, bytes - at < size ? bytes - at : size);
  }
}

int main(void) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  const int fd = udp_socket();
  set_option(fd, SOL_UDP, UDP_GRO, 1);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  event.data.fd = 0;
  epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &event);
  announce(fd);
  struct epoll_event events[2];
  for (;;) {
    const int count = epoll_wait(epoll, events, 2, -1);
    for (int i = 0; i < count; i++) {
      if (events[i].data.fd == 0) {
        on_control();
      } else {
        receive_trains(fd);
      }
    }
  }
}
