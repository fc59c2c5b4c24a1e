#include <cctype>
#include <filesystem>

#include "base/error.h"
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
    write_tokenizer(learn_tokenizer(what, pool), out);
    out.write(path);
  }
  return make_tokenizer(read_tokenizer(GgufFile::open(path)), path);
}

void count_text(const Tokenizer& tokenizer, const std::vector<std::string>& shards,
                PreparedData& data) {
  const ShardSet set(shards);
  std::vector<int32_t> ids(set.tokens());
  set.read(0, ids);
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
  if (recipe.held_out_every > 0) data.valid_paths.push_back(held_out);
  if (!fs::exists(data.train_path) || (recipe.held_out_every > 0 && !fs::exists(held_out))) {
    say(events, fmt::format("tokenising {} sources", recipe.sources.size()));
    TokeniseOptions options;
    options.train_path = data.train_path;
    if (recipe.held_out_every > 0) options.held_out_path = held_out;
    options.held_out_every = static_cast<uint64_t>(recipe.held_out_every);
    const TokeniseReport r = tokenise(recipe.sources, encoder, options, pool);
    say(events,
        fmt::format("{} documents, {:.1f} MB, {:.2f} M tokens to learn from; {:.2f} M held out",
                    r.train.documents, static_cast<double>(r.train.bytes) / 1e6,
                    static_cast<double>(r.train.tokens) / 1e6,
                    static_cast<double>(r.held_out.tokens) / 1e6));
  }
  for (size_t i = 0; i < recipe.valid_files.size(); ++i) {
    const std::string path = fmt::format("{}/valid-{}.shard", recipe.output, i);
    data.valid_paths.push_back(path);
    if (fs::exists(path)) continue;
    SourceSpec source;
    source.path = recipe.valid_files[i];
    tokenise({source}, encoder, {path, "", 0}, pool);
  }
  count_text(*data.tokenizer, data.valid_paths, data);
  return data;
}

}  // namespace bantam
