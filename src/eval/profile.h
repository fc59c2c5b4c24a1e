#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/engine.h"

namespace bantam {

// One kind of step, all its runs together.
struct ProfileRow {
  std::string op, label;  // "linear", "ffn_down": the weight without its block, if it reads one
  int64_t runs = 0;
  double seconds = 0;
  double bytes = 0, operations = 0;
};

// When one step ran.
struct ProfileEvent {
  std::string name;
  std::string_view op;
  double start = 0, seconds = 0;  // from the beginning of its run
};

struct Profile {
  int64_t tokens = 0;            // that were advanced while measuring
  double seconds = 0;            // of whole runs
  double step_seconds = 0;       // inside steps; the rest is between them
  int64_t steps = 0;             // of one run
  std::vector<ProfileRow> rows;  // longest first
  std::vector<ProfileEvent> last_run;
};

struct ProfileOptions {
  int64_t depth = 128;  // tokens in the cache
  int64_t tokens = 1;   // in one run: 1 decodes, more is prefill
  int64_t repetitions = 50;
  int threads = 0;
  DType cache_type = DType::f16;
};

Profile profile(const std::shared_ptr<const Model>& model, const ProfileOptions& options);

// The events of the last run in Chrome's trace format (chrome://tracing, Perfetto).
std::string chrome_trace(const Profile& profile);
// A page with a bar for every kind of step and a strip of the last run.
std::string profile_page(const Profile& profile, std::string_view title);

}  // namespace bantam
