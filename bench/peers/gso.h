// Generic segmentation and receive offload: many datagrams of one size as one buffer, cut or joined
// by the kernel (udp(7): UDP_SEGMENT since Linux 4.18, UDP_GRO since 5.0).
#ifndef BENCH_GSO_H
#define BENCH_GSO_H

#include <netinet/udp.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

/* 64 segments is what every kernel takes (128 since 6.9); 65,507 bytes fit an IPv4 datagram. */
enum { MAX_SEGMENTS = 64, MAX_BYTES = 65507 };

static inline int segments_of(int size) {
  return MAX_BYTES / size < MAX_SEGMENTS ? MAX_BYTES / size : MAX_SEGMENTS;
}

/* A control message that asks for segments of this size; `buffer` has CMSG_SPACE(2) bytes. */
static inline void ask_segments(struct msghdr* message, char* buffer, uint16_t size) {
  message->msg_control = buffer;
  message->msg_controllen = CMSG_SPACE(sizeof size);
  struct cmsghdr* control = CMSG_FIRSTHDR(message);
  control->cmsg_level = SOL_UDP;
  control->cmsg_type = UDP_SEGMENT;
  control->cmsg_len = CMSG_LEN(sizeof size);
  memcpy(CMSG_DATA(control), &size, sizeof size);
}

/* The size of the datagrams that these bytes were; the last may be smaller. */
static inline int segment_size(struct msghdr* message, int bytes) {
  for (struct cmsghdr* c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
    if (c->cmsg_level != SOL_UDP || c->cmsg_type != UDP_GRO) continue;
    int size;
    memcpy(&size, CMSG_DATA(c), sizeof size);
    return size;
  }
  return bytes;
}

#endif
