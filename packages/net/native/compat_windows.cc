// See compat_windows.h.
#include "compat_windows.h"

namespace pollux::net {
namespace {

WSABUF* BuffersOf(Vector* vectors) { return reinterpret_cast<WSABUF*>(vectors); }

// Into our hands: nonblocking, not inherited, and of a number that is an int's.
int Prepare(SOCKET socket) {
  if (socket == INVALID_SOCKET) return LastWinsockError();
  u_long on = 1;
  int error = 0;
  if (socket > INT32_MAX) {
    error = -EMFILE;
  } else if (ioctlsocket(socket, FIONBIO, &on) != 0) {
    error = LastWinsockError();
  } else {
    // Of an accepted socket; the others are made so.
    SetHandleInformation(reinterpret_cast<HANDLE>(socket), HANDLE_FLAG_INHERIT, 0);
    return static_cast<int>(socket);
  }
  closesocket(socket);
  return error;
}

// Of one send: Windows takes all that is offered, megabytes too, if there is room for a byte. Cut,
// a socket that is full is found to be so.
constexpr ULONG kMostAtOnce = 65536;

constexpr DWORD kFlags = WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT;

// The functions that have to be asked for; the same for every provider that we meet.
template <typename Function>
Function Extension(int fd, GUID id) {
  Function function = nullptr;
  DWORD size = 0;
  if (WSAIoctl(SocketOf(fd), SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof id, &function,
               sizeof function, &size, nullptr, nullptr) != 0) {
    return nullptr;
  }
  return function;
}

WSAMSG WinsockOf(msghdr* header) {
  WSAMSG message{};
  message.name = static_cast<sockaddr*>(header->msg_name);
  message.namelen = header->msg_namelen;
  message.lpBuffers = BuffersOf(header->msg_iov);
  message.dwBufferCount = header->msg_iovlen;
  message.Control.buf = static_cast<char*>(header->msg_control);
  message.Control.len = header->msg_controllen;
  return message;
}

// A refusal that has come back for what this socket sent is told as a reset.
int FromDatagramError(int code) {
  return code == WSAECONNRESET || code == WSAENETRESET ? -ECONNREFUSED : FromWinsock(code);
}

int64_t ReceiveMessage(int fd, LPFN_WSARECVMSG receive, msghdr* header) {
  DWORD length = 0;
  DWORD flags = 0;
  int result;
  if (receive != nullptr) {
    WSAMSG message = WinsockOf(header);
    result = receive(SocketOf(fd), &message, &length, nullptr, nullptr);
    flags = message.dwFlags;
    header->msg_namelen = message.namelen;
    header->msg_controllen = message.Control.len;
  } else {
    // A provider without it: what is told beside the bytes is not to be had.
    header->msg_controllen = 0;
    result = WSARecvFrom(SocketOf(fd), BuffersOf(header->msg_iov), header->msg_iovlen, &length,
                         &flags, static_cast<sockaddr*>(header->msg_name), &header->msg_namelen,
                         nullptr, nullptr);
  }
  header->msg_flags = flags;
  if (result == 0) return length;
  const int code = WSAGetLastError();
  if (code != WSAEMSGSIZE) return FromDatagramError(code);
  // It was longer, and is cut.
  header->msg_flags |= MSG_TRUNC;
  return header->msg_iov->iov_len;
}

int64_t SendMessageOf(int fd, msghdr* header) {
  DWORD length = 0;
  int result;
  if (header->msg_controllen > 0) {
    WSAMSG message = WinsockOf(header);
    result = WSASendMsg(SocketOf(fd), &message, 0, &length, nullptr, nullptr);
  } else {
    result = WSASendTo(SocketOf(fd), BuffersOf(header->msg_iov), header->msg_iovlen, &length, 0,
                       static_cast<const sockaddr*>(header->msg_name), header->msg_namelen, nullptr,
                       nullptr);
  }
  return result == 0 ? length : FromDatagramError(WSAGetLastError());
}

}  // namespace

int OpenSocket(int domain, int type) {
  return Prepare(WSASocketW(domain, type, 0, nullptr, 0, kFlags));
}

int SetNonblocking(int fd) {
  u_long on = 1;
  return ioctlsocket(SocketOf(fd), FIONBIO, &on) == 0 ? 0 : LastWinsockError();
}

// Not DuplicateHandle: Winsock keeps a list of what is its.
int DuplicateDescriptor(int fd) {
  WSAPROTOCOL_INFOW info;
  if (WSADuplicateSocketW(SocketOf(fd), GetCurrentProcessId(), &info) != 0) {
    return LastWinsockError();
  }
  return Prepare(
      WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, kFlags));
}

