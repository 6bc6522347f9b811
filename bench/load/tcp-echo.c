// N connections, one message of SIZE bytes under way on each.
//
//   tcp-echo PORT CONNECTIONS SIZE WARM_MS RUN_MS
#include "load.h"

enum { MAX_EVENTS = 1024 };

static int epoll, connections, size;
static int* left; /* bytes of the answer that are missing, by descriptor */
static int* fds;
static char data[65536];

static void ask(int fd) {
  left[fd] = size;
  if (write(fd, data, size) != size) die("write");
}

/* Returns how many answers came. */
static long long run(double milliseconds) {
  static struct epoll_event events[MAX_EVENTS];
  const double end = now_ms() + milliseconds;
  long long answers = 0;
  int under_way = connections;
  for (int i = 0; i < connections; i++) ask(fds[i]);
  while (under_way > 0) {
    const int count = epoll_wait(epoll, events, MAX_EVENTS, 5000);
    if (count == 0) {
      fprintf(stderr, "tcp-echo: %d connections without an answer for 5 s\n", under_way);
      exit(1);
    }
    const int over = now_ms() >= end;
    for (int i = 0; i < count; i++) {
      const int fd = events[i].data.fd;
      const ssize_t got = read(fd, data, left[fd]);
      if (got <= 0) die("read");
      left[fd] -= got;
      if (left[fd] > 0) continue;
      answers++;
      if (over) {
        under_way--;
      } else {
        ask(fd);
      }
    }
  }
  return answers;
}

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  const int port = atoi(argv[1]);
  connections = atoi(argv[2]);
  size = atoi(argv[3]);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  fds = calloc(connections, sizeof *fds);
  left = calloc(connections + 64, sizeof *left);
  for (int i = 0; i < connections; i++) {
    fds[i] = connect_to(SOCK_STREAM, port);
    if (fds[i] >= connections + 64) die("descriptor numbers");
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fds[i]};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event);
  }
  run(atof(argv[4]));
  ready_and_wait();
  const double start = now_ms();
  const long long answers = run(atof(argv[5]));
  dprintf(1, "{\"messages\":%lld,\"seconds\":%.6f}\n", answers, (now_ms() - start) / 1e3);
  return 0;
}
