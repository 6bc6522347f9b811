// The errors of Winsock as errnos, the only language of the native side. (core finds the name of an
// errno, and by its name Node's own number.)
#pragma once

#include <errno.h>

#include "pollux/fd.h"
#include "pollux/windows.h"

namespace pollux {

// A negative errno for a code of WSAGetLastError.
inline int FromWinsock(int code) {
  switch (code) {
    case WSAEINTR:
      return -EINTR;
    case WSAEBADF:
      return -EBADF;
    case WSAEACCES:
      return -EACCES;
    case WSAEFAULT:
      return -EFAULT;
    case WSAEINVAL:
      return -EINVAL;
    case WSAEMFILE:
      return -EMFILE;
    case WSAEWOULDBLOCK:
      return -EAGAIN;
    case WSAEINPROGRESS:
      return -EINPROGRESS;
    case WSAEALREADY:
      return -EALREADY;
    case WSAENOTSOCK:
      return -ENOTSOCK;
    case WSAEDESTADDRREQ:
      return -EDESTADDRREQ;
    case WSAEMSGSIZE:
      return -EMSGSIZE;
    case WSAEPROTOTYPE:
      return -EPROTOTYPE;
    case WSAENOPROTOOPT:
      return -ENOPROTOOPT;
    case WSAEPROTONOSUPPORT:
      return -EPROTONOSUPPORT;
    case WSAEOPNOTSUPP:
      return -EOPNOTSUPP;
    case WSAEAFNOSUPPORT:
      return -EAFNOSUPPORT;
    case WSAEADDRINUSE:
      return -EADDRINUSE;
    case WSAEADDRNOTAVAIL:
      return -EADDRNOTAVAIL;
    case WSAENETDOWN:
      return -ENETDOWN;
    case WSAENETUNREACH:
      return -ENETUNREACH;
    case WSAENETRESET:
      return -ENETRESET;
    case WSAECONNABORTED:
      return -ECONNABORTED;
    case WSAECONNRESET:
      return -ECONNRESET;
    case WSAENOBUFS:
      return -ENOBUFS;
    case WSAEISCONN:
      return -EISCONN;
    case WSAENOTCONN:
      return -ENOTCONN;
    // After a shutdown of the own sending side; POSIX says EPIPE.
    case WSAESHUTDOWN:
      return -EPIPE;
    case WSAETIMEDOUT:
      return -ETIMEDOUT;
    case WSAECONNREFUSED:
      return -ECONNREFUSED;
    case WSAENAMETOOLONG:
      return -ENAMETOOLONG;
    case WSAEHOSTUNREACH:
      return -EHOSTUNREACH;
    case WSA_NOT_ENOUGH_MEMORY:
      return -ENOMEM;
    case WSANOTINITIALISED:
    case WSASYSNOTREADY:
      return -ENOSYS;
    default:
      return -EINVAL;
  }
}

inline int LastWinsockError() { return FromWinsock(WSAGetLastError()); }

// Of a number that is no socket: -EBADF if it is nothing at all, -ENOTSOCK if it is another handle.
// The two low bits of a handle are ignored by the system, so a number that has them is none of its.
inline int NoSocket(Fd fd) {
  DWORD flags;
  if (fd == 0 || (fd & 3) != 0) return -EBADF;
  return GetHandleInformation(reinterpret_cast<HANDLE>(fd), &flags) ? -ENOTSOCK : -EBADF;
}

}  // namespace pollux
