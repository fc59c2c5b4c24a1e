#pragma once

// Products of many rows of activations with interleaved weights: quant.h's arithmetic and bits,
// from activations that were packed for it. A panel holds up to `rows` rows, group of 32 by group,
// so that a kernel steps through memory in order and shares what it loads between rows of weights.
//
//   pack      x q8a [count, K] -> rows of a panel
//   linear    y[m, n] = sum over k of panel[m, k] w[n, k]

#include <stdint.h>

#include "cpu/quant/quant.h"
#include "tensor/blocks.h"

namespace bantam::cpu {

// The kernel of one weight format; shape.m: the rows in the panel, shape.n: a multiple of 16.
using PanelLinear = void (*)(const void* panel, const uint8_t* w, float* y,
                             const QuantLinearShape& shape);

struct PanelKernels {
  int64_t rows;         // of activations in a panel
  int64_t least_rows;   // fewer are not worth packing
  int64_t group_bytes;  // of a panel, for each 32 elements of K
  // `count` rows of activations to rows first .. first + count - 1 of a panel.
  void (*pack)(const BlockQ8A* x, int64_t first, int64_t count, int64_t k, void* panel);
  PanelLinear linear[kWeightFormats];  // null: as without panels
};

}  // namespace bantam::cpu
