#pragma once

#include <string>

#include "tensor/tensor.h"

// What happens to tensors on their way from Hugging Face's files to GGUF.
namespace bantam::hf {

// The numbers of a config.json that tensors are laid out by; 0 where a family has no such thing.
struct Dimensions {
  int64_t embedding = 0, blocks = 0, heads = 0, kv_heads = 0, head_size = 0;
  int64_t scan_groups = 0;                                   // of a state space
  int64_t latent_rank = 0, plain_key = 0, latent_value = 0;  // of latent attention
};

struct Source {
  std::string file, name;  // for messages
  Tensor tensor;
  Tensor scales;  // beside blocks of MXFP4
  Dimensions d;
};

// One tensor becomes one or several `part`s. `describe` checks the source and says what a part will
// be, without computing it; throws ErrorKind::model.
struct Change {
  struct Description {
    Shape shape;
    DType dtype;
  };
  Description (*describe)(const Source& s, int part);
  Tensor (*apply)(const Source& s, int part);
};

extern const Change drop;         // buffers that are computed anyway; has no functions
extern const Change stack;        // one of the slices of a stacked tensor; has no functions
extern const Change plus_one;     // Gemma keeps norm weights less one
extern const Change transpose;    // [..., in, out] -> [..., out, in], as GPT-2's Conv1D is stored
extern const Change rotary_q;     // rows of each head from halves to pairs, as Llama's checkpoints
extern const Change rotary_k;     // the same with the number of key/value heads
extern const Change neox_qkv;     // [heads, 3, D] rows to [3, heads, D]
extern const Change squeeze;      // extents of 1 go
extern const Change column;       // [n] -> [n, 1]
extern const Change scan_groups;  // [n] -> [groups, n / groups]
extern const Change negated_exp;  // A = -exp(A_log)
extern const Change negated_exp_column;
extern const Change halves;            // two matrices, one below the other
extern const Change turns;             // two vectors whose elements take turns
extern const Change transposed_turns;  // two matrices whose columns take turns, transposed
extern const Change latent_parts;      // W_k and W_v of latent attention
extern const Change mxfp4;        // blocks [E, rows, n, 16] beside scales [E, rows, n], both bytes
extern const Change mxfp4_turns;  // two such, whose rows take turns

}  // namespace bantam::hf
