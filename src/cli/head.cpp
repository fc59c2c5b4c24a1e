#include "cli/head.h"

#include "base/error.h"

namespace bantam::cli {

const std::vector<std::string> kHeads = {"full", "screened"};

void add_head(CLI::App& c, std::string& head) {
  c.add_option("--head", head,
               "Compute all logits, or leave out what a coarse copy of the output head rules out: "
               "the same text")
      ->capture_default_str()
      ->check(CLI::IsMember(kHeads));
}

void set_head(const std::string& head, const SamplerOptions& sampler, EngineOptions& options) {
  options.screened_head = head == "screened";
  if (!options.screened_head || TokenSampler(sampler).decisive() > 0) return;
  fail(ErrorKind::usage, "--head screened",
       "expected --greedy or a --top-k above 0, and no --repetition-penalty below 1, for otherwise "
       "every logit counts");
}

}  // namespace bantam::cli
