#pragma once

// What the drivers of this family share: extents, which cells a row sees, chunks of rows, scratch.

#include <algorithm>
#include <cstdint>
#include <span>

#include "cpu/attention/attention.h"
#include "tensor/backend.h"

namespace bantam::cpu::attention {

inline Element element_of(DType t) {
  return t == DType::f32    ? Element::f32
         : t == DType::f16  ? Element::f16
         : t == DType::q8_0 ? Element::q8_0
         : t == DType::q4_0 ? Element::q4_0
                            : Element::bf16;
}

struct Problem {
  int64_t N, H, D, S, C, K;
  int64_t E;      // size of values
  int64_t group;  // query heads per key/value head
  int64_t P, Q;   // D and E padded to kLanes
  Scoring scoring;
  bool key_groups;  // keys are interleaved: groups of kLanes cells, each [K, D, kLanes]
  bool causal;
  int64_t window;  // cells that a row sees, 0: all
  int64_t keep;    // beside the window it sees so many first cells: whole blocks
  const int32_t *sequences, *positions;
  const int32_t* pages = nullptr;  // [S, C / kBlock], of a paged cache

  Problem(const TensorView& q, const TensorView& k, const TensorView& v,
          const Attributes& attributes, const int32_t* sequence_list, const int32_t* position_list,
          const TensorView* table = nullptr)
      : N(q.shape[0]),
        H(q.shape[1]),
        D(q.shape[2]),
        S(table != nullptr ? table->shape[0] : k.shape[0]),
        C(table != nullptr ? table->shape[1] * kBlock : k.shape[1]),
        K(k.shape[table != nullptr ? 1 : 2]),
        E(v.shape[3]),
        group(H / K),
        P(round_up(D, kLanes)),
        Q(round_up(E, kLanes)),
        scoring{static_cast<float>(attributes.real("scale")),
                static_cast<float>(attributes.real("softcap", 0))},
        key_groups(k.layout == Layout::interleaved),
        causal(attributes.integer("causal", 1) != 0),
        window(attributes.integer("window", 0)),
        keep(attributes.integer("keep", 0)),
        sequences(sequence_list),
        positions(position_list),
        pages(table != nullptr ? table->as<int32_t>() : nullptr) {}

  // A row sees cells hidden .. visible - 1 of its sequence, and what is kept of it; none if it
  // belongs to no sequence (padding).
  [[nodiscard]] int32_t visible(int64_t n) const {
    if (sequences[n] < 0 || sequences[n] >= S) return 0;
    const int64_t seen = causal ? int64_t{positions[n]} + 1 : C;
    return static_cast<int32_t>(std::clamp<int64_t>(seen, 0, C));
  }
  [[nodiscard]] int32_t hidden(int64_t n) const {
    return window == 0 ? 0 : static_cast<int32_t>(std::max<int64_t>(0, visible(n) - window));
  }
  // The first block of the window of any of these rows, as its first cell.
  [[nodiscard]] int64_t first_block(int64_t begin, int64_t end) const {
    int64_t least = C;
    for (int64_t n = begin; n < end; ++n)
      if (visible(n) > 0) least = std::min<int64_t>(least, hidden(n));
    return least / kBlock * kBlock;
  }
  [[nodiscard]] int32_t most_visible(int64_t begin, int64_t end) const {
    int32_t most = 0;
    for (int64_t n = begin; n < end; ++n) most = std::max(most, visible(n));
    return most;
  }
  [[nodiscard]] bool in_range(int64_t n) const { return sequences[n] >= 0 && sequences[n] < S; }
  // Whether rows whose window begins in block `window_block` see cells begin .. end - 1.
  [[nodiscard]] bool is_seen(int64_t begin, int64_t end, int64_t window_block) const {
    return begin < keep || end > window_block;
  }
  // Where the block that begins at cell `first` of a sequence lies, in cells; -1: nowhere.
  [[nodiscard]] int64_t place(int64_t sequence, int64_t first) const {
    if (pages == nullptr) return sequence * C + first;
    const int64_t page = pages[(sequence * C + first) / kBlock];
    return page < 0 ? -1 : page * kBlock;
  }
  // Offset of head `kv` of a cell among the keys and among the values: the first of a page, or of
  // a group of keys.
  [[nodiscard]] int64_t key(int64_t cell, int64_t kv) const {
    return (cell * K + kv * (pages != nullptr ? kBlock : key_groups ? kLanes : 1)) * D;
  }
  [[nodiscard]] int64_t value(int64_t cell, int64_t kv) const {
    return (cell * K + kv * (pages != nullptr ? kBlock : 1)) * E;
  }
  // Elements from one cell of a head to its next: in a page they follow each other.
  [[nodiscard]] int64_t key_step() const { return pages != nullptr ? D : K * D; }
  [[nodiscard]] int64_t value_step() const { return pages != nullptr ? E : K * E; }
  // What a row sees of the block that begins at `first`.
  void see(int64_t n, int64_t first, int64_t count, int32_t* shown, int32_t* covered) const {
    *shown = static_cast<int32_t>(std::clamp<int64_t>(visible(n) - first, 0, count));
    *covered =
        first < keep ? 0 : static_cast<int32_t>(std::clamp<int64_t>(hidden(n) - first, 0, count));
    if (*covered >= *shown) *shown = *covered = 0;
  }

