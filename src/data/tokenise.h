#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "data/corpora.h"
#include "data/shards.h"

namespace bantam {

class ThreadPool;
class Tokenizer;

// What turns documents into tokens; must be safe to call from many threads.
struct DocumentEncoder {
  std::function<std::vector<int32_t>(std::string_view)> encode;
  int32_t end = 0;  // ends each document
  ShardVocabulary vocabulary;
};

// Plain text, with control tokens where a document spells them (dialogue marks). The tokenizer must
// outlive the encoder. Throws ErrorKind::usage if it has no end-of-sequence token.
DocumentEncoder document_encoder(const Tokenizer& tokenizer);

struct TokeniseOptions {
  std::string train_path, held_out_path{};  // of the shards; no held-out path: nothing is held out
  uint64_t held_out_every = 100;            // about one document in so many
};

struct TokeniseReport {
  struct Part {
    uint64_t documents = 0, bytes = 0, tokens = 0;  // tokens with one end per document
  };
  Part train, held_out;
};

// Reads the sources in order, encodes their documents on the pool and writes the shards. The result
// does not depend on the number of threads.
TokeniseReport tokenise(const std::vector<SourceSpec>& sources, const DocumentEncoder& encoder,
                        const TokeniseOptions& options, ThreadPool& pool);

// The same for sources of pairs: documents of the shards are a source and its target in turn, and
// the report counts pairs and the text of both. Pairs stay together on either side.
TokeniseReport tokenise_pairs(const std::vector<SourceSpec>& sources,
                              const DocumentEncoder& encoder, const TokeniseOptions& options,
                              ThreadPool& pool);

}  // namespace bantam
