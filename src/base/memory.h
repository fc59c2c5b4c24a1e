#pragma once

#include <cstdint>

namespace bantam {

// Physical memory of this process in bytes, mapped files included: now, and the most so far. 0 if
// the system does not tell.
int64_t resident_bytes();
int64_t peak_resident_bytes();

}  // namespace bantam
