// Calling JavaScript so that what it throws is reported as Node reports what
// nobody caught, and never left pending: below Node-API version 10 an exception
// that a threadsafe function leaves is told by a deprecation warning only, and to
// catch one of process._tickCallback in JavaScript would leave Node's async hook
// stack unbalanced.
#pragma once

#include <node_api.h>

namespace pollux {

// True if it threw.
inline bool CallAndReport(napi_env env, napi_value callback) {
  napi_value receiver, error;
  if (napi_get_undefined(env, &receiver) != napi_ok ||
      napi_call_function(env, receiver, callback, 0, nullptr, nullptr) != napi_pending_exception ||
      napi_get_and_clear_last_exception(env, &error) != napi_ok) {
    return false;
  }
  return napi_fatal_exception(env, error) == napi_ok;
}

}  // namespace pollux
