#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/engine.h"
#include "runtime/session.h"

namespace bantam {

struct BeamOptions {
  int64_t beams = 4;                  // texts that are kept at each step
  int64_t best = 1;                   // texts to return, at most as many as beams
  int64_t max_tokens = 256;           // 0: until the context is full
  double length_penalty = 1;          // alpha; 0: none, more favours longer texts
  bool early_stopping = false;        // as soon as `beams` texts have ended
  std::vector<int32_t> end_tokens{};  // end a text as EOS does
  bool ignore_eos = false;
};

// Throws ErrorKind::usage if an option is out of range.
void check_beam_options(const BeamOptions& options);

// A text that the search found.
struct Hypothesis {
  std::string text;             // without the prompt
  std::vector<int32_t> tokens;  // EOS is not among them
  double log_probability = 0;   // of the tokens and of the end, given the prompt
  double score = 0;             // log_probability / length^alpha, the end counted
  StopReason reason = StopReason::eos;
};

struct BeamResult {
  std::vector<Hypothesis> hypotheses;  // best first
  int64_t prompt_tokens = 0, steps = 0;
  double prefill_seconds = 0, decode_seconds = 0;
};

// Looks for the most probable continuations of a text, or the most probable texts of an
// encoder-decoder for a source: each step keeps the `beams` best beginnings. Scores are normalised
// by length as in Wu et al. 2016, in the form log p / length^alpha. Unless it stops early, the
// search ends when no beginning that is left can beat the `beams` texts that have ended.
//
//   EngineOptions o;
//   o.sequences = 4;                // one for each beam
//   o.sources = 1;
//   auto engine = std::make_shared<Engine>(model, o);
//   BeamResult r = beam_search(engine, "translate English to German: Hello.", {});
//
// The beams are sequences 0 .. beams - 1 of the engine. Results do not depend on threads. Throws
// ErrorKind::usage for a prompt that does not fit, too few sequences or a batch narrower than the
// beams, ErrorKind::model for an encoder.
BeamResult beam_search(const std::shared_ptr<Engine>& engine, std::string_view prompt,
                       const BeamOptions& options);
BeamResult beam_search(const std::shared_ptr<Engine>& engine, std::span<const int32_t> prompt,
                       const BeamOptions& options);

}  // namespace bantam
