#include "cli/model_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>

#include "base/error.h"
#include "runtime/chat_format.h"

namespace bantam::cli {
namespace {

// By the names that GGUF gives to tensors, without the number of the block.
std::string role_of(std::string_view name) {
  if (name.starts_with("enc.") || name.starts_with("dec.")) name.remove_prefix(4);
  if (name.starts_with("blk.")) {
    const size_t dot = name.find('.', 4);
    if (dot != std::string_view::npos) name.remove_prefix(dot + 1);
  }
  const auto has = [&](std::string_view part) { return name.find(part) != std::string_view::npos; };
  if (has("norm")) return "norms";
  if (name.starts_with("token_embd") || name.starts_with("position_embd")) return "embedding";
  if (name.starts_with("output.")) return "output head";
  if (name.starts_with("attn_")) return "attention";
  if (name.starts_with("cross_attn_")) return "cross-attention";
  if (has("gate_inp") || has("exp_probs")) return "routers";
  if (has("_exps")) return "experts";
  if (has("_shexp")) return "shared experts";
  if (name.starts_with("ffn_")) return "feed-forward";
  if (name.starts_with("ssm_")) return "state space";
  if (name.starts_with("shortconv")) return "convolution";
  if (name.starts_with("rope_")) return "rotary factors";
  return "other";
}

std::string types_of(const TensorGroup& group) {
  std::string text;
  for (const auto& [type, count] : group.types) {
    text += fmt::format("{}{} x {}", text.empty() ? "" : ", ", count, dtype_info(type).name);
  }
  return text;
}

double bits(const TensorGroup& group) {
  return 8.0 * static_cast<double>(group.bytes) / static_cast<double>(group.parameters);
}

std::string metadata_text(const Model& model, std::string_view key) {
  for (const auto& [name, value] : model.metadata) {
    if (name != key) continue;
    if (const auto* text = std::get_if<std::string>(&value)) return *text;
  }
  return "";
}

// With a system message if the template takes one.
std::string example_of(const ChatFormat& format) {
  std::vector<ChatMessage> chat = {{"system", "You are a helpful assistant."},
                                   {"user", "Hello!"},
                                   {"assistant", "Hi. How can I help?"},
                                   {"user", "What is a bantam?"}};
  try {
    return format.render(chat, true);
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::usage) throw;
    chat.erase(chat.begin());
    return format.render(chat, true);
  }
}

std::string end_of_reply(const Json& facts) {
  if (facts["end_of_turn"].is_null()) {
    return "a reply ends with no token of its own: this model may not stop";
  }
  return fmt::format("a reply ends with {}", one_line(facts["end_of_turn"].get<std::string>()));
}

}  // namespace

std::vector<TensorGroup> tensor_groups(const Model& model) {
  std::vector<TensorGroup> groups;
  for (const auto& [name, t] : model.weights) {
    const std::string role = role_of(name);
    auto group = std::find_if(groups.begin(), groups.end(),
                              [&](const TensorGroup& g) { return g.name == role; });
    if (group == groups.end()) {
      groups.push_back({role, {}, 0, 0, 0});
      group = groups.end() - 1;
    }
    ++group->types[t.dtype()];
    ++group->tensors;
    group->parameters += t.shape().elements();
    group->bytes += t.bytes();
  }
  std::stable_sort(groups.begin(), groups.end(),
                   [](const TensorGroup& a, const TensorGroup& b) { return a.bytes > b.bytes; });
  return groups;
}

int64_t active_parameters(const Model& model) {
  const Experts& e = model.config.experts;
  if (e.count <= 0) return model.parameters();
  int64_t idle = 0;
  for (const auto& [name, t] : model.weights) {
    if (role_of(name) == "experts") idle += t.shape().elements() / e.count * (e.count - e.used);
  }
  return model.parameters() - idle;
}

std::string licence_of(const Model& model) {
  const std::string name = metadata_text(model, "general.license");
  const std::string title = metadata_text(model, "general.license.name");
  const std::string link = metadata_text(model, "general.license.link");
  std::string text = title.empty() ? name : title;
  if (!link.empty()) text += fmt::format("{}<{}>", text.empty() ? "" : " ", link);
  return text;
}

Json group_facts(const Model& model) {
  Json list = Json::array();
  for (const TensorGroup& g : tensor_groups(model)) {
    Json types;
    for (const auto& [type, count] : g.types) types[std::string(dtype_info(type).name)] = count;
    list.push_back({{"group", g.name},
                    {"tensors", g.tensors},
                    {"types", types},
                    {"parameters", g.parameters},
                    {"bytes", g.bytes},
                    {"bits_per_weight", bits(g)}});
  }
  return list;
}

Json chat_facts(const std::shared_ptr<const Model>& model) {
  if (model->tokenizer == nullptr || model->config.reads_source()) return nullptr;
  try {
    const ChatFormat format(model);
    const auto& tokens = model->tokenizer->spec().tokens;
    Json ends = Json::array();
    for (const int32_t id : format.end_tokens()) ends.push_back(tokens[static_cast<size_t>(id)]);
    Json turn;
    const auto end_of_turn = format.end_of_turn();
    if (end_of_turn) turn = tokens[static_cast<size_t>(*end_of_turn)];
    return {{"template", format.own()},
            {"example", example_of(format)},
            {"end_of_turn", turn},
            {"end_tokens", ends}};
  } catch (const Error& e) {
    return {{"error", e.what()}};
  }
}

void print_groups(const Model& model) {
  Table table;
  table.row({"tensors", "count", "types", "parameters", "size", "bits each"});
  for (const TensorGroup& g : tensor_groups(model)) {
    table.row({g.name, fmt::format("{}", g.tensors), types_of(g), human_count(g.parameters),
               human_bytes(g.bytes), fmt::format("{:.2f}", bits(g))});
  }
  std::cout << "\n" << table.str();
}

void print_chat(const std::shared_ptr<const Model>& model) {
  const Json facts = chat_facts(model);
  if (facts.is_null()) return;
  if (facts.contains("error")) {
    std::cout << fmt::format("\nchat: {}\n", one_line(facts["error"].get<std::string>()));
    return;
  }
  if (!facts["template"].get<bool>()) {
    std::cout << "\nchat: no template in this file; `bantam chat` uses a plain transcript\n";
    return;
  }
  std::string lines = printable(facts["example"].get<std::string>());
  for (size_t at = lines.find('\n'); at != std::string::npos; at = lines.find('\n', at + 3)) {
    lines.replace(at, 1, "\n  ");
  }
  std::cout << "\nchat, on an example\n  " << lines << "\n" << end_of_reply(facts) << "\n";
}

std::string chat_verdict(const std::shared_ptr<const Model>& model) {
  const Json facts = chat_facts(model);
  if (facts.is_null()) return "";
  if (facts.contains("error")) return facts["error"].get<std::string>();
  return facts["template"].get<bool>() ? "the template renders; " + end_of_reply(facts) : "";
}

}  // namespace bantam::cli
