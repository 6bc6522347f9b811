// TCP echo with libevent, as in its book: evconnlistener, bufferevents, evbuffer_add_buffer.
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "server.h"

static void on_read(struct bufferevent* stream, void* context) {
  (void)context;
  evbuffer_add_buffer(bufferevent_get_output(stream), bufferevent_get_input(stream));
  served++;
}

static void on_event(struct bufferevent* stream, short what, void* context) {
  (void)context;
  if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) bufferevent_free(stream);
}

static void on_accept(struct evconnlistener* listener, evutil_socket_t fd, struct sockaddr* address,
                      int length, void* context) {
  (void)address, (void)length, (void)context;
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  struct bufferevent* stream =
      bufferevent_socket_new(evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);
  bufferevent_setcb(stream, on_read, NULL, on_event, NULL);
  bufferevent_enable(stream, EV_READ | EV_WRITE);
}

static void on_input(evutil_socket_t fd, short what, void* context) {
  (void)fd, (void)what, (void)context;
  on_control();
}

int main(void) {
  struct event_base* base = event_base_new();
  const int fd = tcp_listener();
  evconnlistener_new(base, on_accept, NULL, LEV_OPT_CLOSE_ON_FREE, 0, fd);
  event_add(event_new(base, 0, EV_READ | EV_PERSIST, on_input, NULL), NULL);
  announce(fd);
  event_base_dispatch(base);
  return 0;
}
