// A TCP server as one writes it by hand: one epoll, level-triggered, one read and one write per
// event. Whoever includes it says what is answered.
#ifndef BENCH_EPOLL_TCP_H
#define BENCH_EPOLL_TCP_H

#include <sys/epoll.h>

#include "server.h"

/* Puts the answer to `got` bytes in their place, and returns its length. */
static ssize_t answer(char* data, ssize_t got);

int main(void) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  const int listener = tcp_listener();
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  event.data.fd = 0;
  epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &event);
  announce(listener);
  static struct epoll_event events[MAX_EVENTS];
  static char data[65536];
  for (;;) {
    const int count = epoll_wait(epoll, events, MAX_EVENTS, -1);
    for (int i = 0; i < count; i++) {
      const int fd = events[i].data.fd;
      if (fd == 0) {
        on_control();
      } else if (fd == listener) {
        const int stream = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (stream < 0) continue;
        set_option(stream, IPPROTO_TCP, TCP_NODELAY, 1);
        event.data.fd = stream;
        epoll_ctl(epoll, EPOLL_CTL_ADD, stream, &event);
      } else {
        const ssize_t got = read(fd, data, sizeof data);
        if (got <= 0) {
          if (got == 0 || errno != EAGAIN) close(fd);
          continue;
        }
        // One answer under way always fits the send buffer.
        const ssize_t size = answer(data, got);
        if (write(fd, data, size) != size) close(fd);
        served++;
      }
    }
  }
}

#endif
