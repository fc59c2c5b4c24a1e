#pragma once

#include "models/builder.h"
#include "models/config_keys.h"

namespace bantam {

// Blocks that carry a state from token to token instead of looking back at all of them.

// Whether the step size, B and C are normalised before the scan (Lieber et al. 2024).
enum class ScanNorm { none, plain, weighted };

// Mamba (Gu & Dao 2023): ssm_in, ssm_conv1d, ssm_x, ssm_dt, ssm_a, ssm_d, ssm_out.
Value mamba(Builder& b, const ModelConfig& c, Value x, ScanNorm norm = ScanNorm::none);
// Mamba-2 (Dao & Gu 2024): ssm_in, ssm_conv1d, ssm_dt, ssm_a, ssm_d, ssm_norm [G, C / G] unless the
// model goes without, ssm_out.
Value mamba2(Builder& b, const ModelConfig& c, Value x, bool normalised = true);

// ssm.conv_kernel, inner_size, state_size, time_step_rank.
void mamba_keys(ConfigKeys& k, ModelConfig& c);
// The same with ssm.group_count, and heads that divide the inner size.
void mamba2_keys(ConfigKeys& k, ModelConfig& c);

}  // namespace bantam
