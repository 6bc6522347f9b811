// What backends on a primitive without a memory have in common: select(2) and
// poll(2) are handed the whole list with each call.
//
// So all that other primitives keep in the kernel is kept here. Oneshot is
// disarmed by hand, and Block waits on a snapshot of the list, which Prepare
// takes. A registration made after the snapshot has a generation above the
// snapshot's, which is how Harvest tells an old answer from a new registration. A
// number that is found closed is reported once, as an error, and left out until it
// is deleted or added anew; then its `in_kernel` is false.
#pragma once

#include <errno.h>

#include "pollux/backend.h"
#include "pollux/registrations.h"

namespace pollux {

// `Bell` ends a wait and is watched with the others: WakePipe, or WakeSocket on Windows.
template <typename Bell>
class StatelessBackend : public Backend {
 public:
  bool ChangesNeedWake() const final { return true; }
  void Wake() final { waker_.Ring(); }

  int Add(Fd fd, Ask ask, uint32_t key) final {
    if (ask.mode == Mode::kEdge || ask.exclusive || waker_.Owns(fd)) return -EINVAL;
    Identity identity;
    const int watchable = Look(fd, &identity);
    if (watchable < 0) return watchable;
    // First, for a table that grows moves what Find points to.
    if (!table_.Reserve() || !Reserve(fd)) return -ENOMEM;
    Registration* old = table_.Find(fd);
    // in_kernel false here: found closed by a harvest, so this is another file.
    if (old != nullptr && old->in_kernel && identity.MayBe(old->identity)) return -EEXIST;
    const int voided = old == nullptr ? 0 : Forget(old);
    Registration* added = table_.Insert(fd, table_.NextGeneration(), ask, key);
    added->identity = identity;
    added->in_kernel = true;
    Want(added);
    return voided;
  }

  int Modify(Fd fd, Ask ask, uint32_t key) final {
    if (ask.mode == Mode::kEdge || ask.exclusive) return -EINVAL;
    Registration* r = table_.Find(fd);
    if (r == nullptr) return -ENOENT;
    Identity identity;
    const int opened = Identity::Of(fd, &identity);
    if (opened < 0) return opened;
    if (!r->in_kernel || !identity.MayBe(r->identity)) return -ENOENT;
    r->identity = identity;  // of a socket that was bound since, it tells more
    Registrations::Set(r, table_.NextGeneration(), ask, key);
    Want(r);
    return table_.VoidRecord(r);
  }

  int Delete(Fd fd) final {
    Registration* r = table_.Find(fd);
    return r == nullptr ? -ENOENT : Forget(r);
  }

  int CanWatch(Fd fd) final {
    Identity ignored;
    return Look(fd, &ignored);
  }

 protected:
  // Makes sure that Want cannot fail for what is registered and for this descriptor,
  // which may be one more. False: out of memory.
  virtual bool Reserve(Fd fd) = 0;
  // Puts it into the list as its interest says; without interest, takes it out.
  virtual void Want(Registration* r) = 0;
  virtual void Unwant(Registration* r) = 0;
  // 0 and what the number names, or a negative errno: what the primitive refuses.
  virtual int Look(Fd fd, Identity* identity) { return Identity::Of(fd, identity); }

  // In Prepare, with the snapshot.
  void MarkSnapshot() { snapshot_generation_ = table_.last_generation(); }

  // The registration that a snapshot's answer for this number is for; null, and
  // counted, if there is none.
  Registration* Answered(Fd fd) {
    Registration* r = table_.Find(fd);
    if (r != nullptr && InSnapshot(*r)) return r;
    counters_.stale++;
    return nullptr;
  }
  bool InSnapshot(const Registration& r) const {
    return r.in_kernel && r.generation <= snapshot_generation_;
  }

  // One record of a harvest.
  void Tell(Registration* r, uint32_t events, Record* records, uint32_t* written) {
    if (r->mode == Mode::kOneshot) {
      r->armed = false;
      Unwant(r);
    }
    table_.Wrote(r, *written);
    records[(*written)++] = Record{r->key, events};
  }
  void TellClosed(Registration* r, Record* records, uint32_t* written) {
    r->in_kernel = false;
    Unwant(r);
    table_.Wrote(r, *written);
    records[(*written)++] = Record{r->key, (r->interest & (kReadable | kWritable)) | kError};
  }

  Bell waker_;
  Registrations table_;

 private:
  int Forget(Registration* r) {
    const int voided = table_.VoidRecord(r);
    Unwant(r);
    table_.Erase(r);
    return voided;
  }

  // Registrations up to this generation are in the snapshot.
  uint64_t snapshot_generation_ = 0;
};

}  // namespace pollux
