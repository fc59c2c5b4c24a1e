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
  ++part.documents;
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

TokeniseReport tokenise(const std::vector<SourceSpec>& sources, const DocumentEncoder& encoder,
                        const TokeniseOptions& options, ThreadPool& pool) {
  TokeniseReport report;
  ShardWriter train(options.train_path, encoder.vocabulary);
  std::optional<ShardWriter> held_out;
  if (!options.held_out_path.empty()) held_out.emplace(options.held_out_path, encoder.vocabulary);
  for (const SourceSpec& source : sources) {
    const std::vector<std::string> documents = read_documents(source);
    std::vector<std::vector<int32_t>> encoded(documents.size());
    const auto n = static_cast<int64_t>(documents.size());
    pool.parallel_for(n, 16, [&](int64_t begin, int64_t end, int) {
      for (auto d = static_cast<size_t>(begin); d < static_cast<size_t>(end); ++d) {
        encoded[d] = encoder.encode(documents[d]);
      }
    });
    for (size_t d = 0; d < documents.size(); ++d) {
      if (held_out && is_held_out(documents[d], options.held_out_every)) {
        add(*held_out, report.held_out, documents[d], encoded[d], encoder.end);
      } else {
        add(train, report.train, documents[d], encoded[d], encoder.end);
      }
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

}  // namespace bantam
