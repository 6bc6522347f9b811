// Stands in for the C++ runtime library, so that an addon needs libc alone at run time.
//
// What follows is everything that our code and node-addon-api, compiled without exceptions and
// RTTI, ask of libstdc++ beyond its headers. Everything here is local to the addon (exports.map).
// A missing name would be found in the libstdc++ of the node binary and so pass unnoticed:
// scripts/check-prebuilds.mjs looks for that. Left out on purpose: the guards of function-local
// statics (__cxa_guard_*), std::map, std::thread and iostreams. Do without them.
//
// Used where gcc builds for Linux, and in all prebuilt binaries (scripts/build-all.mjs). Sanitizer
// builds and all others use the ordinary runtime instead.

#ifdef POLLUX_OWN_CXX_RUNTIME

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#ifdef __GLIBC__
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <functional>
#include <new>
#include <string>

namespace {

[[noreturn]] void Die(const char* what) {
  // Not fprintf: mingw would link all of its own, floating point and all.
  fputs("pollux: ", stderr);
  fputs(what, stderr);
  fputs("\n", stderr);
  abort();
}

// As in any program built without exceptions, no memory is the end.
void* Allocate(size_t size) {
  void* memory = malloc(size == 0 ? 1 : size);
  if (memory == nullptr) Die("out of memory");
  return memory;
}

}  // namespace

void* operator new(size_t size) { return Allocate(size); }
void* operator new[](size_t size) { return Allocate(size); }
void* operator new(size_t size, const std::nothrow_t&) noexcept { return malloc(size ? size : 1); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept {
  return malloc(size ? size : 1);
}
void operator delete(void* memory) noexcept { free(memory); }
void operator delete[](void* memory) noexcept { free(memory); }
void operator delete(void* memory, size_t) noexcept { free(memory); }
void operator delete[](void* memory, size_t) noexcept { free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { free(memory); }

extern "C" void __cxa_pure_virtual() { Die("pure virtual function called"); }
extern "C" void __cxa_deleted_virtual() { Die("deleted virtual function called"); }

#ifdef __GLIBCXX__
// Where libstdc++'s headers would throw. bits/functexcept.h declares them.
namespace std {

const nothrow_t nothrow{};

void __throw_bad_alloc() { Die("std::bad_alloc"); }
void __throw_bad_array_new_length() { Die("std::bad_array_new_length"); }
void __throw_bad_function_call() { Die("std::bad_function_call"); }
void __throw_invalid_argument(const char* what) { Die(what); }
void __throw_length_error(const char* what) { Die(what); }
void __throw_logic_error(const char* what) { Die(what); }
void __throw_out_of_range(const char* what) { Die(what); }
void __throw_out_of_range_fmt(const char* what, ...) { Die(what); }
void __throw_system_error(int) { Die("std::system_error"); }

}  // namespace std
#elif defined(_LIBCPP_VERSION)
namespace std {

const nothrow_t nothrow{};

inline namespace __1 {
// Where libc++'s headers would throw.
void __libcpp_verbose_abort(const char* format, ...) { Die(format); }
}  // namespace __1

template class basic_string<char>;

}  // namespace std
#else
#error \
    "Only libstdc++ and libc++ are known here; build with the C++ runtime (no -nodefaultlibs) instead."
#endif

#if defined(__GLIBC__) && defined(__LP64__)
// fstat(2) is a symbol of its own only since glibc 2.33 (an inline over __fxstat before). On 64-bit
// systems the kernel's struct is glibc's. common.gypi sets _FILE_OFFSET_BITS=64, hence the name.
struct stat64;
extern "C" int fstat64(int fd, struct stat64* out) noexcept {
  return static_cast<int>(syscall(SYS_fstat, fd, out));
}
#endif

#endif  // POLLUX_OWN_CXX_RUNTIME
