// Sends datagrams as fast as it can, from the first line on its standard input. A function takes
// each datagram, copies it to the train, and sends the train when it is full: up to 64 datagrams to
// a sendmsg(2) with UDP_SEGMENT.
//
//   c-gso-tx PORT SIZE
#include <poll.h>

#include "gso.h"
#include "server.h"

enum { DATAGRAMS_PER_LOOK = 4096 };

static int fd, segments, queued;
static char train[MAX_BYTES];
static struct iovec vector = {train, 0};
static struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};

static void flush(void) {
  while (sendmsg(fd, &message, 0) < 0) {
    if (errno != EAGAIN) die("sendmsg");
    struct pollfd room = {.fd = fd, .events = POLLOUT};
    poll(&room, 1, 100);
  }
  served += queued;
  vector.iov_len = queued = 0;
}

static __attribute__((noinline)) void send_datagram(const char* data, int length) {
  memcpy(train + vector.iov_len, data, length);
  vector.iov_len += length;
  if (++queued == segments) flush();
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const int size = atoi(argv[2]);
  segments = segments_of(size);
  fd = udp_socket();
  const struct sockaddr_in peer = loopback(atoi(argv[1]));
  if (connect(fd, (const struct sockaddr*)&peer, sizeof peer) < 0) die("connect");
  static char data[MAX_BYTES];
  char control[CMSG_SPACE(sizeof(uint16_t))];
  ask_segments(&message, control, size);
  announce(fd);
  struct pollfd look = {.fd = 0, .events = POLLIN};
  poll(&look, 1, -1);
  on_control();
  for (;;) {
    if (poll(&look, 1, 0) > 0) on_control();
    for (int i = 0; i < DATAGRAMS_PER_LOOK; i++) send_datagram(data, size);
  }
}
