// An HTTP hello on epoll that reads nothing of a request but where it ends: what the kernel's share
// is, and so the least that a request can cost. The answer is that of the others (lib/hello.mjs).
#include "epoll-tcp.h"

static const char hello[] =
    "HTTP/1.1 200 OK\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n"
    "Content-Length: 12\r\n"
    "Connection: keep-alive\r\n\r\n"
    "hello bench\n";

static ssize_t answer(char* data, ssize_t got) {
  if (got < 4 || memcmp(data + got - 4, "\r\n\r\n", 4) != 0) die("not a whole request");
  memcpy(data, hello, sizeof hello - 1);
  return sizeof hello - 1;
}
