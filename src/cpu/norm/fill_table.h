#pragma once

#include "cpu/elementwise/lanes/lanes.h"
#include "cpu/norm/norm.h"

namespace bantam::cpu {

// The kernels of K for every combination of element types.
template <class K>
constexpr NormKernels fill_norm_kernels() {
  return {
      .rms_norm = {{K::template rms_norm<float, float>, K::template rms_norm<float, Bf16>},
                   {K::template rms_norm<Bf16, float>, K::template rms_norm<Bf16, Bf16>}},
      .rms_norm_grad = {{{K::template rms_norm_grad<float, float, float>,
                          K::template rms_norm_grad<float, float, Bf16>},
                         {K::template rms_norm_grad<float, Bf16, float>,
                          K::template rms_norm_grad<float, Bf16, Bf16>}},
                        {{K::template rms_norm_grad<Bf16, float, float>,
                          K::template rms_norm_grad<Bf16, float, Bf16>},
                         {K::template rms_norm_grad<Bf16, Bf16, float>,
                          K::template rms_norm_grad<Bf16, Bf16, Bf16>}}},
      .layer_norm = {{K::template layer_norm<float, float>, K::template layer_norm<float, Bf16>},
                     {K::template layer_norm<Bf16, float>, K::template layer_norm<Bf16, Bf16>}},
      .layer_norm_grad = {{{K::template layer_norm_grad<float, float, float>,
                            K::template layer_norm_grad<float, float, Bf16>},
                           {K::template layer_norm_grad<float, Bf16, float>,
                            K::template layer_norm_grad<float, Bf16, Bf16>}},
                          {{K::template layer_norm_grad<Bf16, float, float>,
                            K::template layer_norm_grad<Bf16, float, Bf16>},
                           {K::template layer_norm_grad<Bf16, Bf16, float>,
                            K::template layer_norm_grad<Bf16, Bf16, Bf16>}}},
  };
}

}  // namespace bantam::cpu
