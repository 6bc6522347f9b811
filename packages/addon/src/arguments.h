// Reading JavaScript values without trusting them. Each returns false for a value
// that is not what it says, and throws nothing.
#pragma once

#include <napi.h>

#include "pollux/backend.h"

namespace pollux {

inline bool ReadNumber(Napi::Value value, double* out) {
  return napi_get_value_double(value.Env(), value, out) == napi_ok;
}

inline bool ReadUint32(Napi::Value value, uint32_t* out) {
  double number;
  if (!ReadNumber(value, &number) || !(number >= 0 && number <= UINT32_MAX)) return false;
  *out = static_cast<uint32_t>(number);
  return true;
}

inline bool ReadFd(Napi::Value value, Fd* out) {
  double number;
  // INT32_MAX bounds a POSIX descriptor; a SOCKET fits 32 bits too in practice.
  if (!ReadNumber(value, &number) || !(number >= 0 && number <= INT32_MAX)) return false;
  *out = static_cast<Fd>(number);
  return static_cast<double>(*out) == number;
}

// The records of a Uint32Array, two words each. The address is asked anew in each
// call: the array may have been transferred to another thread since the last.
inline bool ReadRecords(Napi::Value value, Record** records, uint32_t* capacity) {
  napi_typedarray_type type;
  size_t length;
  void* data;
  if (napi_get_typedarray_info(value.Env(), value, &type, &length, &data, nullptr, nullptr) !=
          napi_ok ||
      type != napi_uint32_array || data == nullptr || length < 2) {
    return false;
  }
  *records = static_cast<Record*>(data);
  *capacity = length / 2 > INT32_MAX / 16 ? INT32_MAX / 16 : static_cast<uint32_t>(length / 2);
  return true;
}

}  // namespace pollux
