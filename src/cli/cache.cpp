#include "cli/cache.h"

#include "cli/common.h"

namespace bantam::cli {

void add_cache(CLI::App& c, CacheFlags& flags) {
  c.add_option("--cache-type", flags.type, "Of keys and values: f32, f16, bf16, q8_0 or q4_0")
      ->capture_default_str();
  CLI::Option* window =
      c.add_option("--cache-window", flags.window,
                   "Keep only the keys and values of the last so many tokens; 0: of all")
          ->capture_default_str()
          ->check(CLI::NonNegativeNumber);
  CLI::Option* sinks =
      c.add_option("--cache-sinks", flags.sinks,
                   "And of the first so many, in whole pages of 64 (attention sinks)")
          ->capture_default_str()
          ->check(CLI::NonNegativeNumber)
          ->needs(window);
  c.add_option("--cache-heavy", flags.heavy,
               "And, instead of the first, of so many that had most attention (heavy hitters)")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber)
      ->needs(window)
      ->excludes(sinks);
}

void set_cache(const CacheFlags& flags, EngineOptions& options) {
  options.cache_type = parse_cache_type(flags.type);
  options.cache_window = flags.window;
  options.cache_sinks = flags.sinks;
  options.cache_heavy = flags.heavy;
}

}  // namespace bantam::cli
