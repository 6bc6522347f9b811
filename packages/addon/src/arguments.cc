// Reading JavaScript values: see arguments.h.
#include "arguments.h"

namespace pollux {

Arguments::Arguments(napi_env env, napi_callback_info info) : env_(env) {
  size_t count = kMost;
  napi_get_cb_info(env, info, &count, values_, &receiver_, &data_);
}

bool Arguments::Number(size_t index, double* out) const {
  return napi_get_value_double(env_, values_[index], out) == napi_ok;
}

bool Arguments::Uint32(size_t index, uint32_t* out) const {
  double number;
  if (!Number(index, &number) || !(number >= 0 && number <= UINT32_MAX)) return false;
  *out = static_cast<uint32_t>(number);
  return true;
}

bool Arguments::Descriptor(size_t index, Fd* out) const {
  double number;
  // INT32_MAX bounds a POSIX descriptor; a SOCKET fits 32 bits too in practice.
  if (!Number(index, &number) || !(number >= 0 && number <= INT32_MAX)) return false;
  *out = static_cast<Fd>(number);
  return static_cast<double>(*out) == number;
}

bool Arguments::Records(size_t index, Record** out, uint32_t* capacity) const {
  void* data;
  size_t length;
  if (!Elements(index, napi_uint32_array, &data, &length) || length < 2) return false;
  *out = static_cast<Record*>(data);
  *capacity = length / 2 > INT32_MAX / 16 ? INT32_MAX / 16 : static_cast<uint32_t>(length / 2);
  return true;
}

bool Arguments::Doubles(size_t index, size_t count, double** out) const {
  void* data;
  size_t length;
  if (!Elements(index, napi_float64_array, &data, &length) || length < count) return false;
  *out = static_cast<double*>(data);
  return true;
}

bool Arguments::IsFunction(size_t index) const {
  napi_valuetype type;
  return napi_typeof(env_, values_[index], &type) == napi_ok && type == napi_function;
}

bool Arguments::IsTrue(size_t index) const {
  bool value;
  return napi_get_value_bool(env_, values_[index], &value) == napi_ok && value;
}

napi_value Arguments::Result(int value) const {
  napi_value result = nullptr;
  napi_create_int32(env_, value, &result);
  return result;
}

napi_value Arguments::Result(bool value) const {
  napi_value result = nullptr;
  napi_get_boolean(env_, value, &result);
  return result;
}

bool Arguments::Elements(size_t index, napi_typedarray_type wanted, void** out,
                         size_t* length) const {
  // Some versions of Node (24.2) leave it as it is for a Float16Array, which none wants.
  napi_typedarray_type type = napi_int8_array;
  return napi_get_typedarray_info(env_, values_[index], &type, length, out, nullptr, nullptr) ==
             napi_ok &&
         type == wanted && *out != nullptr;
}

}  // namespace pollux
