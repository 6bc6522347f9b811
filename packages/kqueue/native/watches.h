// What kqueue watches besides descriptors that are ready: processes that end (EVFILT_PROC) and
// files that change (EVFILT_VNODE). A table of each, for a number may be both a descriptor and a
// process.
#pragma once

#include "changes.h"
#include "pollux/backend.h"
#include "pollux/registrations.h"

namespace pollux {

static_assert(NOTE_DELETE == kFileDeleted && NOTE_WRITE == kFileWritten &&
              NOTE_EXTEND == kFileExtended && NOTE_ATTRIB == kFileAttributes &&
              NOTE_LINK == kFileLinks && NOTE_RENAME == kFileRenamed &&
              NOTE_REVOKE == kFileRevoked);

class Watches {
 public:
  explicit Watches(int filter) : filter_(filter) {}

  bool Owns(const KernelEvent& event) const { return event.filter == filter_; }

  // A process ends once; a file is told of whenever it has changed since.
  int Add(int kq, Fd id, uint32_t notes, uint32_t key) {
    if (!table_.Reserve()) return -ENOMEM;
    Registration* old = table_.Find(id);
    if (old != nullptr && Is(kq, *old)) return -EEXIST;
    const uint64_t generation = table_.NextGeneration();
    const unsigned mode = filter_ == EVFILT_PROC ? EV_ONESHOT : EV_CLEAR;
    Changes add;
    add.Put(static_cast<uintptr_t>(id), filter_, EV_ADD | mode, notes, 0, Data(generation));
    int result = add.Apply(kq);
    if (result == 0) result = -add.error(0);
    if (result < 0) return result;
    const int voided = old == nullptr ? 0 : table_.VoidRecord(old);
    if (old != nullptr) table_.Erase(old);
    table_.Insert(id, generation, Ask{notes, Mode::kEdge, false}, key);
    return voided;
  }

  int Remove(int kq, Fd id) {
    Registration* r = table_.Find(id);
    if (r == nullptr) return -ENOENT;
    Changes remove;
    remove.Put(static_cast<uintptr_t>(id), filter_, EV_DELETE);
    remove.Apply(kq);  // gone by itself, perhaps: the process has ended, the file was closed
    const int voided = table_.VoidRecord(r);
    table_.Erase(r);
    return voided;
  }

  void BeginBatch() { table_.BeginBatch(); }

  // Writes the record of an event of ours; false: it is stale.
  bool Translate(const KernelEvent& event, Record* records, uint32_t place) {
    Registration* r = table_.Find(static_cast<Fd>(event.ident));
    if (r == nullptr || Data(r->generation) != DataOf(event)) return false;
    const uint32_t changes = filter_ == EVFILT_PROC ? 0 : event.fflags & r->interest;
    records[place] = Record{r->key, kReadable | changes << kFileChangeShift};
    table_.Wrote(r, place);
    return true;
  }

 private:
  static uintptr_t Data(uint64_t generation) { return static_cast<uint32_t>(generation); }

  // Whether the kernel still has it: a process that has ended is no more, a file that was closed
  // neither.
  bool Is(int kq, const Registration& r) const {
    Changes lookup;
    lookup.Put(static_cast<uintptr_t>(r.fd), filter_, 0, r.interest, 0, Data(r.generation));
    return lookup.Apply(kq) == 0 && lookup.error(0) == 0;
  }

  const int filter_;
  Registrations table_;
};

}  // namespace pollux
