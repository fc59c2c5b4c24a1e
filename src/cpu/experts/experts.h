#pragma once

#include "cpu/bindings.h"

namespace bantam::cpu {

// What the files of this folder bind; bind.cpp lists them.
std::optional<BoundKernel> bind_top_k(const BindRequest& request);
std::optional<BoundKernel> bind_pick(const BindRequest& request);
std::optional<BoundKernel> bind_pick_grad(const BindRequest& request);
std::optional<BoundKernel> bind_group_by_expert(const BindRequest& request);
std::optional<BoundKernel> bind_expert_load(const BindRequest& request);
std::optional<BoundKernel> bind_expert_linear(const BindRequest& request);
std::optional<BoundKernel> bind_expert_linear_dx(const BindRequest& request);
std::optional<BoundKernel> bind_expert_linear_dw(const BindRequest& request);
std::optional<BoundKernel> bind_combine_experts(const BindRequest& request);

}  // namespace bantam::cpu
