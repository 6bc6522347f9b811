// No primitive of Windows is a descriptor that libuv could poll, so the wait thread is the only
// driver there and nothing of this is ever reached with a descriptor. See uv_loop.h.
#include <errno.h>

#include "pollux/uv_loop.h"

namespace pollux {

int UvLoop::Start(napi_env, Fd, Ready, void*) { return -ENOSYS; }
void UvLoop::Pause() {}
int UvLoop::Resume() { return -ENOSYS; }
void UvLoop::KeepAlive(bool) {}
void UvLoop::Stop() {}

}  // namespace pollux
