// UDP echo as one writes it by hand: one epoll, then recvfrom and sendto until nothing is left.
#include <sys/epoll.h>

#include "server.h"

int main(void) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  const int fd = udp_socket();
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  event.data.fd = 0;
  epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &event);
  announce(fd);
  struct epoll_event events[2];
  static char data[65536];
  for (;;) {
    const int count = epoll_wait(epoll, events, 2, -1);
    for (int i = 0; i < count; i++) {
      if (events[i].data.fd == 0) {
        on_control();
        continue;
      }
      struct sockaddr_in peer;
      for (;;) {
        socklen_t length = sizeof peer;
        const ssize_t got = recvfrom(fd, data, sizeof data, 0, (struct sockaddr*)&peer, &length);
        if (got < 0) break;
        sendto(fd, data, got, 0, (struct sockaddr*)&peer, length);
        served++;
      }
    }
  }
}