  // Splits the rows into chunks of one sequence and at most `longest` rows; starts: [N + 1].
  int64_t list_chunks(int64_t longest, int32_t* starts) const {
    int64_t count = 0;
    for (int64_t n = 0; n < N; ++n)
      if (n == 0 || sequences[n] != sequences[n - 1] || n - starts[count - 1] == longest)
        starts[count++] = static_cast<int32_t>(n);
    starts[count] = static_cast<int32_t>(N);
    return count;
  }
};

// The table of a paged cache, after the five inputs that every step of attention has; else null.
inline const TensorView* page_table(const Attributes& attributes,
                                    std::span<const TensorView> inputs) {
  return attributes.integer("pages", 0) != 0 ? &inputs[5] : nullptr;
}

// Where the optional inputs stand, after the `required` ones: sinks f32 [H], bias f32 [H, N, C].
struct Extras {
  const float *sinks = nullptr, *bias = nullptr;
  Extras(const StepContext& c, size_t required) {
    if (c.attributes.integer("sinks", 0) != 0) sinks = c.inputs[required++].as<float>();
    if (c.attributes.integer("bias", 0) != 0) bias = c.inputs[required].as<float>();
  }
};

// Hands out 64-byte aligned pieces of scratch. Without memory it only counts, so that the same code
// tells bind() how much run() will need.
class Carver {
 public:
  explicit Carver(void* memory = nullptr)
      : base_(memory == nullptr
                  ? nullptr
                  : static_cast<char*>(memory) + (-reinterpret_cast<uintptr_t>(memory) & 63)) {}
  template <typename T>
  T* take(int64_t n) {
    char* piece = base_ == nullptr ? nullptr : base_ + used_;
    used_ += round_up(n * static_cast<int64_t>(sizeof(T)), 64);
    return reinterpret_cast<T*>(piece);
  }
  // A carver of the memory `offset` bytes after what has been taken.
  [[nodiscard]] Carver at(int64_t offset) const { return Carver(base_ + used_ + offset); }
  // Bytes to ask for, including what alignment may cost.
  [[nodiscard]] int64_t bytes() const { return used_ + 64; }

 private:
  char* base_;
  int64_t used_ = 0;
};

inline const char* at(const void* base, Element e, int64_t index) {
  return static_cast<const char*>(base) + element_bytes(e, index);
}
inline char* at(void* base, Element e, int64_t index) {
  return static_cast<char*>(base) + element_bytes(e, index);
}
// row * factor, in type e.
void store_row(const float* row, int64_t n, Element e, void* to, float factor = 1);
// Rows of no sequence get no gradient.
void clear_padding_rows(const Problem& p, Element e, void* dq);

// The ops, and the scratch bytes that they need.
void run_forward(const StepContext& context);
void run_forward_tiles(const StepContext& context);
int64_t forward_bytes(const Problem& p, int threads);
int64_t forward_tiles_bytes(const Problem& p, int threads);
void run_mass(const StepContext& context);
int64_t mass_bytes(const Problem& p, int threads);
void run_gradient(const StepContext& context);
void run_gradient_tiles(const StepContext& context);
int64_t gradient_bytes(const Problem& p, int threads);
int64_t gradient_tiles_bytes(const Problem& p, int threads);

}  // namespace bantam::cpu::attention
