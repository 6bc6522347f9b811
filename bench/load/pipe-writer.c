// Writes the time, CLOCK_MONOTONIC in nanoseconds, into a pipe every two milliseconds.
//
//   pipe-writer FIFO WARM_MS RUN_MS
#include <stdint.h>

#include "load.h"

enum { PERIOD_NS = 2000000 };

static int64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static long long run(int fd, double milliseconds) {
  const int64_t end = now_ns() + milliseconds * 1e6;
  long long messages = 0;
  for (int64_t next = now_ns(); next < end; next += PERIOD_NS) {
    const struct timespec until = {next / 1000000000, next % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0) continue;
    const int64_t stamp = now_ns();
    if (write(fd, &stamp, sizeof stamp) != sizeof stamp) die("write");
    messages++;
  }
  usleep(50000); /* the last one arrives */
  return messages;
}

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const int fd = open(argv[1], O_WRONLY | O_CLOEXEC);
  if (fd < 0) die("open");
  run(fd, atof(argv[2]));
  ready_and_wait();
  dprintf(1, "{\"messages\":%lld}\n", run(fd, atof(argv[3])));
  char line[64];
  return read(0, line, sizeof line) < 0; /* an end of the pipe would be an event, too */
}
