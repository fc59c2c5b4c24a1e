#pragma once

#include <cstddef>
#include <span>

namespace bantam {

// Brings the pages of a mapped file that hold these bytes into memory, and returns when they are
// there. Only a hint: where a system cannot, they come when they are first read. Their counterpart
// is forget_pages (base/file.h).
void fetch_pages(std::span<const std::byte> bytes);

}  // namespace bantam
