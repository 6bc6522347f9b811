// libevent's own benchmark, test/bench.c of its sources, on the present API: N socketpairs, ACTIVE
// of them written to, each reader writes to the next pair until N writes are made. In each round
// every event is deleted and added anew.
//
//   libevent-cascade PAIRS ACTIVE [avoided method]
//
// It prints {"ready":true}. "ms T" makes rounds for T milliseconds, "rounds R" so many; it answers
// with what they took.
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/util.h>
#include <stdint.h>
#include <time.h>

#include "server.h"

static struct event_base* base;
static struct event* events;
static int pairs, active;
static int* fds;
static int count, fired, writes;

static double now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

static void on_read(evutil_socket_t fd, short what, void* context) {
  (void)what;
  char byte;
  if (recv(fd, &byte, 1, 0) == 1) count++;
  if (writes == 0) return;
  const int next = ((intptr_t)context + 1) % pairs;
  if (send(fds[2 * next + 1], "e", 1, 0) != 1) die("send");
  writes--;
  fired++;
}

static void round_once(void) {
  for (int i = 0; i < pairs; i++) {
    if (event_initialized(&events[i])) event_del(&events[i]);
    event_assign(&events[i], base, fds[2 * i], EV_READ | EV_PERSIST, on_read, (void*)(intptr_t)i);
    event_add(&events[i], NULL);
  }
  event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
  count = 0;
  writes = pairs;
  for (fired = 0; fired < active; fired++)
    if (send(fds[2 * fired * (pairs / active) + 1], "e", 1, 0) != 1) die("send");
  do {
    event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
  } while (count != fired);
  served += fired;
}

static void measure(const char* line) {
  int rounds = 0;
  const double start = now_ms();
  const long limit = strtol(strchr(line, ' '), NULL, 10);
  const int by_time = line[0] == 'm';
  struct rusage before, after;
  getrusage(RUSAGE_SELF, &before);
  const long long events_before = served;
  while (by_time ? now_ms() - start < limit : rounds < limit) {
    round_once();
    rounds++;
  }
  getrusage(RUSAGE_SELF, &after);
  dprintf(1, "{\"rounds\":%d,\"events\":%lld,\"wall\":%.0f,\"user\":%lld,\"system\":%lld}\n",
          rounds, served - events_before, (now_ms() - start) * 1e3,
          micros(after.ru_utime) - micros(before.ru_utime),
          micros(after.ru_stime) - micros(before.ru_stime));
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  pairs = atoi(argv[1]);
  active = atoi(argv[2]);
  raise_file_limit();
  struct event_config* config = event_config_new();
  for (int i = 3; i < argc; i++) event_config_avoid_method(config, argv[i]);
  base = event_base_new_with_config(config);
  fds = calloc(2 * pairs, sizeof *fds);
  events = calloc(pairs, sizeof *events);
  for (int i = 0; i < pairs; i++)
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds + 2 * i) < 0)
      die("socketpair");
  dprintf(1, "{\"ready\":true,\"method\":\"%s\"}\n", event_base_get_method(base));
  char line[64] = "";
  while (read(0, line, sizeof line - 1) > 0) measure(line);
  return 0;
}
