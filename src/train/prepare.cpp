#include <cctype>
#include <filesystem>

#include "base/error.h"
#include "data/pair_sampler.h"
#include "data/tokenise.h"
#include "formats/gguf.h"
#include "formats/gguf_writer.h"
#include "train/learn_tokenizer.h"
#include "train/run.h"

namespace bantam {
namespace {

namespace fs = std::filesystem;

void say(const RunEvents& events, std::string_view line) {
  if (events.message) events.message(line);
}

std::shared_ptr<const Tokenizer> tokenizer_of(const Recipe& recipe, const RunEvents& events,
                                              ThreadPool& pool) {
  const std::string path = recipe.output + "/tokenizer.gguf";
  if (!recipe.tokenizer_model.empty()) {
    return make_tokenizer(read_tokenizer(GgufFile::open(recipe.tokenizer_model)),
                          recipe.tokenizer_model);
  }
  if (!fs::exists(path)) {
    say(events, fmt::format("learning a tokenizer of {} tokens", recipe.vocabulary));
    GgufWriter out;
    out.set("general.architecture", std::string("tokenizer"));
    const LearnTokenizer what{recipe.tokenizer_kind, recipe.vocabulary, recipe.sources,
                              static_cast<uint64_t>(recipe.held_out_every)};
    TokenizerSpec spec = learn_tokenizer(what, pool);
    if (recipe.model.reads_source()) {
      // Nothing goes before a source; the end-of-text token goes after it.
      spec.add_bos = false;
      spec.add_eos = true;
    }
    write_tokenizer(spec, out);
    out.write(path);
  }
  return make_tokenizer(read_tokenizer(GgufFile::open(path)), path);
}

// The tokens that are foretold: all, or of pairs the targets.
std::vector<int32_t> foretold(const std::vector<std::string>& shards, bool pairs) {
  std::vector<int32_t> ids;
  if (!pairs) {
    const ShardSet set(shards);
    ids.resize(set.tokens());
    set.read(0, ids);
    return ids;
  }
  const PairShards set(shards);
  for (uint64_t i = 0; i < set.pairs(); ++i) {
    const std::vector<int32_t> target = set.read(i).target;
    ids.insert(ids.end(), target.begin(), target.end());
  }
  return ids;
}

void count_text(const Tokenizer& tokenizer, const std::vector<int32_t>& ids, PreparedData& data) {
  const std::string text = tokenizer.decode(ids);
  data.valid_bytes = static_cast<int64_t>(text.size());
  bool in_word = false;
  for (const char c : text) {
    const bool space = std::isspace(static_cast<unsigned char>(c)) != 0;
    if (!space && !in_word) ++data.valid_words;
    in_word = !space;
  }
}

}  // namespace

PreparedData prepare_data(const Recipe& recipe, const RunEvents& events, ThreadPool& pool) {
  fs::create_directories(recipe.output);
  PreparedData data;
  data.tokenizer = tokenizer_of(recipe, events, pool);
  data.train_path = recipe.output + "/train.shard";
  const std::string held_out = recipe.output + "/held-out.shard";
  const DocumentEncoder encoder = document_encoder(*data.tokenizer);
  const bool pairs = recipe.model.reads_source();
  if (recipe.held_out_every > 0) data.valid_paths.push_back(held_out);
  if (!fs::exists(data.train_path) || (recipe.held_out_every > 0 && !fs::exists(held_out))) {
    say(events, fmt::format("tokenising {} sources", recipe.sources.size()));
    TokeniseOptions options;
    options.train_path = data.train_path;
    if (recipe.held_out_every > 0) options.held_out_path = held_out;
    options.held_out_every = static_cast<uint64_t>(recipe.held_out_every);
    const TokeniseReport r =
        (pairs ? tokenise_pairs : tokenise)(recipe.sources, encoder, options, pool);
    say(events, fmt::format("{} {}, {:.1f} MB, {:.2f} M tokens to learn from; {:.2f} M held out",
                            r.train.documents, pairs ? "pairs" : "documents",
                            static_cast<double>(r.train.bytes) / 1e6,
                            static_cast<double>(r.train.tokens) / 1e6,
                            static_cast<double>(r.held_out.tokens) / 1e6));
  }
  for (size_t i = 0; i < recipe.valid_files.size(); ++i) {
    const std::string path = fmt::format("{}/valid-{}.shard", recipe.output, i);
    data.valid_paths.push_back(path);
    if (fs::exists(path)) continue;
    SourceSpec source;
    source.path = recipe.valid_files[i];
    if (pairs) {  // named and prefixed like the first of the others
      source.records = SourceSpec::Records::pair;
      source.pair_fields = recipe.sources.front().pair_fields;
      source.source_prefix = recipe.sources.front().source_prefix;
    }
    (pairs ? tokenise_pairs : tokenise)({source}, encoder, {path, "", 0}, pool);
  }
  count_text(*data.tokenizer, foretold(data.valid_paths, pairs), data);
  return data;
}

}  // namespace bantam
