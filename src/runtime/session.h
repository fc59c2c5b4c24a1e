#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/engine.h"
#include "runtime/sampler.h"

namespace bantam {

struct GenerateOptions {
  int64_t max_tokens = 256;  // 0: until the context is full
  SamplerOptions sampler;
  std::vector<std::string> stop;    // the text ends before the first of these
  std::vector<int32_t> end_tokens;  // end the text as EOS does, as the ends of turns in a chat
  bool ignore_eos = false;
};

// Why a text ended.
enum class StopReason { eos, stop_string, max_tokens, context_full, cancelled };
std::string_view stop_reason_name(StopReason reason);

struct GenerateResult {
  std::string text;             // without the prompt
  std::vector<int32_t> tokens;  // the generated tokens; EOS is not among them
  StopReason reason = StopReason::max_tokens;
  int64_t prompt_tokens = 0;
  double prefill_seconds = 0;      // prompt to logits
  double first_token_seconds = 0;  // prompt to first token
  double decode_seconds = 0;       // all tokens after the first
  double head_share = 1;           // of the vocabulary, whose logits were computed
};

// The ids of a text that a model continues or reads; where it has none, the token that begins a
// text. Throws ErrorKind::model if the model has no tokenizer.
std::vector<int32_t> prompt_ids(const Model& model, std::string_view text);

// Throws ErrorKind::model for an encoder-decoder: what wants a text to go on with has no use for
// it.
void expect_no_source(const Model& model);

// One conversation with a model: a sequence of tokens and what the model remembers of it.
//
//   auto model = std::make_shared<Model>(load_model("model.gguf"));
//   auto engine = std::make_shared<Engine>(model);
//   Session session(engine);
//   GenerateOptions options;
//   options.max_tokens = 50;
//   session.generate("Once upon a time", options, [](std::string_view piece) {
//     std::cout << piece << std::flush;
//     return true;                       // false stops
//   });
//
// A session owns one sequence of its engine; several sessions of one engine take different ones.
// Not safe to use from two threads at once; different sessions are.
class Session {
 public:
  explicit Session(std::shared_ptr<Engine> engine, int32_t sequence = 0);

  // Encoder-decoders: reads the source text; what is written from then on is a new text.
  void read(std::span<const int32_t> source);
  // Appends tokens and returns the logits [V] after the last, valid until the next call. However a
  // text is split into calls, the logits are the same. Throws ErrorKind::usage if the context is
  // too short, naming both lengths.
  std::span<const float> feed(std::span<const int32_t> tokens);
  // Forgets everything after the first `length` tokens. A recurrent model's state cannot be taken
  // back, and blocks with a window keep little else: those tokens are read again where it has to be
  // (a saved session is restored without).
  void rewind(int64_t length);
  // At the beginning of a session: takes over what another sequence of the engine has of this text,
  // to the same bits as if it were fed. Returns how many tokens need not be fed any more; never
  // all.
  int64_t share_prefix(std::span<const int32_t> text);

  // The tokens so far with what the model remembers of them. Restored into this or another session
  // of an engine with the same model, the text goes on with the same bits.
  struct Saved {
    std::vector<float> logits;
    Engine::Memory memory;
  };
  [[nodiscard]] Saved save();
  void restore(const Saved& saved);

  // Continues the text with what follows `prompt`; an encoder-decoder reads the prompt as a source
  // and writes a text from it. `on_text` gets whole characters as they come.
  using OnText = std::function<bool(std::string_view piece)>;
  GenerateResult generate(std::string_view prompt, const GenerateOptions& options,
                          const OnText& on_text = {});
  GenerateResult generate(std::span<const int32_t> prompt, const GenerateOptions& options,
                          const OnText& on_text = {});

  [[nodiscard]] const std::vector<int32_t>& tokens() const { return tokens_; }
  [[nodiscard]] int64_t position() const { return static_cast<int64_t>(tokens_.size()); }
  [[nodiscard]] int64_t context() const { return engine_->context(); }
  [[nodiscard]] const Engine& engine() const { return *engine_; }

 private:
  // With a screened head, logits of which the `best` largest count.
  std::span<const float> feed(std::span<const int32_t> tokens, int32_t best);
  void complete_logits();

  std::shared_ptr<Engine> engine_;
  int32_t sequence_;
  std::vector<int32_t> tokens_;
  std::vector<float> logits_;
  bool complete_ = true;  // whether all of the logits are there
  std::vector<Engine::Row> rows_;
};

}  // namespace bantam
