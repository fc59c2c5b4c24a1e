#include <fmt/format.h>

#include <iostream>
#include <map>
#include <optional>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "compress/quantize.h"
#include "eval/quality.h"

namespace bantam::cli {
namespace {

struct Options {
  std::string in, out, type = "q4_k", head_type, split;
  std::vector<std::string> texts;
  EvaluateOptions evaluate;
  bool json = false;
};

std::vector<std::string> line(const char* name, double before, double after, int digits) {
  return {name, fmt::format("{:.{}f}", before, digits), fmt::format("{:.{}f}", after, digits)};
}

void print_table(const QuantizeResult& q, const QualityReport& r) {
  std::map<std::pair<DType, DType>, int> fallbacks;
  for (const auto& f : q.fallbacks) ++fallbacks[{f.wanted, f.used}];
  for (const auto& [types, count] : fallbacks) {
    std::cout << fmt::format("{} matrices are {}: their rows are no whole blocks of {}\n", count,
                             dtype_info(types.second).name, dtype_info(types.first).name);
  }
  Table t;
  t.row({"", "before", "after"});
  t.row({"weights", human_bytes(r.bytes_before), human_bytes(r.bytes_after)});
  t.row(line("bits per weight", r.bits_before, r.bits_after, 2));
  if (r.measured) {
    const DivergenceResult& d = *r.measured;
    t.row(line("perplexity per token", d.reference.perplexity(), d.model.perplexity(), 4));
    t.row(line("perplexity per word", d.reference.word_perplexity(), d.model.word_perplexity(), 4));
    t.row(line("bits per byte", d.reference.bits_per_byte(), d.model.bits_per_byte(), 4));
    t.row({"mean KL divergence", "", fmt::format("{:.6f}", d.mean_kl)});
    t.row({"top-1 agreement", "", fmt::format("{:.2f} %", 100 * d.top1_agreement)});
  }
  std::cout << t.str();
}

Json to_json(const QuantizeResult& q, const QualityReport& r) {
  Json json{{"bytes_before", r.bytes_before},
            {"bytes_after", r.bytes_after},
            {"bits_per_weight_before", r.bits_before},
            {"bits_per_weight_after", r.bits_after}};
  if (r.measured) {
    const DivergenceResult& d = *r.measured;
    json["tokens"] = d.model.tokens;
    json["perplexity_before"] = d.reference.perplexity();
    json["perplexity_after"] = d.model.perplexity();
    json["word_perplexity_before"] = d.reference.word_perplexity();
    json["word_perplexity_after"] = d.model.word_perplexity();
    json["mean_kl"] = d.mean_kl;
    json["top1_agreement"] = d.top1_agreement;
  }
  json["fallbacks"] = Json::array();
  for (const auto& f : q.fallbacks) {
    json["fallbacks"].push_back({{"tensor", f.name},
                                 {"wanted", dtype_info(f.wanted).name},
                                 {"used", dtype_info(f.used).name}});
  }
  return json;
}

void quantize(Options o) {
  QuantizeOptions options = parse_weight_types(o.type);
  options.threads = o.evaluate.threads;
  if (!o.head_type.empty()) options.head_type = parse_dtype(o.head_type, "--head-type");
  std::optional<int64_t> part_bytes;
  if (!o.split.empty()) part_bytes = parse_bytes(o.split, "--split-max-size");
  const auto before = open_model(o.in);
  QuantizeResult q = bantam::quantize(*before, options);
  std::vector<TokenText> texts;
  if (!o.texts.empty()) texts = read_texts(*before, o.texts);
  o.evaluate.on_progress = [](double done) {
    show_progress("measuring", done);
    return true;
  };
  const auto after = std::make_shared<Model>(q.model);
  const QualityReport report = measure_quality(before, after, texts, o.evaluate);
  store_quality(report, "bantam.quantize", *after);
  set_metadata(*after, "bantam.quantize.type", CLI::detail::to_lower(o.type));
  const std::vector<std::string> files = save_model(*after, o.out, part_bytes);
  if (o.json) {
    Json json = to_json(q, report);
    json["files"] = files;
    return print(json);
  }
  print_table(q, report);
  if (files.size() > 1) {
    std::cout << fmt::format("{} files, the first is {}\n", files.size(), files.front());
  }
}

}  // namespace

void add_quantize(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* c = app.add_subcommand("quantize", "Store the weights in fewer bits, and measure it");
  c->add_option("input", o->in, "A .gguf file")->required();
  c->add_option("output", o->out, "The .gguf file to write")->required();
  c->add_option("--type", o->type, "q4_k_m, q4_k, q8_0, iq4_xs, mxfp4, ...; a wrong one lists all")
      ->capture_default_str();
  c->add_option("--head-type", o->head_type, "Of the output head, if it should differ");
  c->add_option("-f,--text", o->texts,
                "Text (of an encoder-decoder: pairs) to measure the quality on, before and after");
  c->add_option("--context", o->evaluate.context, "Tokens that the model sees at once");
  c->add_option("--limit", o->evaluate.limit, "Measure only so many tokens")
      ->check(CLI::NonNegativeNumber);
  c->add_option("--split-max-size", o->split,
                "Write files NAME-00001-of-00002.gguf of at most so many bytes of weights (2G)");
  c->add_flag("--json", o->json, "Print a JSON object");
  c->callback([c, o] {
    o->evaluate.threads = global_threads(*c);
    quantize(*o);
  });
}

}  // namespace bantam::cli
