// Calling JavaScript so that what it throws is reported as Node reports what
// nobody caught, and never left pending: below Node-API version 10 an exception
// that a threadsafe function leaves is told by a deprecation warning only, and to
// catch one of process._tickCallback in JavaScript would leave Node's async hook
// stack unbalanced.
#pragma once

#include <node_api.h>

namespace pollux {

// For the status of a call into JavaScript. True if it threw.
inline bool ReportThrown(napi_env env, napi_status status) {
  napi_value error;
  return status == napi_pending_exception &&
         napi_get_and_clear_last_exception(env, &error) == napi_ok &&
         napi_fatal_exception(env, error) == napi_ok;
}

// True if it threw.
inline bool CallAndReport(napi_env env, napi_value callback) {
  napi_value receiver;
  return napi_get_undefined(env, &receiver) == napi_ok &&
         ReportThrown(env, napi_call_function(env, receiver, callback, 0, nullptr, nullptr));
}

}  // namespace pollux
