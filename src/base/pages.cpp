#include "base/pages.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

namespace bantam {

void fetch_pages(std::span<const std::byte> bytes) {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<uintptr_t>(bytes.data()) / page * page;
  const auto end = reinterpret_cast<uintptr_t>(bytes.data() + bytes.size());
  if (begin >= end) return;
  auto* address = reinterpret_cast<void*>(begin);
#if defined(MADV_POPULATE_READ)
  if (::madvise(address, end - begin, MADV_POPULATE_READ) == 0) return;
#endif
  ::madvise(address, end - begin, MADV_WILLNEED);
}

}  // namespace bantam
