// HTTP/1.1 keep-alive: N connections, one GET under way on each. An answer is its head and as many
// bytes as Content-Length says; one that is not 200, or has no length, ends the run.
//
//   http PORT CONNECTIONS WARM_MS RUN_MS
#include "load.h"

enum { MAX_EVENTS = 1024, MAX_ANSWER = 8192 };

typedef struct {
  int fd;
  int have;
  char data[MAX_ANSWER + 1];
} connection;

static const char request[] = "GET /bench HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
static int epoll, connections;
static connection* all;

static void fail(const char* what, const connection* c) {
  fprintf(stderr, "http: %s:\n%s\n", what, c->data);
  exit(1);
}

static void ask(connection* c) {
  c->have = 0;
  if (write(c->fd, request, sizeof request - 1) != sizeof request - 1) die("write");
}

static int is_whole(connection* c) {
  c->data[c->have] = 0;
  const char* end = strstr(c->data, "\r\n\r\n");
  if (end == NULL) return 0;
  if (strncmp(c->data, "HTTP/1.1 200 ", 13) != 0) fail("not 200", c);
  const char* length = strcasestr(c->data, "\r\nContent-Length:");
  if (length == NULL || length > end) fail("no Content-Length", c);
  const int whole = end + 4 - c->data + atoi(length + strlen("\r\nContent-Length:"));
  if (c->have > whole) fail("more than was asked for", c);
  return c->have == whole;
}

static long long run(double milliseconds) {
  static struct epoll_event events[MAX_EVENTS];
  const double end = now_ms() + milliseconds;
  long long answers = 0;
  int under_way = connections;
  for (int i = 0; i < connections; i++) ask(&all[i]);
  while (under_way > 0) {
    const int count = epoll_wait(epoll, events, MAX_EVENTS, 5000);
    if (count == 0) {
      fprintf(stderr, "http: %d connections without an answer for 5 s\n", under_way);
      exit(1);
    }
    const int over = now_ms() >= end;
    for (int i = 0; i < count; i++) {
      connection* c = events[i].data.ptr;
      const ssize_t got = read(c->fd, c->data + c->have, MAX_ANSWER - c->have);
      if (got <= 0) die("read");
      c->have += got;
      if (!is_whole(c)) continue;
      answers++;
      if (over) {
        under_way--;
      } else {
        ask(c);
      }
    }
  }
  return answers;
}

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  connections = atoi(argv[2]);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  all = calloc(connections, sizeof *all);
  for (int i = 0; i < connections; i++) {
    all[i].fd = connect_to(SOCK_STREAM, atoi(argv[1]));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[i]};
    epoll_ctl(epoll, EPOLL_CTL_ADD, all[i].fd, &event);
  }
  run(atof(argv[3]));
  ready_and_wait();
  const double start = now_ms();
  const long long answers = run(atof(argv[4]));
  dprintf(1, "{\"messages\":%lld,\"seconds\":%.6f}\n", answers, (now_ms() - start) / 1e3);
  return 0;
}
