#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <string>

#include "runtime/engine.h"

namespace bantam::cli {

// How keys and values are kept.
struct CacheFlags {
  std::string type = "f16";
  int64_t window = 0, sinks = kPageCells, heavy = 0;
};

// --cache-type, --cache-window, --cache-sinks and --cache-heavy.
void add_cache(CLI::App& command, CacheFlags& flags);
// Throws ErrorKind::usage for a type that is none.
void set_cache(const CacheFlags& flags, EngineOptions& options);

}  // namespace bantam::cli
