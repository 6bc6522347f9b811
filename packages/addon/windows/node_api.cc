// Where a cross-built addon gets Node-API from: the program that loads it, whatever its name.
//
// An import library would bind the addon to "node.exe", and Electron's program is called otherwise.
// MSVC builds have node-gyp's delay-load hook for that; here the table that an import library would
// bring (__imp_<name>, which the headers' dllimport refers to) is our own, filled before anything
// of the addon runs. The names are those that its objects ask for: scripts/prebuild/compile.mjs
// writes them to node_api_names.inc.
#include "pollux/windows.h"

#define NODE_API_NAME(name) void* __imp_##name = nullptr;
extern "C" {
#include "node_api_names.inc"
}
#undef NODE_API_NAME

namespace {

struct Import {
  const char* name;
  void** place;
};

constexpr Import kImports[] = {
#define NODE_API_NAME(name) {#name, &__imp_##name},
#include "node_api_names.inc"
#undef NODE_API_NAME
};

// False: the host is no Node, or an older one.
bool FillFrom(HMODULE host) {
  if (host == nullptr) return false;
  for (const Import& import : kImports) {
    *import.place = reinterpret_cast<void*>(GetProcAddress(host, import.name));
    if (*import.place == nullptr) return false;
  }
  return true;
}

}  // namespace

// Refusing to load gives ERR_DLOPEN_FAILED, which selection understands.
extern "C" BOOL WINAPI DllMain(HINSTANCE, DWORD reason, void*) {
  if (reason != DLL_PROCESS_ATTACH) return TRUE;
  // A Node built as a library (Electron for some platforms, embedders) has it in libnode.dll.
  return FillFrom(GetModuleHandleW(L"libnode.dll")) || FillFrom(GetModuleHandleW(nullptr));
}
