// Addresses: between text and the slots in which they travel (net.h).
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "compat.h"
#include "interfaces.h"
#include "slots.h"
#include "unix.h"

namespace pollux::net {
namespace {

static_assert(sizeof(sockaddr_in6) <= kSlotRoom && sizeof(sockaddr_un) <= kSlotRoom);

}  // namespace

int EncodeAddress(OwnedFds*, Text text, int port, Bytes slots, int offset) {
  uint8_t* slot = SlotAt(slots, offset);
  if (slot == nullptr || port < 0 || port > 65535) return -EINVAL;

  sockaddr_in v4{};
  if (inet_pton(AF_INET, text.data, &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(static_cast<uint16_t>(port));
    PutSlot(slot, &v4, sizeof v4);
    return kFamilyIpv4;
  }

  sockaddr_in6 v6{};
  char* zone = strchr(text.data, '%');
  if (zone != nullptr) {
    *zone++ = '\0';
    v6.sin6_scope_id = ZoneIndex(zone);
    if (v6.sin6_scope_id == 0) return -EINVAL;
  }
  if (inet_pton(AF_INET6, text.data, &v6.sin6_addr) != 1) return -EINVAL;
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(static_cast<uint16_t>(port));
  PutSlot(slot, &v6, sizeof v6);
  return kFamilyIpv6;
}

int FormatAddress(OwnedFds*, Bytes slots, int offset, Bytes text, Words out) {
  const uint8_t* slot = SlotAt(slots, offset);
  if (slot == nullptr || out.size < 2) return -EINVAL;
  out.data[0] = kFamilyNone;
  out.data[1] = 0;
  const Address any = ReadSlot(slot);

  // With a zone: "%" and what the interface is called there.
  char formatted[INET6_ADDRSTRLEN + 1 + kZoneRoom];
  if (any.family() == AF_INET && any.size() >= sizeof(sockaddr_in)) {
    sockaddr_in v4;
    memcpy(&v4, &any.storage, sizeof v4);
    if (inet_ntop(AF_INET, &v4.sin_addr, formatted, sizeof formatted) == nullptr) return -ENOSPC;
    out.data[0] = kFamilyIpv4;
    out.data[1] = ntohs(v4.sin_port);
  } else if (any.family() == AF_INET6 && any.size() >= sizeof(sockaddr_in6)) {
    sockaddr_in6 v6;
    memcpy(&v6, &any.storage, sizeof v6);
    if (inet_ntop(AF_INET6, &v6.sin6_addr, formatted, sizeof formatted) == nullptr) return -ENOSPC;
    if (v6.sin6_scope_id != 0) {
      char* end = formatted + strlen(formatted);
      *end++ = '%';
      ZoneName(v6.sin6_scope_id, end);
    }
    out.data[0] = kFamilyIpv6;
    out.data[1] = ntohs(v6.sin6_port);
  } else {
    return 0;
  }
  const size_t size = strlen(formatted);
  if (size > text.size) return -ENOSPC;
  memcpy(text.data, formatted, size);
  return static_cast<int>(size);
}

int EncodePath(OwnedFds*, Bytes path, Bytes slots, int offset) {
  uint8_t* slot = SlotAt(slots, offset);
  if (slot == nullptr) return -EINVAL;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const bool named = path.size > 0;
  const bool abstract = named && path.data[0] == '\0';
#ifndef __linux__  // no header tells: it is the meaning of an address, not the form
  if (abstract || !named) return -EOPNOTSUPP;
#endif
  // A path ends with a NUL, though Linux would do without; an abstract name is as long as it is.
  const size_t terminator = named && !abstract ? 1 : 0;
  if (path.size + terminator > sizeof address.sun_path) return -ENAMETOOLONG;
  if (!abstract && named && memchr(path.data, '\0', path.size) != nullptr) return -EINVAL;
  if (named) memcpy(address.sun_path, path.data, path.size);
  PutSlot(slot, &address, offsetof(sockaddr_un, sun_path) + path.size + terminator);
  return kFamilyUnix;
}

int DecodePath(OwnedFds*, Bytes slots, int offset, Bytes path) {
  const uint8_t* slot = SlotAt(slots, offset);
  if (slot == nullptr) return -EINVAL;
  const uint32_t length = SlotLength(slot);
  sockaddr_un address{};
  memcpy(&address, slot, length < sizeof address ? length : sizeof address);
  if (length < offsetof(sockaddr_un, sun_path)) return length == 0 ? 0 : -EAFNOSUPPORT;
  if (address.sun_family != AF_UNIX) return -EAFNOSUPPORT;
  size_t size = length - offsetof(sockaddr_un, sun_path);
  if (size > sizeof address.sun_path) size = sizeof address.sun_path;
#ifdef __linux__  // abstract names begin with a NUL there, and are as long as they are
  if (size > 0 && address.sun_path[0] != '\0') size = strnlen(address.sun_path, size);
#else  // the BSDs' "no name" is a sockaddr full of NULs
  size = strnlen(address.sun_path, size);
#endif
  if (size > path.size) return -ENOSPC;
  if (size > 0) memcpy(path.data, address.sun_path, size);
  return static_cast<int>(size);
}

}  // namespace pollux::net
