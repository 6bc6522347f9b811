// The addon itself: an object with every registered helper, for each environment that loads it.
#include <stdlib.h>

#include "binding.h"

namespace testkit {

Export* Export::first = nullptr;
Cleanup* Cleanup::first = nullptr;

namespace {

void RunCleanups(void* token) {
  free(token);
  for (const Cleanup* entry = Cleanup::first; entry != nullptr; entry = entry->next) entry->run();
}

napi_value Init(napi_env env, napi_value exports) {
  for (const Export* entry = Export::first; entry != nullptr; entry = entry->next) {
    napi_value function;
    if (napi_create_function(env, entry->name, NAPI_AUTO_LENGTH, entry->call, nullptr, &function) !=
            napi_ok ||
        napi_set_named_property(env, exports, entry->name, function) != napi_ok) {
      return nullptr;
    }
  }
  // A token of its own: Node aborts when the same pair is registered twice, as it would be if one
  // environment loaded the addon again.
  void* token = malloc(1);
  if (token != nullptr) napi_add_env_cleanup_hook(env, RunCleanups, token);
  return exports;
}

}  // namespace
}  // namespace testkit

NAPI_MODULE(NODE_GYP_MODULE_NAME, testkit::Init)
