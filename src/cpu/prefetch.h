#pragma once

namespace bantam::cpu {

// Asks for the line of an address that is about to be written. Compilers make a prefetch for
// reading of __builtin_prefetch(p, 1) unless the instruction is among their options; processors
// that do not know it ignore it.
[[gnu::always_inline]] static inline void prefetch_for_writing(const void* p) {
#if defined(__x86_64__)
  __asm__ volatile("prefetchw %0" : : "m"(*(const char*)p));
#else
  __builtin_prefetch(p, 1);
#endif
}

}  // namespace bantam::cpu
