#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cli/common.h"
#include "models/model.h"

namespace bantam::cli {

// What `bantam inspect` tells beyond the numbers of a configuration.

// Tensors of one role (attention, feed-forward, ...) and the types that they have.
struct TensorGroup {
  std::string name;
  std::map<DType, int64_t> types;  // tensors of each
  int64_t tensors = 0, parameters = 0, bytes = 0;
};
std::vector<TensorGroup> tensor_groups(const Model& model);

// Of a mixture of experts, those that one token takes part with; else all.
int64_t active_parameters(const Model& model);
// "Apache-2.0", "Gemma Terms of Use <https://...>"; "" if the file does not say.
std::string licence_of(const Model& model);

// The chat template on an example, and what ends a reply. Null in JSON without a tokenizer.
Json chat_facts(const std::shared_ptr<const Model>& model);
Json group_facts(const Model& model);
void print_groups(const Model& model);
void print_chat(const std::shared_ptr<const Model>& model);
// In one line: whether the template renders that example, and what ends a reply. "" where there is
// no template.
std::string chat_verdict(const std::shared_ptr<const Model>& model);

}  // namespace bantam::cli
