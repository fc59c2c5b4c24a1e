#pragma once

#include <span>

#include "base/cpu_features.h"
#include "cpu/embedding/embedding.h"

namespace bantam::cpu {

// Every implementation compiled for this architecture, scalar first, best last.
std::span<const KernelEntry<const EmbeddingKernels*>> embedding_table();

// The best one that may run here.
const EmbeddingKernels& embedding_kernels();

}  // namespace bantam::cpu
