#include "text/bpe_trainer.h"

#include <algorithm>

#include "base/error.h"
#include "text/tokenizers/byte_alphabet.h"
#include "text/tokenizers/pair_counts.h"
#include "text/tokenizers/token_index.h"

namespace bantam {

namespace {

constexpr size_t kChunkBytes = size_t{1} << 18;
// Longer words (data without spaces) are learned from in parts: a merge looks at whole words.
constexpr size_t kMaxWordBytes = 256;

bool is_ascii_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Cuts a text into chunks of about kChunkBytes, only between a letter and white space: there every
// rule ends a word, so the words are those of the whole text.
void append_chunks(std::string_view text, std::vector<std::string_view>& chunks) {
  while (text.size() > kChunkBytes) {
    size_t cut = kChunkBytes;
    while (cut < text.size() &&
           !((text[cut] == ' ' || text[cut] == '\n') && is_ascii_letter(text[cut - 1]))) {
      ++cut;
    }
    chunks.push_back(text.substr(0, cut));
    text.remove_prefix(cut);
  }
  if (!text.empty()) chunks.push_back(text);
}

void check_options(const BpeTrainerOptions& options) {
  const size_t fixed = 256 + options.special_tokens.size();
  if (options.vocab_size < 0 || static_cast<size_t>(options.vocab_size) < fixed ||
      options.vocab_size > (1 << 22)) {
    fail(ErrorKind::usage, "train tokenizer", "expected a vocabulary of {} to {} tokens, got {}",
         fixed, 1 << 22, options.vocab_size);
  }
  if (find_pre_tokenizer(options.pre) == nullptr) {
    fail(ErrorKind::usage, "train tokenizer", "expected a known pre-tokenizer, got \"{}\"",
         options.pre);
  }
  for (const std::string& token : options.special_tokens) {
    const auto same = std::ranges::count(options.special_tokens, token);
    if (token.empty() || same > 1) {
      fail(ErrorKind::usage, "train tokenizer",
           "expected special tokens that differ and are not empty, got \"{}\"", token);
    }
  }
}

// The vocabulary as it grows: bytes first, then what merging adds.
class Vocabulary {
 public:
  explicit Vocabulary(TokenizerSpec& spec) : spec_(spec) {
    for (const uint8_t byte : byte_alphabet_order()) {
      const auto c = static_cast<char>(byte);
      byte_ids_[byte] = add(spell_bytes({&c, 1}));
    }
  }

  [[nodiscard]] int32_t byte_id(char c) const { return byte_ids_[static_cast<uint8_t>(c)]; }

  // Two different pairs can spell the same token: ab+c and a+bc.
  int32_t join(int32_t left, int32_t right) {
    const std::string a(spec_.tokens[static_cast<size_t>(left)]);
    const std::string b(spec_.tokens[static_cast<size_t>(right)]);
    spec_.merges.push_back(a + " " + b);
    return add(a + b);
  }

 private:
  int32_t add(const std::string& token) {
    const auto [it, is_new] = ids_.try_emplace(token, static_cast<int32_t>(spec_.tokens.size()));
    if (is_new) spec_.tokens.push_back(token);
    return it->second;
  }

  TokenizerSpec& spec_;
  std::unordered_map<std::string, int32_t> ids_;
  std::array<int32_t, 256> byte_ids_{};
};

void add_specials(const BpeTrainerOptions& options, TokenizerSpec& spec) {
  spec.types.assign(spec.tokens.size(), TokenType::normal);
  for (const std::string& token : options.special_tokens) {
    if (spec.eos < 0) spec.bos = spec.eos = static_cast<int32_t>(spec.tokens.size());
    spec.tokens.push_back(token);
    spec.types.push_back(TokenType::control);
  }
}

}  // namespace

size_t BpeTrainer::TextHash::operator()(std::string_view text) const {
  return hash_bytes(text);
}

BpeTrainer::BpeTrainer(BpeTrainerOptions options) : options_(std::move(options)) {
  check_options(options_);
  pre_ = find_pre_tokenizer(options_.pre);
  for (const std::string& token : options_.special_tokens) specials_.add(token, 0);
}

void BpeTrainer::add(std::span<const std::string_view> texts, ThreadPool& pool) {
  std::vector<std::string_view> chunks;
  for (const std::string_view text : texts) {
    for (size_t begin = 0; begin < text.size();) {
      const SpecialMatcher::Match match = specials_.find(text, begin);
      append_chunks(text.substr(begin, match.position - begin), chunks);
      begin = match.position + match.size;
    }
  }
  using Counts = std::unordered_map<std::string_view, uint64_t, TextHash>;
  std::vector<Counts> counts(static_cast<size_t>(pool.size()));
  pool.parallel_for(static_cast<int64_t>(chunks.size()), 1,
                    [&](int64_t begin, int64_t end, int worker) {
                      Counts& mine = counts[static_cast<size_t>(worker)];
                      for (int64_t i = begin; i < end; ++i) {
                        for_each_word(pre_->stages, chunks[static_cast<size_t>(i)],
                                      [&](std::string_view word) { ++mine[word]; });
                      }
                    });
  for (const Counts& some : counts) {
    for (const auto& [word, count] : some) {
      const auto it = words_.find(word);
      if (it != words_.end()) {
        it->second += count;
      } else {
        words_.emplace(word, count);
      }
    }
  }
}

TokenizerSpec BpeTrainer::train(const BpeProgress& progress) const {
  TokenizerSpec spec;
  spec.model = "gpt2";
  spec.pre = options_.pre;
  Vocabulary vocabulary(spec);
  PairCounts pairs;
  std::vector<int32_t> ids;
  for (const auto& [text, count] : words_) {
    for (size_t begin = 0; begin < text.size(); begin += kMaxWordBytes) {
      ids.clear();
      for (const char c : std::string_view(text).substr(begin, kMaxWordBytes)) {
        ids.push_back(vocabulary.byte_id(c));
      }
      pairs.add_word(ids, count);
    }
  }
  pairs.start();
  const size_t wanted = static_cast<size_t>(options_.vocab_size) - options_.special_tokens.size();
  const auto total = static_cast<int64_t>(wanted - spec.tokens.size());
  while (spec.tokens.size() < wanted) {
    const auto best = pairs.most_frequent();
    if (!best || best->count < std::max<uint64_t>(options_.min_frequency, 1)) break;
    pairs.merge(*best, best->joined >= 0 ? best->joined : vocabulary.join(best->left, best->right));
    if (progress && spec.merges.size() % 64 == 0) {
      progress(total - static_cast<int64_t>(wanted - spec.tokens.size()), total);
    }
  }
  if (progress) progress(total - static_cast<int64_t>(wanted - spec.tokens.size()), total);
  add_specials(options_, spec);
  return spec;
}

TokenizerSpec train_bpe(std::span<const std::string_view> texts, BpeTrainerOptions options,
                        ThreadPool& pool, const BpeProgress& progress) {
  BpeTrainer trainer(std::move(options));
  trainer.add(texts, pool);
  return trainer.train(progress);
}

}  // namespace bantam
