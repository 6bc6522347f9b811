// What every C server of the benchmarks shares: its sockets, and how the harness asks it things.
//
// A server prints {"port":N} when it is ready. Each line on its standard input is a question, which
// it answers with what it has used and done so far; the end of the input ends it.
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* The same for every peer, Pollux included (bench/lib/options.mjs). */
enum { BACKLOG = 1024, UDP_BUFFER = 4 << 20, MAX_EVENTS = 1024 };

static long long served;

static inline void die(const char* what) {
  perror(what);
  exit(1);
}

static inline long long micros(struct timeval time) {
  return time.tv_sec * 1000000LL + time.tv_usec;
}

static inline void report(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  dprintf(1, "{\"user\":%lld,\"system\":%lld,\"served\":%lld}\n", micros(usage.ru_utime),
          micros(usage.ru_stime), served);
}

/* Call it when standard input is readable. */
static inline void on_control(void) {
  char line[64];
  if (read(0, line, sizeof line) <= 0) exit(0);
  report();
}

/* A thousand connections are more than the usual soft limit. Node raises it, too. */
static inline void raise_file_limit(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

static inline struct sockaddr_in loopback(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

static inline void announce(int fd) {
  struct sockaddr_in address;
  socklen_t length = sizeof address;
  if (getsockname(fd, (struct sockaddr*)&address, &length) < 0) die("getsockname");
  dprintf(1, "{\"port\":%d}\n", ntohs(address.sin_port));
}

static inline void set_option(int fd, int level, int name, int value) {
  if (setsockopt(fd, level, name, &value, sizeof value) < 0) die("setsockopt");
}

static inline int tcp_listener(void) {
  raise_file_limit();
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = loopback(0);
  if (fd < 0 || bind(fd, (struct sockaddr*)&address, sizeof address) < 0) die("bind");
  if (listen(fd, BACKLOG) < 0) die("listen");
  return fd;
}

static inline int udp_socket(void) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = loopback(0);
  if (fd < 0 || bind(fd, (struct sockaddr*)&address, sizeof address) < 0) die("bind");
  set_option(fd, SOL_SOCKET, SO_RCVBUF, UDP_BUFFER);
  set_option(fd, SOL_SOCKET, SO_SNDBUF, UDP_BUFFER);
  return fd;
}

#endif
