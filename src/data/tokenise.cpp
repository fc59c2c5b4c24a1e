#include "data/tokenise.h"

#include <optional>

#include "base/error.h"
#include "base/thread_pool.h"
#include "text/tokenizer.h"

namespace bantam {

namespace {

void add(ShardWriter& writer, TokeniseReport::Part& part, std::string_view document,
         std::vector<int32_t>& ids, int32_t end) {
  ids.push_back(end);
  writer.add(ids);
  part.bytes += document.size();
  part.tokens += ids.size();
}

}  // namespace

DocumentEncoder document_encoder(const Tokenizer& tokenizer) {
  if (tokenizer.eos() < 0) {
    fail(ErrorKind::usage, "tokenise", "expected a tokenizer with an end-of-sequence token.");
  }
  return {[&tokenizer](std::string_view text) {
            return tokenizer.encode(text, {.special = false, .parse_special = true});
          },
          tokenizer.eos(),
          {tokenizer.vocab_size(), hash(tokenizer.spec())}};
}

namespace {

using Text = std::vector<std::string>;  // one document, or a source and its target

TokeniseReport tokenise_texts(const std::vector<SourceSpec>& sources,
                              const DocumentEncoder& encoder, const TokeniseOptions& options,
                              ThreadPool& pool, std::vector<Text> (*read)(const SourceSpec&)) {
  TokeniseReport report;
  ShardWriter train(options.train_path, encoder.vocabulary);
  std::optional<ShardWriter> held_out;
  if (!options.held_out_path.empty()) held_out.emplace(options.held_out_path, encoder.vocabulary);
  for (const SourceSpec& source : sources) {
    const std::vector<Text> texts = read(source);
    std::vector<std::vector<std::vector<int32_t>>> encoded(texts.size());
    const auto n = static_cast<int64_t>(texts.size());
    pool.parallel_for(n, 16, [&](int64_t begin, int64_t end, int) {
      for (auto d = static_cast<size_t>(begin); d < static_cast<size_t>(end); ++d) {
        for (const std::string& part : texts[d]) encoded[d].push_back(encoder.encode(part));
      }
    });
    for (size_t d = 0; d < texts.size(); ++d) {
      const bool out = held_out && is_held_out(texts[d].front(), options.held_out_every);
      ShardWriter& writer = out ? *held_out : train;
      TokeniseReport::Part& part = out ? report.held_out : report.train;
      ++part.documents;
      for (size_t i = 0; i < texts[d].size(); ++i)
        add(writer, part, texts[d][i], encoded[d][i], encoder.end);
    }
  }
  if (held_out && held_out->tokens() == 0) {
    fail(ErrorKind::usage, sources.empty() ? "data" : sources.front().path,
         "held_out_every = {}: expected some documents to hold out, got none of {}; a smaller "
         "number "
         "holds out more",
         options.held_out_every, report.train.documents);
  }
  train.finish();
  if (held_out) held_out->finish();
  return report;
}

}  // namespace

TokeniseReport tokenise(const std::vector<SourceSpec>& sources, const DocumentEncoder& encoder,
                        const TokeniseOptions& options, ThreadPool& pool) {
  return tokenise_texts(sources, encoder, options, pool, [](const SourceSpec& source) {
    std::vector<Text> texts;
    for (std::string& document : read_documents(source)) texts.push_back({std::move(document)});
    return texts;
  });
}

TokeniseReport tokenise_pairs(const std::vector<SourceSpec>& sources,
                              const DocumentEncoder& encoder, const TokeniseOptions& options,
                              ThreadPool& pool) {
  return tokenise_texts(sources, encoder, options, pool, [](const SourceSpec& source) {
    std::vector<Text> texts;
    for (TextPair& pair : read_pairs(source))
      texts.push_back({std::move(pair.source), std::move(pair.target)});
    return texts;
  });
}

}  // namespace bantam
