// FLOWS connected sockets, a window of WINDOW datagrams of SIZE bytes under way on each. What is
// lost is sent anew after 100 ms of silence, and told.
//
//   udp-echo PORT FLOWS WINDOW SIZE WARM_MS RUN_MS
#include "load.h"

enum { MAX_WINDOW = 64, MAX_FLOWS = 256, MAX_SIZE = 2048, SILENCE_MS = 100 };

static int epoll, flows, window, size;
static int fds[MAX_FLOWS];
static int under_way[MAX_FLOWS];
static long long lost;
static struct mmsghdr out[MAX_WINDOW], in[MAX_WINDOW];
static struct iovec out_vectors[MAX_WINDOW], in_vectors[MAX_WINDOW];
static char out_data[MAX_SIZE], in_data[MAX_WINDOW][MAX_SIZE];

static void ask(int flow, int count) {
  while (count > 0) {
    const int sent = sendmmsg(fds[flow], out, count, 0);
    if (sent <= 0) die("sendmmsg");
    under_way[flow] += sent;
    count -= sent;
  }
}

static long long run(double milliseconds) {
  struct epoll_event events[MAX_FLOWS];
  const double end = now_ms() + milliseconds;
  long long answers = 0;
  for (int i = 0; i < flows; i++) ask(i, window);
  for (;;) {
    const int count = epoll_wait(epoll, events, MAX_FLOWS, SILENCE_MS);
    const int over = now_ms() >= end;
    if (count == 0) {
      for (int i = 0; i < flows; i++) {
        lost += under_way[i];
        under_way[i] = 0;
        if (!over) ask(i, window);
      }
    }
    int busy = 0;
    for (int k = 0; k < count; k++) {
      const int flow = events[k].data.u32;
      const int got = recvmmsg(fds[flow], in, MAX_WINDOW, MSG_DONTWAIT, NULL);
      if (got <= 0) continue;
      answers += got;
      under_way[flow] -= got;
      /* An answer may come late to what was called lost. */
      if (under_way[flow] < 0) under_way[flow] = 0;
      if (!over) ask(flow, got);
    }
    if (!over) continue;
    for (int i = 0; i < flows; i++) busy += under_way[i];
    if (busy == 0) return answers;
  }
}

int main(int argc, char** argv) {
  if (argc != 7) return 2;
  flows = atoi(argv[2]);
  window = atoi(argv[3]);
  size = atoi(argv[4]);
  if (flows > MAX_FLOWS || window > MAX_WINDOW || size > MAX_SIZE) return 2;
  epoll = epoll_create1(EPOLL_CLOEXEC);
  for (int i = 0; i < flows; i++) {
    fds[i] = connect_to(SOCK_DGRAM, atoi(argv[1]));
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event);
  }
  for (int i = 0; i < MAX_WINDOW; i++) {
    out_vectors[i] = (struct iovec){out_data, size};
    in_vectors[i] = (struct iovec){in_data[i], MAX_SIZE};
    out[i].msg_hdr = (struct msghdr){.msg_iov = &out_vectors[i], .msg_iovlen = 1};
    in[i].msg_hdr = (struct msghdr){.msg_iov = &in_vectors[i], .msg_iovlen = 1};
  }
  run(atof(argv[5]));
  ready_and_wait();
  lost = 0;
  const double start = now_ms();
  const long long answers = run(atof(argv[6]));
  dprintf(1, "{\"messages\":%lld,\"seconds\":%.6f,\"lost\":%lld}\n", answers,
          (now_ms() - start) / 1e3, lost);
  return 0;
}
