// A stub for tests under Wine 8 only: it lacks bcryptprimitives.dll, whose one function the Rust in
// vitest's tools wants for random numbers. Never part of what is published.
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(void* buffer, ULONG length);  // RtlGenRandom, in advapi32.dll

__declspec(dllexport) BOOL WINAPI ProcessPrng(BYTE* data, SIZE_T length) {
  return SystemFunction036(data, (ULONG)length);
}
