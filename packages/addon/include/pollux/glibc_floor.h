// Included ahead of every source by native.gypi. A function that moved into libc.so with glibc 2.34
// got a new version there, and linking on a new system would demand that system of every user; the
// old version is still served, so ask for that one. The floor is glibc 2.28, which is what Node 20
// itself needs. The prebuilt binaries are linked against glibc's names of that version instead.
// Calls newer than the floor go through syscall(2); fstat, which became a new symbol in 2.33, is
// answered by runtime.cc.
#pragma once

#include <features.h>

#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 32)

#if defined(__x86_64__)
#define POLLUX_GLIBC_BASE "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define POLLUX_GLIBC_BASE "GLIBC_2.17"
#elif defined(__arm__)
#define POLLUX_GLIBC_BASE "GLIBC_2.4"
#endif

#ifdef POLLUX_GLIBC_BASE
// A line for a function that is not used leaves no trace in the object file.
#define POLLUX_OLD(name) __asm__(".symver " #name ", " #name "@" POLLUX_GLIBC_BASE)
POLLUX_OLD(pthread_sigmask);
#if __GLIBC_PREREQ(2, 34)
POLLUX_OLD(pthread_create);
POLLUX_OLD(pthread_join);
POLLUX_OLD(pthread_detach);
POLLUX_OLD(pthread_kill);
POLLUX_OLD(pthread_once);
POLLUX_OLD(pthread_key_create);
POLLUX_OLD(pthread_key_delete);
POLLUX_OLD(pthread_getspecific);
POLLUX_OLD(pthread_setspecific);
POLLUX_OLD(pthread_mutex_trylock);
POLLUX_OLD(pthread_rwlock_rdlock);
POLLUX_OLD(pthread_rwlock_wrlock);
POLLUX_OLD(pthread_rwlock_unlock);
POLLUX_OLD(pthread_attr_setstacksize);
#if defined(__x86_64__)
__asm__(".symver pthread_condattr_setclock, pthread_condattr_setclock@GLIBC_2.3.3");
#else
POLLUX_OLD(pthread_condattr_setclock);
#endif
POLLUX_OLD(dlopen);
POLLUX_OLD(dlclose);
POLLUX_OLD(dlerror);
POLLUX_OLD(dlsym);
#endif
#undef POLLUX_OLD
#endif

#endif
