// TCP echo with libuv, as in its guide: a buffer from malloc per read, a request per write.
#include <uv.h>

#include "server.h"

typedef struct {
  uv_write_t request;
  uv_buf_t buffer;
} write_request;

static void on_alloc(uv_handle_t* handle, size_t suggested, uv_buf_t* buffer) {
  (void)handle;
  buffer->base = malloc(suggested);
  buffer->len = suggested;
}

static void on_close(uv_handle_t* handle) { free(handle); }

static void on_write(uv_write_t* request, int status) {
  (void)status;
  write_request* ours = (write_request*)request;
  free(ours->buffer.base);
  free(ours);
}

static void on_read(uv_stream_t* stream, ssize_t got, const uv_buf_t* buffer) {
  if (got > 0) {
    write_request* request = malloc(sizeof *request);
    request->buffer = uv_buf_init(buffer->base, got);
    uv_write(&request->request, stream, &request->buffer, 1, on_write);
    served++;
    return;
  }
  if (got < 0) uv_close((uv_handle_t*)stream, on_close);
  free(buffer->base);
}

static void on_connection(uv_stream_t* server, int status) {
  if (status < 0) return;
  uv_tcp_t* stream = malloc(sizeof *stream);
  uv_tcp_init(server->loop, stream);
  if (uv_accept(server, (uv_stream_t*)stream) != 0) {
    uv_close((uv_handle_t*)stream, on_close);
    return;
  }
  uv_tcp_nodelay(stream, 1);
  uv_read_start((uv_stream_t*)stream, on_alloc, on_read);
}

static void on_input(uv_poll_t* poll, int status, int events) {
  (void)poll, (void)status, (void)events;
  on_control();
}

int main(void) {
  uv_loop_t* loop = uv_default_loop();
  static uv_tcp_t server;
  static uv_poll_t input;
  uv_tcp_init(loop, &server);
  struct sockaddr_in address = loopback(0);
  uv_tcp_bind(&server, (const struct sockaddr*)&address, 0);
  if (uv_listen((uv_stream_t*)&server, BACKLOG, on_connection) != 0) die("uv_listen");
  uv_poll_init(loop, &input, 0);
  uv_poll_start(&input, UV_READABLE, on_input);
  uv_os_fd_t fd;
  uv_fileno((uv_handle_t*)&server, &fd);
  announce(fd);
  return uv_run(loop, UV_RUN_DEFAULT);
}
