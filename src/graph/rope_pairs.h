#pragma once

namespace bantam::ops {

enum class RopePairs { interleaved, halves };  // (2i, 2i+1) or (i, i + D/2)

}  // namespace bantam::ops
