// Lets JavaScript call plain C++ functions.
//
// A helper is an ordinary function `int64_t F(int, double, bool, Bytes, Ints, Text)` that returns a
// count, a descriptor or a negative errno; TESTKIT_EXPORT makes it a property of the addon. Its
// arguments are read by their C++ types, and one of the wrong kind is -EINVAL, so no helper has to
// know Node-API and junk from JavaScript never reaches a system call. An address is asked for anew
// in each call and never kept.
//
// The helpers register themselves: a system gets those of the files it compiles (sources.mjs), and
// no list has to name what another system lacks.
#pragma once

#include <errno.h>
#include <node_api.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <tuple>
#include <utility>

namespace testkit {

struct Bytes {  // a Uint8Array or Buffer
  uint8_t* data;
  size_t size;
};

struct Ints {  // an Int32Array
  int32_t* data;
  size_t size;
};

struct Text {  // a string that fits a path
  char data[4096];
};

inline bool Decode(napi_env env, napi_value value, double* out) {
  return napi_get_value_double(env, value, out) == napi_ok;
}

inline bool Decode(napi_env env, napi_value value, int* out) {
  // Not napi_get_value_int32: it would make some other number of what does not fit.
  double number;
  if (!Decode(env, value, &number)) return false;
  if (!(number >= INT32_MIN && number <= INT32_MAX)) return false;
  *out = static_cast<int>(number);
  return *out == number;
}

inline bool Decode(napi_env env, napi_value value, bool* out) {
  return napi_get_value_bool(env, value, out) == napi_ok;
}

inline bool DecodeArray(napi_env env, napi_value value, napi_typedarray_type wanted, void** data,
                        size_t* size) {
  bool is_array = false;
  if (napi_is_typedarray(env, value, &is_array) != napi_ok || !is_array) return false;
  napi_typedarray_type type = napi_int8_array;  // some versions of Node leave it for a Float16Array
  if (napi_get_typedarray_info(env, value, &type, size, data, nullptr, nullptr) != napi_ok) {
    return false;
  }
  if (*data == nullptr) *size = 0;  // transferred away
  return type == wanted;
}

inline bool Decode(napi_env env, napi_value value, Bytes* out) {
  void* data = nullptr;
  if (!DecodeArray(env, value, napi_uint8_array, &data, &out->size)) return false;
  out->data = static_cast<uint8_t*>(data);
  return true;
}

inline bool Decode(napi_env env, napi_value value, Ints* out) {
  void* data = nullptr;
  if (!DecodeArray(env, value, napi_int32_array, &data, &out->size)) return false;
  out->data = static_cast<int32_t*>(data);
  return true;
}

inline bool Decode(napi_env env, napi_value value, Text* out) {
  // Asked first, since the copy is cut short without a word.
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok) return false;
  if (length >= sizeof(out->data)) return false;
  napi_get_value_string_utf8(env, value, out->data, sizeof(out->data), &length);
  return strlen(out->data) == length;
}

template <auto Function>
struct Binding;

template <typename... Arguments, int64_t (*Function)(Arguments...)>
struct Binding<Function> {
  static napi_value Call(napi_env env, napi_callback_info info) {
    size_t count = sizeof...(Arguments);
    napi_value values[sizeof...(Arguments) + 1];  // what was not passed is undefined
    napi_value result = nullptr;
    if (napi_get_cb_info(env, info, &count, values, nullptr, nullptr) != napi_ok) return nullptr;
    napi_create_int64(env, Invoke(env, values, std::index_sequence_for<Arguments...>()), &result);
    return result;
  }

 private:
  template <size_t... I>
  static int64_t Invoke([[maybe_unused]] napi_env env, [[maybe_unused]] napi_value* values,
                        std::index_sequence<I...>) {
    std::tuple<Arguments...> arguments;
    if (!(Decode(env, values[I], &std::get<I>(arguments)) && ...)) return -EINVAL;
    return Function(std::get<I>(arguments)...);
  }
};

// One exported function; they form a list while the addon is loaded.
struct Export {
  Export(const char* export_name, napi_callback callback)
      : name(export_name), call(callback), next(first) {
    first = this;
  }
  const char* name;
  napi_callback call;
  Export* next;
  static Export* first;
};

// A function to run on a thread whose environment (main or worker) goes away.
struct Cleanup {
  explicit Cleanup(void (*function)()) : run(function), next(first) { first = this; }
  void (*run)();
  Cleanup* next;
  static Cleanup* first;
};

}  // namespace testkit

#define TESTKIT_EXPORT(name, Function) \
  const testkit::Export export_##name(#name, testkit::Binding<Function>::Call)
