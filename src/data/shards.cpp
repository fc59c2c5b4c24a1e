#include "data/shards.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/error.h"

namespace bantam {

namespace {

static_assert(std::endian::native == std::endian::little, "shards are little-endian and mapped");

constexpr std::string_view kMagic = "BNTSHARD";
constexpr uint32_t kEndMagic = 0x444e4542;
constexpr uint32_t kVersion = 1;
constexpr int64_t kLargestVocabulary = int64_t{1} << 31;

struct Footer {
  uint64_t tokens, documents, tokenizer_hash;
  uint32_t vocabulary, token_bytes, version, magic;
};
static_assert(sizeof(Footer) == 40);

uint32_t bytes_per_token(int64_t vocabulary) {
  return vocabulary <= 65536 ? 2 : 4;
}

uint64_t padding(uint64_t bytes) {
  return (8 - bytes % 8) % 8;
}

template <typename T>
std::span<const std::byte> bytes_of(const T* values, size_t n) {
  return std::as_bytes(std::span(values, n));
}

// The footer, held against the size of the file so that all sections lie inside it.
Footer read_footer(const MappedFile& file) {
  const std::span<const std::byte> bytes = file.bytes();
  const auto bad = [&](std::string_view expected, const auto& got) {
    fail(ErrorKind::format, file.path(), "expected {}, got {}.", expected, got);
  };
  if (bytes.size() < kMagic.size() + sizeof(Footer) ||
      std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0) {
    bad("a token shard that starts with \"BNTSHARD\"",
        fmt::format("another kind of file ({} bytes)", bytes.size()));
  }
  Footer footer;
  std::memcpy(&footer, bytes.data() + bytes.size() - sizeof footer, sizeof footer);
  if (footer.magic != kEndMagic) bad("the footer of a token shard", "a truncated or damaged file");
  if (footer.version != kVersion) bad("shard version 1", footer.version);
  if (footer.vocabulary == 0 || footer.vocabulary > kLargestVocabulary) {
    bad("a vocabulary of 1 to 2147483648 tokens", footer.vocabulary);
  }
  if (footer.token_bytes != bytes_per_token(footer.vocabulary)) {
    bad(fmt::format("{} bytes per token", bytes_per_token(footer.vocabulary)), footer.token_bytes);
  }
  if (footer.documents == 0 || footer.documents > footer.tokens) {
    bad(fmt::format("1 to {} documents", footer.tokens), footer.documents);
  }
  const uint64_t room = bytes.size() - kMagic.size() - sizeof(Footer);
  const uint64_t token_room = footer.tokens > room ? room : footer.tokens * footer.token_bytes;
  if (footer.tokens > room || footer.documents > room / 8 ||
      token_room + padding(token_room) + 8 * footer.documents != room) {
    bad(fmt::format("a file that holds {} tokens and {} documents", footer.tokens,
                    footer.documents),
        fmt::format("{} bytes (truncated or damaged)", bytes.size()));
  }
  return footer;
}

template <typename T>
void check_ids(const MappedFile& file, uint64_t n, uint32_t vocabulary) {
  const auto* ids = reinterpret_cast<const T*>(file.bytes().data() + kMagic.size());
  const T largest = *std::max_element(ids, ids + n);
  if (largest < vocabulary) return;
  const auto at = std::find_if(ids, ids + n, [&](T id) { return id >= vocabulary; }) - ids;
  fail(ErrorKind::format, file.path(), "token {}: expected an id below {}, got {}.", at, vocabulary,
       ids[at]);
}

void check_starts(const MappedFile& file, std::span<const uint64_t> starts, uint64_t tokens) {
  for (size_t d = 0; d < starts.size(); ++d) {
    const bool good = d == 0 ? starts[d] == 0 : starts[d] > starts[d - 1];
    if (good && starts[d] < tokens) continue;
    fail(ErrorKind::format, file.path(),
         "document {}: expected a start after the one before and below {}, got {}.", d, tokens,
         starts[d]);
  }
}

template <typename T>
void widen(const std::byte* tokens, uint64_t begin, std::span<int32_t> out) {
  const auto* ids = reinterpret_cast<const T*>(tokens) + begin;
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<int32_t>(ids[i]);
}

}  // namespace

ShardWriter::ShardWriter(const std::string& path, const ShardVocabulary& vocabulary)
    : path_(path), file_(path), vocabulary_(vocabulary) {
  BANTAM_ASSERT(vocabulary.size > 0 && vocabulary.size <= kLargestVocabulary);
  file_.write(kMagic);
}

void ShardWriter::add(std::span<const int32_t> document) {
  if (document.empty()) return;
  starts_.push_back(tokens_);
  tokens_ += document.size();
  const size_t token_bytes = bytes_per_token(vocabulary_.size);
  encoded_.resize(document.size() * token_bytes);
  for (size_t i = 0; i < document.size(); ++i) {
    BANTAM_ASSERT(document[i] >= 0 && document[i] < vocabulary_.size);
    std::memcpy(encoded_.data() + i * token_bytes, &document[i], token_bytes);
  }
  file_.write(encoded_);
}

void ShardWriter::finish() {
  if (tokens_ == 0) fail(ErrorKind::usage, path_, "expected at least one token, got none.");
  const uint32_t token_bytes = bytes_per_token(vocabulary_.size);
  constexpr std::byte kZeros[8] = {};
  file_.write(std::span(kZeros).first(padding(tokens_ * token_bytes)));
  file_.write(bytes_of(starts_.data(), starts_.size()));
  const Footer footer{tokens_,
                      starts_.size(),
                      vocabulary_.tokenizer_hash,
                      static_cast<uint32_t>(vocabulary_.size),
                      token_bytes,
                      kVersion,
                      kEndMagic};
  file_.write(bytes_of(&footer, 1));
  file_.commit();
}

Shard::Shard(const std::string& path) : file_(MappedFile::open(path)) {
  const Footer footer = read_footer(*file_);
  vocabulary_ = {footer.vocabulary, footer.tokenizer_hash};
  tokens_ = footer.tokens;
  token_bytes_ = footer.token_bytes;
  const std::span<const std::byte> bytes = file_->bytes();
  const size_t starts_end = bytes.size() - sizeof(Footer);
  const auto* starts = bytes.data() + starts_end - 8 * footer.documents;
  starts_ = {reinterpret_cast<const uint64_t*>(starts), footer.documents};
  check_starts(*file_, starts_, tokens_);
  if (token_bytes_ == 2) {
    check_ids<uint16_t>(*file_, tokens_, footer.vocabulary);
  } else {
    check_ids<uint32_t>(*file_, tokens_, footer.vocabulary);
  }
}

void Shard::read(uint64_t begin, std::span<int32_t> out) const {
  BANTAM_ASSERT(begin <= tokens_ && out.size() <= tokens_ - begin);
  const std::byte* tokens = file_->bytes().data() + kMagic.size();
  if (token_bytes_ == 2) {
    widen<uint16_t>(tokens, begin, out);
  } else {
    widen<uint32_t>(tokens, begin, out);
  }
}

ShardSet::ShardSet(const std::vector<std::string>& paths) {
  if (paths.empty()) fail(ErrorKind::usage, "shards", "expected at least one shard, got none.");
  uint64_t total = 0;
  for (const std::string& path : paths) {
    shards_.emplace_back(path);
    const ShardVocabulary &first = vocabulary(), &other = shards_.back().vocabulary();
    if (other != first) {
      fail(ErrorKind::format, path,
           "expected the tokenizer of {} ({} tokens, hash {:016x}), got {} tokens, hash {:016x}.",
           paths[0], first.size, first.tokenizer_hash, other.size, other.tokenizer_hash);
    }
    total += shards_.back().tokens();
    ends_.push_back(total);
  }
}

uint64_t ShardSet::documents() const {
  uint64_t n = 0;
  for (const Shard& shard : shards_) n += shard.document_starts().size();
  return n;
}

void ShardSet::read(uint64_t begin, std::span<int32_t> out) const {
  begin %= tokens();
  auto i = static_cast<size_t>(std::upper_bound(ends_.begin(), ends_.end(), begin) - ends_.begin());
  uint64_t local = i == 0 ? begin : begin - ends_[i - 1];
  while (!out.empty()) {
    const uint64_t part = std::min<uint64_t>(out.size(), shards_[i].tokens() - local);
    shards_[i].read(local, out.first(part));
    out = out.subspan(part);
    local = 0;
    i = (i + 1) % shards_.size();
  }
}

}  // namespace bantam
