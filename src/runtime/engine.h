#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "graph/plan.h"
#include "models/model.h"
#include "runtime/heavy_hitters.h"
#include "runtime/page_table.h"
#include "tensor/layout.h"

namespace bantam {

struct EngineOptions {
  int threads = 0;          // 0: see base/cores.h
  int64_t context = 0;      // positions of the cache; 0: what the model was trained for
  int64_t sequences = 1;    // that one run may advance together
  int64_t batch = 256;      // most tokens in one run; longer prompts are split
  bool all_logits = false;  // logits for every token of a run (perplexity), not one per sequence
  // f32, f16, bf16, q8_0, or q4_0 (with keys rotated, see ops/hadamard.cpp).
  DType cache_type = DType::f16;
  // Tokens that all sequences together have room for (keys and values lie in pages of 64), where it
  // is less than `sequences` times the context; 0: that.
  int64_t cache_cells = 0;
  // Blocks that would see the whole text see its last `cache_window` tokens (0: all) and the first
  // `cache_sinks`, rounded up to pages (Xiao et al. 2023); the rest is not kept.
  int64_t cache_window = 0, cache_sinks = kPageCells;
  // Beside the last `cache_window` tokens such blocks keep, in each head, the `cache_heavy` that
  // had most attention so far, in place of the first ones (Zhang et al. 2023, see heavy_hitters.h).
  // There is no way back then but to the beginning, and no `cache_cells`. 0: none.
  int64_t cache_heavy = 0;
  // Quantised weights are put into the layout that kernels read fastest (tensor/layout.h), in
  // memory of the engine; mapped ones then leave memory. Otherwise they are read as the file has
  // them.
  bool interleave = true;
  // Products with quantised weights in f32, without rounding activations to 8 bits: what the file
  // says, at a fraction of the speed and with room for the largest weight in f32.
  bool exact = false;
  // The bytes of mapped weights that may be in memory at a time (runtime/weight_stream.h); 0: all.
  // They are then read as the file has them: pack it for the layout above.
  int64_t stream = 0;
  // Rows of the output head that cannot be among the `Row::best` are left out, which a coarse copy
  // of it tells (cpu/quant/head_screen.h); for heads in q8_0 and q6_k.
  bool screened_head = false;
  // Encoder-decoders: source texts that are kept at a time (0: one for each sequence), and the
  // longest of them in tokens (0: as long as the context).
  int64_t sources = 0, source_context = 0;
};

// What an engine needs, known from the plan before any of it is allocated.
struct MemoryPlan {
  int64_t weights = 0;      // mapped from the file, or interleaved from it; a screen
  int64_t cache = 0;        // keys and values of all sequences
  int64_t activations = 0;  // the arena: intermediate values and kernel scratch
  int64_t buffers = 0;      // ids, positions and tables that the engine itself holds
  int64_t process = 0;      // what the process holds already: program, tokenizer, plan
  [[nodiscard]] int64_t total() const { return weights + cache + activations + buffers + process; }
};

class KvCache;
class SourceReader;
class WeightStream;

// A model with the plan that runs it, the threads, and the caches of its sequences. Calls are
// serialised: any thread may call, one run happens at a time.
class Engine {
 public:
  explicit Engine(std::shared_ptr<const Model> model, EngineOptions options = {});
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // One token of a run: where it goes, and whether its logits are wanted. A sequence's tokens come
  // one after the other (in this run or before), from position 0. Going back forgets what stood
  // there and after it: to 0 always, elsewhere if `can_go_on`.
  struct Row {
    int32_t token = 0;
    int32_t sequence = 0;
    int32_t position = 0;
    bool logits = false;
    // With a screened head: only so many of the largest logits are asked for (0: all). These, and
    // all as large as the least of them, are what a full head gives; others may be minus infinity.
    int32_t best = 0;
  };
  // Runs up to `batch` rows and copies the wanted rows' logits, in order, to `logits` [wanted, V].
  // What a row gives does not depend on the rows that it is run with; but a row of an encoder sees
  // all rows of its sequence, which must come in one run.
  // Throws ErrorKind::usage for ids outside the vocabulary, positions outside the context or that a
  // sequence cannot go to, and ErrorKind::resource if the cache has too few pages (cache_cells);
  // sequences stand where they stood then.
  void run(std::span<const Row> rows, std::span<float> logits);

  // Encoder-decoders: reads source texts of at most `batch` tokens together (a single one may be
  // longer), once for all texts that are then written from them. What a source gives does not
  // depend on those that it is read with. Throws ErrorKind::model for other models,
  // ErrorKind::usage for a source that is too long.
  struct SourceText {
    int32_t source = 0;
    std::span<const int32_t> ids;
  };
  void read(std::span<const SourceText> texts);
  // The source that a sequence is written from: at first the one of the same number, or source 0.
  void look_at(int32_t sequence, int32_t source);

