#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>

#include "cli/commands.h"
#include "cli/common.h"
#include "cli/model_facts.h"
#include "eval/quality.h"
#include "formats/gguf_split.h"
#include "models/file_type.h"
#include "runtime/engine.h"
#include "runtime/memory_fit.h"
#include "runtime/pack.h"

namespace bantam::cli {
namespace {

struct Options {
  std::string model, fit;
  int threads = 0;
  bool tensors = false, json = false;
};

struct TypeShare {
  int64_t tensors = 0, parameters = 0, bytes = 0;
};

std::map<DType, TypeShare> types_of(const Model& model) {
  std::map<DType, TypeShare> types;
  for (const auto& [unused, t] : model.weights) {
    TypeShare& share = types[t.dtype()];
    ++share.tensors;
    share.parameters += t.shape().elements();
    share.bytes += t.bytes();
  }
  return types;
}

std::vector<int64_t> contexts_of(const Model& model) {
  std::vector<int64_t> contexts;
  for (int64_t c = 256; c < model.config.context_length && contexts.size() < 4; c *= 4) {
    contexts.push_back(c);
  }
  contexts.push_back(model.config.context_length);
  return contexts;
}

MemoryPlan memory_at(const Model& model, int64_t context, int threads) {
  EngineOptions options;
  options.context = context;
  options.threads = threads;
  return plan_memory(model, options);
}

// The longest context for each type of cache that a process of so many bytes has room for.
std::vector<MemoryChoice> choices_of(const Model& model, const Options& o) {
  EngineOptions options;
  options.threads = o.threads;
  return memory_choices(model, options, parse_bytes(o.fit, "--fit"));
}

void print_choices(const std::vector<MemoryChoice>& choices, const Options& o) {
  if (choices.empty()) {
    std::cout << fmt::format("\nno context of this model fits in {}\n", o.fit);
    return;
  }
  Table t;
  t.row(
      {fmt::format("fits in {}", o.fit), "longest context", "tokens at once", "total", "weights"});
  for (const MemoryChoice& c : choices) {
    t.row({fmt::format("{} cache", dtype_info(c.cache_type).name), fmt::format("{}", c.context),
           fmt::format("{}", c.batch), human_bytes(c.bytes),
           c.streamed ? "streamed" : "in memory"});
  }
  std::cout << "\n" << t.str();
}

Json to_json(const GgufValue& value) {
  return std::visit(
      [](const auto& v) -> Json {
        if constexpr (std::is_same_v<std::decay_t<decltype(v)>, GgufArray>) {
          return fmt::format("array of {}", v.size());
        } else {
          return v;
        }
      },
      value);
}

std::string shown(const GgufValue& value) {
  static constexpr size_t kMost = 70;
  const Json json = to_json(value);
  std::string text = json.is_string() ? json.get<std::string>() : json.dump();
  if (const size_t end = text.find('\n'); end != std::string::npos) text = text.substr(0, end);
  return one_line(text.size() > kMost ? text.substr(0, kMost) + "..." : text);
}

Json to_json(const Model& m, const Options& o) {
  const ModelConfig& c = m.config;
  Json j{{"name", m.name},
         {"architecture", c.architecture},
         {"file_type", file_type_name(file_type(m))},
         {"parameters", m.parameters()},
         {"active_parameters", active_parameters(m)},
         {"weight_bytes", m.weight_bytes()},
         {"bits_per_weight", bits_per_weight(m)},
         {"context_length", c.context_length},
         {"embedding_length", c.embedding_length},
         {"block_count", c.block_count},
         {"decoder_block_count", c.decoder_block_count},
         {"feed_forward_length", c.feed_forward_length},
         {"head_count", c.head_count},
         {"head_count_kv", c.head_count_kv},
         {"head_size", c.head_size},
         {"vocab_size", c.vocab_size},
         {"tied_embeddings", c.tied_embeddings},
         {"expert_count", c.experts.count},
         {"expert_used_count", c.experts.used},
         {"encoder", !c.causal}};
  if (m.tokenizer != nullptr) j["tokenizer"] = m.tokenizer->spec().model;
  for (const auto& [dtype, share] : types_of(m)) {
    j["types"][std::string(dtype_info(dtype).name)] = {
        {"tensors", share.tensors}, {"parameters", share.parameters}, {"bytes", share.bytes}};
  }
  for (const int64_t context : contexts_of(m)) {
    const MemoryPlan p = memory_at(m, context, o.threads);
    j["memory"].push_back({{"context", context},
                           {"weights_bytes", p.weights},
                           {"cache_bytes", p.cache},
                           {"activations_bytes", p.activations + p.buffers},
                           {"process_bytes", p.process},
                           {"total_bytes", p.total()}});
  }
  j["packed"] = is_packed(m);
  if (!o.fit.empty()) {
    j["fit"] = Json::array();
    for (const MemoryChoice& c : choices_of(m, o)) {
      j["fit"].push_back({{"cache_type", dtype_info(c.cache_type).name},
                          {"context", c.context},
                          {"batch", c.batch},
                          {"weights_streamed", c.streamed},
                          {"total_bytes", c.bytes}});
    }
  }
  for (const auto& [key, value] : m.metadata) j["metadata"][key] = to_json(value);
  if (!o.tensors) return j;
  for (const auto& [name, t] : m.weights) {
    j["tensors"].push_back(
        {{"name", name}, {"type", dtype_info(t.dtype()).name}, {"shape", t.shape().str()}});
  }
  return j;
}

// What a block is made of, as far as its architecture has such parts.
std::vector<std::pair<std::string, std::string>> parts_of(const ModelConfig& c) {
  std::vector<std::pair<std::string, std::string>> parts;
  if (c.head_count > 0) {
    const auto without = std::ranges::count(c.head_counts_kv, 0);
    parts.emplace_back(
        "heads",
        fmt::format(
            "{} of {}, {} for keys and values{}", c.head_count, c.head_size, c.head_count_kv,
            without > 0 ? fmt::format("; {} layers without attention", without) : std::string()));
  }
  if (c.latent.rank > 0) {
    parts.emplace_back(
        "latent",
        fmt::format("{} for keys and values, which the cache holds instead", c.latent.rank));
  }
  if (c.window > 0) parts.emplace_back("window", fmt::format("{} tokens", c.window));
  const Experts& e = c.experts;
  if (e.count > 0) {
    parts.emplace_back(
        "experts",
        fmt::format("{}, of which each token uses {}{}{}", e.count, e.used,
                    e.shared > 0 ? fmt::format(" and {} shared", e.shared) : std::string(),
                    e.feed_forward_length > 0
                        ? fmt::format("; feed-forward {} in each", e.feed_forward_length)
                        : std::string()));
  }
  const StateSpace& s = c.ssm;
  if (s.inner_size > 0) {
    parts.emplace_back("state space", fmt::format("{} channels, states of {}, convolution over {}",
                                                  s.inner_size, s.state_size, s.conv_kernel));
  }
  if (c.short_conv > 0) {
    parts.emplace_back("convolution", fmt::format("over {} tokens", c.short_conv));
  }
  if (!c.causal) {
    static constexpr const char* kPoolings[] = {"none", "mean", "first token", "last token"};
    parts.emplace_back("pooling", kPoolings[static_cast<size_t>(c.pooling)]);
  }
  return parts;
}

// "1.2 GB in 3 parts"; "" for the built-in model.
std::string file_size(const std::string& path) {
  int64_t bytes = 0;
  const std::vector<std::string> parts = gguf_part_names(path);
  for (const std::string& part : parts) {
    std::error_code missing;
    const auto size = std::filesystem::file_size(part, missing);
    if (missing) return "";
    bytes += static_cast<int64_t>(size);
  }
  return human_bytes(bytes) + (parts.size() > 1 ? fmt::format(" in {} parts", parts.size()) : "");
}

void print_summary(const Model& m, const Options& o) {
  const ModelConfig& c = m.config;
  const auto line = [](std::string_view name, const std::string& value) {
    std::cout << fmt::format("{:<14}  {}\n", name, value);
  };
  line("name", one_line(m.name));
  line("architecture", c.architecture);
  const std::string licence = licence_of(m);
  line("licence", licence.empty() ? "not stated in the file" : one_line(licence));
  const int64_t active = active_parameters(m);
  line("parameters", human_count(m.parameters()) +
                         (active < m.parameters()
                              ? fmt::format(", of which each token uses {}", human_count(active))
                              : ""));
  line("layers", c.reads_source() ? fmt::format("{} that read, {} that write", c.block_count,
                                                c.decoder_block_count)
                                  : fmt::format("{}", c.block_count));
  line("width",
       fmt::format("{}", c.embedding_length) +
           (c.feed_forward_length > 0 ? fmt::format(", feed-forward {}", c.feed_forward_length)
                                      : ""));
  for (const auto& [name, value] : parts_of(c)) line(name, value);
  line("context", fmt::format("{} tokens", c.context_length));
  line("vocabulary", fmt::format("{} tokens, {}{}", c.vocab_size,
                                 m.tokenizer != nullptr ? m.tokenizer->spec().model
                                 : m.unknown_tokenizer.empty()
                                     ? "no tokenizer"
                                     : fmt::format("a tokenizer that Bantam does not know: {}",
                                                   one_line(m.unknown_tokenizer)),
                                 c.tied_embeddings ? ", head tied to the embedding" : ""));
  if (const std::string size = file_size(o.model); !size.empty()) line("file", size);
  line("weights",
       fmt::format("{}, {:.2f} bits each ({}{})", human_bytes(m.weight_bytes()), bits_per_weight(m),
                   file_type_name(file_type(m)), is_packed(m) ? ", packed" : ""));
}

void print_details(const Model& m, const Options& o) {
  Table memory;
  memory.row({"memory at context", "weights", "cache", "activations", "program", "total"});
  for (const int64_t context : contexts_of(m)) {
    const MemoryPlan p = memory_at(m, context, o.threads);
    memory.row({fmt::format("{}", context), human_bytes(p.weights), human_bytes(p.cache),
                human_bytes(p.activations + p.buffers), human_bytes(p.process),
                human_bytes(p.total())});
  }
  std::cout << "\n" << memory.str();
  if (!o.fit.empty()) print_choices(choices_of(m, o), o);
  if (!m.metadata.empty()) std::cout << "\nmetadata\n";
  for (const auto& [key, value] : m.metadata) {
    std::cout << fmt::format("  {} = {}\n", one_line(key), shown(value));
  }
  if (!o.tensors) return;
  Table tensors;
  for (const auto& [name, t] : m.weights) {
    tensors.row({one_line(name), std::string(dtype_info(t.dtype()).name), t.shape().str()});
  }
  std::cout << "\n" << tensors.str();
}

}  // namespace

void add_inspect(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* c = app.add_subcommand("inspect", "What a model file holds and the memory it needs");
  c->add_option("model", o->model, "A .gguf file")->required();
  c->add_option("--fit", o->fit, "The contexts that a process has room for in so much: 900M, 1.5G");
  c->add_flag("--tensors", o->tensors, "List every tensor");
  c->add_flag("--json", o->json, "Print a JSON object");
  c->callback([c, o] {
    o->threads = global_threads(*c);
    const auto model = open_model(o->model);
    if (o->json) {
      Json json = to_json(*model, *o);
      json["licence"] = licence_of(*model);
      json["groups"] = group_facts(*model);
      json["chat"] = chat_facts(model);
      return print(json);
    }
    print_summary(*model, *o);
    print_groups(*model);
    print_details(*model, *o);
    if (model->config.causal) print_chat(model);
  });
}

}  // namespace bantam::cli
