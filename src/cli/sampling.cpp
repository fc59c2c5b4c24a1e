#include "cli/sampling.h"

namespace bantam::cli {

void add_sampling(CLI::App& c, SamplerOptions& s, bool& greedy) {
  const char* group = "Sampling";
  c.add_option("--temperature", s.temperature, "0 takes the most probable token")
      ->capture_default_str()
      ->group(group);
  c.add_option("--top-k", s.top_k, "Of the k most probable tokens only; 0: all")
      ->capture_default_str()
      ->group(group);
  c.add_option("--top-p", s.top_p, "Of the most probable tokens that make up p")
      ->capture_default_str()
      ->group(group);
  c.add_option("--min-p", s.min_p, "Of tokens at least p times as probable as the best")
      ->capture_default_str()
      ->group(group);
  c.add_option("--repetition-penalty", s.repetition_penalty, "Of recent tokens; 1: none")
      ->capture_default_str()
      ->group(group);
  c.add_option("--seed", s.seed, "The same seed gives the same text")
      ->capture_default_str()
      ->group(group);
  c.add_flag("--greedy", greedy, "The same as --temperature 0")->group(group);
}

}  // namespace bantam::cli
