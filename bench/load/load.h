// What the load generators share. One prints {"ready":true} after a warm-up, with nothing under
// way; waits for a line on standard input; makes its load for the given time; waits until nothing
// is under way; prints what came of it. So the harness can ask the server before and after, and
// every microsecond that it has used belongs to a message that was counted.
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static inline void die(const char* what) {
  perror(what);
  exit(1);
}

static inline double now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

static inline void ready_and_wait(void) {
  char line[64];
  dprintf(1, "{\"ready\":true}\n");
  if (read(0, line, sizeof line) <= 0) exit(0);
}

static inline int connect_to(int type, int port) {
  const int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || connect(fd, (struct sockaddr*)&address, sizeof address) < 0) die("connect");
  if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0) die("fcntl");
  if (type == SOCK_STREAM) {
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  return fd;
}

#endif
