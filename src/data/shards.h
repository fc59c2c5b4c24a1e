#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"

namespace bantam {

// A file of token ids, ready to be mapped. Little-endian:
//
//   "BNTSHARD"                      8 bytes
//   tokens                          u16 each if the vocabulary has at most 65,536, else u32
//   zeros                           up to a multiple of 8
//   where each document starts      u64 each, counted in tokens; the first is 0, strictly rising
//   footer                          u64 tokens, u64 documents, u64 tokenizer hash,
//                                   u32 vocabulary, u32 bytes per token, u32 version, u32
//                                   0x444e4542
//
// Counts stand at the end so that shards of any size are written in one pass.

// What must agree between a shard and a model that learns from it.
struct ShardVocabulary {
  int64_t size = 0;             // ids are 0 .. size - 1
  uint64_t tokenizer_hash = 0;  // hash(TokenizerSpec), for instance
  bool operator==(const ShardVocabulary&) const = default;
};

// Writes a shard document by document. The file appears when `finish` returns.
//   ShardWriter writer("train.shard", {8192, hash});
//   writer.add(ids);
//   writer.finish();
class ShardWriter {
 public:
  ShardWriter(const std::string& path, const ShardVocabulary& vocabulary);
  // Empty documents are skipped. Ids must lie in the vocabulary (ErrorKind::internal).
  void add(std::span<const int32_t> document);
  // Throws ErrorKind::usage if nothing was added.
  void finish();
  [[nodiscard]] uint64_t tokens() const { return tokens_; }
  [[nodiscard]] uint64_t documents() const { return starts_.size(); }

 private:
  std::string path_;
  AtomicFile file_;
  ShardVocabulary vocabulary_;
  uint64_t tokens_ = 0;
  std::vector<uint64_t> starts_;
  std::vector<std::byte> encoded_;
};

// A mapped shard. Every count, every start and every id is checked when it is opened; a bad file
// throws ErrorKind::format. Safe to read from many threads.
class Shard {
 public:
  explicit Shard(const std::string& path);

  [[nodiscard]] uint64_t tokens() const { return tokens_; }
  [[nodiscard]] std::span<const uint64_t> document_starts() const { return starts_; }
  [[nodiscard]] const ShardVocabulary& vocabulary() const { return vocabulary_; }
  [[nodiscard]] const std::string& path() const { return file_->path(); }
  // Copies tokens begin .. begin + out.size() - 1, which must exist.
  void read(uint64_t begin, std::span<int32_t> out) const;

 private:
  std::shared_ptr<MappedFile> file_;
  ShardVocabulary vocabulary_;
  uint64_t tokens_ = 0;
  size_t token_bytes_ = 2;
  std::span<const uint64_t> starts_;
};

// Several shards read as one ring of tokens: after the last comes the first again.
class ShardSet {
 public:
  // Throws ErrorKind::usage for no paths and ErrorKind::format for shards of different
  // vocabularies.
  explicit ShardSet(const std::vector<std::string>& paths);

  [[nodiscard]] uint64_t tokens() const { return ends_.back(); }
  [[nodiscard]] uint64_t documents() const;
  [[nodiscard]] const ShardVocabulary& vocabulary() const { return shards_.front().vocabulary(); }
  void read(uint64_t begin, std::span<int32_t> out) const;

 private:
  std::vector<Shard> shards_;
  std::vector<uint64_t> ends_;  // tokens up to and with each shard
};

}  // namespace bantam
