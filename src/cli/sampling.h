#pragma once

#include <CLI/App.hpp>

#include "runtime/sampler.h"

namespace bantam::cli {

// --temperature, --top-k and the others; `greedy` wins over the temperature.
void add_sampling(CLI::App& command, SamplerOptions& sampler, bool& greedy);

}  // namespace bantam::cli