int AcceptConnection(int listener, sockaddr* address, socklen_t* length) {
  return Prepare(accept(SocketOf(listener), address, length));
}

bool IsLostConnection(int result) {
  switch (-result) {
    case ECONNABORTED:
    case ECONNRESET:  // accept(): it was indicated, and ended by the peer before it was taken
    case ENETDOWN:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ETIMEDOUT:
      return true;
    default:
      return false;
  }
}

void CloseDescriptor(int fd) { closesocket(SocketOf(fd)); }

void PrepareDatagrams(int fd) {
  sockaddr_storage peer{};
  int length = sizeof peer;
  BOOL told = getpeername(SocketOf(fd), reinterpret_cast<sockaddr*>(&peer), &length) == 0;
  DWORD size = 0;
  WSAIoctl(SocketOf(fd), SIO_UDP_CONNRESET, &told, sizeof told, nullptr, 0, &size, nullptr,
           nullptr);
}

int64_t ReceiveBytes(int fd, uint8_t* data, size_t room) {
  const int asked = room > INT32_MAX ? INT32_MAX : static_cast<int>(room);
  const int length = recv(SocketOf(fd), reinterpret_cast<char*>(data), asked, 0);
  return length < 0 ? LastWinsockError() : length;
}

int64_t SendVectors(int fd, Vector* vectors, int count) {
  int64_t total = 0;
  for (int from = 0; from < count;) {
    // As many as fit one call; the last may be cut.
    ULONG asked = 0;
    int to = from;
    ULONG cut = 0;
    while (to < count && asked < kMostAtOnce) {
      const ULONG room = kMostAtOnce - asked;
      Vector& vector = vectors[to++];
      if (vector.iov_len > room) {
        cut = vector.iov_len - room;
        vector.iov_len = room;
      }
      asked += vector.iov_len;
    }
    DWORD length = 0;
    if (WSASend(SocketOf(fd), BuffersOf(&vectors[from]), static_cast<DWORD>(to - from), &length, 0,
                nullptr, nullptr) != 0) {
      return total > 0 ? total : LastWinsockError();
    }
    total += length;
    if (length < asked) break;
    from = to;
    if (cut == 0) continue;
    Vector& last = vectors[--from];
    last.iov_base = static_cast<char*>(last.iov_base) + last.iov_len;
    last.iov_len = cut;
  }
  return total;
}

int ReceiveBatch(int fd, Message* messages, unsigned int count, int* failure) {
  *failure = 0;
  static LPFN_WSARECVMSG receive = nullptr;
  if (receive == nullptr) receive = Extension<LPFN_WSARECVMSG>(fd, WSAID_WSARECVMSG);
  unsigned int done = 0;
  while (done < count) {
    const int64_t length = ReceiveMessage(fd, receive, &messages[done].msg_hdr);
    if (length < 0) {
      if (done == 0) return static_cast<int>(length);
      if (!IsAgain(length)) *failure = static_cast<int>(length);
      break;
    }
    messages[done++].msg_len = static_cast<unsigned int>(length);
  }
  return static_cast<int>(done);
}

int SendBatch(int fd, Message* messages, unsigned int count) {
  unsigned int done = 0;
  while (done < count) {
    const int64_t length = SendMessageOf(fd, &messages[done].msg_hdr);
    if (length < 0) return done > 0 ? static_cast<int>(done) : static_cast<int>(length);
    messages[done++].msg_len = static_cast<unsigned int>(length);
  }
  return static_cast<int>(done);
}

}  // namespace pollux::net
