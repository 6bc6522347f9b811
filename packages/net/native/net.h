// The native verbs of @pollux/net.
//
// Each is a plain function that knows nothing of Node-API (binding.cc does) and returns a count or
// a negative errno. What moves data takes arrays: many descriptors, one call. TypeScript sees the
// same arrays, so nothing is allocated per message; the layouts below are repeated in
// src/native.ts.
//
// A call trusts no argument: every offset and length is checked against the array it points into,
// every descriptor against the set of those opened here. A fault of the call as a whole (an array
// too short) is the result -EINVAL; that of one descriptor, segment or datagram is its own result,
// and the others are served. Records are read once each, for a SharedArrayBuffer may change between
// a check and its use. No pointer outlives the call.
//
// All descriptors are nonblocking and close-on-exec, and no write raises SIGPIPE. No call waits,
// even if somebody who shares an open file has made it blocking again.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "owned_fds.h"

namespace pollux::net {

struct Bytes {  // a Uint8Array
  uint8_t* data;
  size_t size;
};

struct Words {  // an Int32Array
  int32_t* data;
  size_t size;
  // Whether so many things, of `each` words, lie in it.
  bool Holds(int count, size_t each = 1) const {
    return count >= 0 && static_cast<size_t>(count) <= size / each;
  }
};

struct Text {  // a string; longer ones are -EINVAL
  char data[256];
};

// An array of Uint8Arrays.
constexpr size_t kMaxChunks = 256;
struct Chunks {
  Bytes items[kMaxChunks];
  size_t size;
};

// Addresses. One travels as a slot: the system's own sockaddr, and its length as a uint32 in the
// last four bytes, 0 for none. A slot fits any family, a Unix path too, so one form serves all
// (slots.h).
constexpr size_t kSlotSize = 128;
constexpr size_t kSlotRoom = 112;  // for the sockaddr: sockaddr_un takes 110 bytes
constexpr size_t kSlotLengthAt = kSlotSize - 4;
// What JavaScript calls the families, whose real numbers differ between systems.
constexpr int kFamilyNone = 0;
constexpr int kFamilyUnix = 1;
constexpr int kFamilyIpv4 = 4;
constexpr int kFamilyIpv6 = 6;

// Writes an IPv4 or IPv6 address, an IPv6 zone ("fe80::1%eth0") included, and returns its family.
int EncodeAddress(OwnedFds* owned, Text text, int port, Bytes slots, int offset);
// Writes the text of a slot, its family to out[0] and its port to out[1]; returns the text's
// length.
int FormatAddress(OwnedFds* owned, Bytes slots, int offset, Bytes text, Words out);

// Sockets, one at a time: nothing here is done often.

constexpr int kStream = 1;
constexpr int kDatagram = 2;

// Makes a socket of a family (1, 4, 6) and type, and returns its descriptor.
int Open(OwnedFds* owned, int family, int type);
int Bind(OwnedFds* owned, int fd, Bytes slots, int offset);
int Listen(OwnedFds* owned, int fd, int backlog);
// -EINPROGRESS is the usual answer for a stream: it will become writable, then ask TakeError.
int Connect(OwnedFds* owned, int fd, Bytes slots, int offset);
// Takes the error that the socket keeps (SO_ERROR): 0, or negative.
int TakeError(OwnedFds* owned, int fd);
// No more will be written: a FIN follows what is on its way.
int ShutdownWrite(OwnedFds* owned, int fd);
int Close(OwnedFds* owned, int fd);
int LocalAddress(OwnedFds* owned, int fd, Bytes slots, int offset);
int PeerAddress(OwnedFds* owned, int fd, Bytes slots, int offset);
// Sets the option of that number in the list of sockets_posix.cc.
int SetOption(OwnedFds* owned, int fd, int option, int value);
int GetOption(OwnedFds* owned, int fd, int option);
// Closing it will send a reset and drop what was not sent (SO_LINGER of 0 seconds, socket(7)).
int ResetOnClose(OwnedFds* owned, int fd);

// A descriptor of our own for a listening socket that somebody else has opened, as that of another
// thread; nonblocking, and so is the other's from here on. -EINVAL for what does not listen, or not
// on an IP address.
int AdoptListener(OwnedFds* owned, int fd);
// The same for a connection. -EINVAL for what is no TCP socket, -ENOTCONN for one not connected.
int AdoptStream(OwnedFds* owned, int fd);
// From here on nothing new begins: a listener's kernel drops what opens a connection (not what
// completes one that is being opened), a datagram socket's drops everything. For all that share the
// socket, for good. -ENOSYS where there are no socket filters.
int StopInput(OwnedFds* owned, int fd);

// UDP sockets, one at a time.

// A descriptor of our own for a UDP socket that somebody else has opened; nonblocking, and so is
// the other's from here on. -EINVAL for what is no UDP socket.
int AdoptUdp(OwnedFds* owned, int fd);
// Takes back what Connect did.
int Disconnect(OwnedFds* owned, int fd);
// The index of an interface, by its name or one of its addresses; -ENODEV if there is none.
int InterfaceIndex(OwnedFds* owned, Text text);
// Joins a group or leaves it: offsets of slots, source -1 for any. Interface 0: the system's
// choice.
int Membership(OwnedFds* owned, int fd, int joins, int interface_index, Bytes slots, int group,
               int source);
// The interface that multicast goes out by; 0: the system's choice.
int MulticastInterface(OwnedFds* owned, int fd, int interface_index);

// Datagrams.

// Receives what has come for fds[0..count), at most per_fd each, and returns the number of records.
//
// Record i: {index into fds, offset in the slab, length or negative errno, flags, segment size,
// interface index}; its sender is slot i of peers. Each has slot_size bytes of the slab. A
// descriptor with nothing to receive has no record. When records, slab, peers or locals run out,
// the rest stays with the kernel.
//
// A segment size other than 0: the record is several datagrams of that length (UDP_GRO), the last
// may be shorter. Flags: kTruncated, it was longer and was cut; kHasLocal, slot i of locals is the
// address it was sent to (IP_PKTINFO), and the interface index that of where it came in.
constexpr int kTruncated = 1;
constexpr int kHasLocal = 2;
int Receive(OwnedFds* owned, Words fds, int count, int per_fd, Bytes slab, int slot_size,
            Words records, Bytes peers, Bytes locals);

// Sends jobs[first..count) and returns count, or the place behind a train that is refused.
//
// Job i: {fd, offset in the slab, length, slot number in peers or -1 for a connected socket,
// segment, slot number in peers of the address to send from or -1}; results[i] is the length, or a
// negative errno. Jobs of one socket that stand side by side go in one system call. After -EAGAIN
// every later job of that socket is -EAGAIN too: order is kept.
//
// With a segment, not 0, it is a train: datagrams of that size side by side, the last may be
// shorter, which the kernel takes as one (UDP_SEGMENT), or not at all. Where it does not, for
// another reason than -EAGAIN, those behind it are left to the next call: what becomes of it is the
// caller's to say.
int Send(OwnedFds* owned, Words jobs, int first, int count, Bytes slab, Bytes peers, Words results);

// Streams.

// Accepts from fds[0..count), at most per_fd each, and returns the number of records: {index into
// fds, new descriptor or negative errno}, the peer in slot i of peers. A listener with no
// connection has no record.
int Accept(OwnedFds* owned, Words fds, int count, int per_fd, Words records, Bytes peers);

// Reads from fds[0..count) into the slab, one after the other without gaps, at most `most` bytes
// each, and returns how many were read from: fewer than count when the slab is nearly full.
// results: {offset in the slab, length or 0 at the end of the stream or negative errno}.
int Read(OwnedFds* owned, Words fds, int count, int most, Bytes slab, Words results);

// Writes segments[0..count): {fd, index into chunks or -1 for the arena, offset, length}. Segments
// of one descriptor that stand side by side are one run, written in order by gathering; returns the
// number of runs. results[run] is how many bytes were taken, or a negative errno if none were.
// Fewer than asked: the descriptor is full, wait until it is writable.
int Write(OwnedFds* owned, Words segments, int count, Bytes arena, const Chunks& chunks,
          Words results);

}  // namespace pollux::net
