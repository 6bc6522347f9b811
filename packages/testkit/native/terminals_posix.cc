// A pseudoterminal: the one descriptor that an interactive program always has.
#include <stdlib.h>
#include <string.h>
#include <termios.h>

#include "binding.h"
#include "scoped_fd.h"

namespace testkit {
namespace {

// Writes [master, slave] and the slave's path, and returns the path's length. Raw: bytes go through
// as they are. Otherwise the line discipline echoes, and gives whole lines only.
int64_t Pty(bool raw, Ints out, Bytes name) {
  if (out.size < 2) return -EINVAL;
  ScopedFd master(posix_openpt(O_RDWR | O_NOCTTY));
  if (!master.ok() || SetFlags(master.get()) < 0) return -errno;
  if (grantpt(master.get()) < 0 || unlockpt(master.get()) < 0) return -errno;
  const char* path = ptsname(master.get());
  if (path == nullptr) return -errno;
  const size_t length = strlen(path);
  if (length > name.size) return -ERANGE;
  memcpy(name.data, path, length);
  ScopedFd slave(open(path, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  if (!slave.ok()) return -errno;
  if (raw) {
    termios settings;
    if (tcgetattr(slave.get(), &settings) < 0) return -errno;
    cfmakeraw(&settings);
    if (tcsetattr(slave.get(), TCSANOW, &settings) < 0) return -errno;
  }
  out.data[0] = master.Release();
  out.data[1] = slave.Release();
  return static_cast<int64_t>(length);
}

TESTKIT_EXPORT(pty, Pty);

}  // namespace
}  // namespace testkit
