#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "runtime/engine.h"
#include "runtime/sampler.h"

namespace bantam::cli {

extern const std::vector<std::string> kHeads;  // how logits are computed: "full", "screened"

// --head.
void add_head(CLI::App& command, std::string& head);
// Throws ErrorKind::usage for a screened head where sampling looks at all logits.
void set_head(const std::string& head, const SamplerOptions& sampler, EngineOptions& options);

}  // namespace bantam::cli
