#include "graph/arena.h"

#include <sys/mman.h>

#include "base/error.h"

namespace bantam {

Arena::Arena(int64_t bytes) : bytes_(static_cast<size_t>(bytes)) {
  if (bytes_ == 0) return;
  data_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data_ == MAP_FAILED) {
    fail(ErrorKind::resource, "memory", "expected {} bytes for activations, got none", bytes_);
  }
#ifdef MADV_HUGEPAGE
  if (bytes_ >= (size_t{64} << 20)) madvise(data_, bytes_, MADV_HUGEPAGE);
#endif
}

Arena::~Arena() {
  if (bytes_ > 0) munmap(data_, bytes_);
}

}  // namespace bantam
