// Sends datagrams of SIZE bytes as fast as it can, in trains cut by the kernel (UDP_SEGMENT), so
// that the receiver is what is saturated: much of it is dropped there, on this side's core.
//
//   udp-blast PORT SIZE WARM_MS RUN_MS
#include "../peers/gso.h"
#include "load.h"

static int fd, segments;
static struct msghdr message;

static long long run(double milliseconds) {
  const double end = now_ms() + milliseconds;
  long long sent = 0;
  while (now_ms() < end) {
    if (sendmsg(fd, &message, 0) < 0) {
      if (errno == EAGAIN || errno == ENOBUFS) continue;
      die("sendmsg");
    }
    sent += segments;
  }
  return sent;
}

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const int size = atoi(argv[2]);
  segments = segments_of(size);
  fd = connect_to(SOCK_DGRAM, atoi(argv[1]));
  static char data[MAX_BYTES];
  char control[CMSG_SPACE(sizeof(uint16_t))];
  struct iovec vector = {data, (size_t)size * segments};
  message = (struct msghdr){.msg_iov = &vector, .msg_iovlen = 1};
  ask_segments(&message, control, size);
  run(atof(argv[3]));
  usleep(100000);
  ready_and_wait();
  const double start = now_ms();
  const long long sent = run(atof(argv[4]));
  const double seconds = (now_ms() - start) / 1e3;
  usleep(100000); /* the receiver empties its buffer */
  dprintf(1, "{\"messages\":%lld,\"seconds\":%.6f}\n", sent, seconds);
  return 0;
}
