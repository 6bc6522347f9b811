// The call of a native function: its arguments, read without trusting them, and its result.
//
// A reader returns false for a value that is not what it says, and throws nothing. What was not
// passed is undefined, and so is what comes after the fifth.
#pragma once

#include <node_api.h>

#include "pollux/backend.h"

namespace pollux {

class Arguments {
 public:
  Arguments(napi_env env, napi_callback_info info);
  Arguments(const Arguments&) = delete;
  Arguments& operator=(const Arguments&) = delete;

  napi_env env() const { return env_; }
  napi_value receiver() const { return receiver_; }
  // What the function was defined with.
  void* data() const { return data_; }
  napi_value operator[](size_t index) const { return values_[index]; }

  bool Number(size_t index, double* out) const;
  bool Uint32(size_t index, uint32_t* out) const;
  bool Descriptor(size_t index, Fd* out) const;
  // The records of a Uint32Array, two words each. The address is asked anew in each call: the array
  // may have been transferred to another thread since the last.
  bool Records(size_t index, Record** out, uint32_t* capacity) const;
  // The first `count` numbers of a Float64Array.
  bool Doubles(size_t index, size_t count, double** out) const;
  bool IsFunction(size_t index) const;
  bool IsTrue(size_t index) const;

  napi_value Result(int value) const;
  napi_value Result(bool value) const;

 private:
  static constexpr size_t kMost = 5;
  bool Elements(size_t index, napi_typedarray_type wanted, void** out, size_t* length) const;

  napi_env env_;
  napi_value receiver_ = nullptr;
  void* data_ = nullptr;
  napi_value values_[kMost];
};

}  // namespace pollux