  // Lets sequence `to` go on from where sequence `from` stood after `length` tokens. Keys and
  // values are shared, not copied: each takes pages of its own as it writes. Throws
  // ErrorKind::usage where `from` itself could not go on.
  void copy(int32_t from, int32_t to, int64_t length);
  // Gives a sequence the longest beginning of a text that another one has, as `copy` does; returns
  // its length.
  int64_t share_prefix(int32_t sequence, std::span<const int32_t> text);

  // Whether a sequence can go on after its first `length` tokens. A recurrent model's state cannot
  // be taken back, and blocks with a window keep little more than that.
  [[nodiscard]] bool can_go_on(int32_t sequence, int64_t length) const;
  // Forgets all but the first `length` tokens, after which it must be able to go on.
  void truncate(int32_t sequence, int64_t length);

  // Whether blocks carry a state from token to token that cannot be taken back, beside or instead
  // of keys and values: that of Mamba, or how much attention cells had (`cache_heavy`).
  [[nodiscard]] bool recurrent() const { return !states_.empty(); }

  // A sequence's first tokens and what is needed to go on after them: keys, values and states, but
  // not the source text that it is written from.
  struct Memory {
    std::vector<int32_t> tokens;
    std::vector<std::byte> bytes;
  };
  [[nodiscard]] Memory save(int32_t sequence, int64_t length) const;
  // Throws ErrorKind::usage if the memory is of an engine with other states.
  void restore(int32_t sequence, const Memory& memory);

  [[nodiscard]] const Model& model() const { return *model_; }
  [[nodiscard]] const std::shared_ptr<const Model>& shared_model() const { return model_; }
  [[nodiscard]] const EngineOptions& options() const { return options_; }
  [[nodiscard]] int64_t context() const { return options_.context; }
  [[nodiscard]] int64_t vocab_size() const { return model_->config.vocab_size; }
  // Columns of a row's result: the vocabulary, or the width of an encoder.
  [[nodiscard]] int64_t result_size() const { return result_size_; }
  [[nodiscard]] int threads() const { return pool_.size(); }
  [[nodiscard]] const Plan& plan() const { return *plan_; }
  [[nodiscard]] const MemoryPlan& memory() const { return memory_; }
  // For profiles: called after each step of each run.
  void observe(Executor::Observer observer, void* user);

 private:
  void check(std::span<const Row> rows, std::span<const float> logits) const;
  void take_weights(std::span<const Graph* const> graphs);
  void make_screen(const Graph& g);
  void bind_model(const Graph& g, Executor& executor);
  [[nodiscard]] HeavyHitters heavy() const { return {options_.cache_heavy, options_.cache_window}; }
  size_t part_end(std::span<const Row> rows, size_t begin);
  int64_t run_part(std::span<const Row> rows, std::span<float> logits);
  void fill_ends(std::span<const Row> rows);
  void fill_seen(std::span<const Row> rows);
  void check_sequence(int32_t sequence) const;
  void check_can_go_on(int32_t sequence, int64_t length) const;
  [[nodiscard]] const std::vector<int32_t>& text(int32_t sequence) const;
  [[nodiscard]] bool reaches(int32_t sequence, int64_t length) const;
  [[nodiscard]] std::span<std::byte> state_of(const Tensor& state, int32_t sequence) const;
  [[nodiscard]] int64_t saved_bytes(int64_t length) const;
  void forget(int32_t sequence, int64_t length);
  void share(int32_t from, int32_t to, int64_t length);
  void find_spans(std::span<const Row> rows);
  void remember(std::span<const Row> rows);

  std::shared_ptr<const Model> model_;
  EngineOptions options_;
  ThreadPool pool_;
  std::shared_ptr<const Plan> plan_;
  MemoryPlan memory_;
  // Weights that the engine has made its own, in one block.
  Tensor own_weights_;
  std::map<std::string, TensorView> own_views_;
  Tensor head_screen_, head_bounds_;
  std::unique_ptr<KvCache> cache_;
  std::vector<Tensor> states_;               // [S, ...], of a recurrent model
  std::vector<std::vector<int32_t>> texts_;  // the tokens of each sequence
  std::vector<PageTable::Span> spans_;       // of a run
  std::vector<int32_t> span_of_;             // where the span of each sequence stands; -1: none
  Tensor ids_, sequences_, positions_, slots_, rows_, best_, ends_, seen_sources_, seen_ends_;
  int64_t result_size_ = 0;
  std::unique_ptr<Executor> executor_;
  // While weights are streamed: told of each step, as is the observer.
  std::unique_ptr<WeightStream> stream_;
  Executor::Observer observer_ = nullptr;
  void* observer_user_ = nullptr;
  // Encoder-decoders.
  std::unique_ptr<SourceReader> reader_;
  std::map<std::string, Tensor> source_states_;
  std::vector<int32_t> source_lengths_;  // 0: not read yet
  std::vector<int32_t> seen_by_;         // the source of each sequence
  mutable std::mutex mutex_;
};

// Whether the model's keys and values fit the blocks of this type.
bool can_cache(const ModelConfig& config, DType type);

// What an engine with these options would need, without making it.
MemoryPlan plan_memory(const Model& model, EngineOptions options);

}  // namespace bantam
