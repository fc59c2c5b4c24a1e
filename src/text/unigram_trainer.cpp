#include "text/unigram_trainer.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_map>

#include "base/error.h"
#include "text/tokenizers/sentencepiece_normaliser.h"
#include "text/tokenizers/sentencepiece_unigram.h"
#include "text/tokenizers/special_matcher.h"
#include "text/unicode.h"

namespace bantam {

namespace {

constexpr size_t kMaxSeeds = 1'000'000;
constexpr size_t kLongestWord = 256;    // bytes; longer words are learned from in parts
constexpr double kLeastExpected = 0.5;  // pieces that are expected less often are dropped

struct Word {
  std::string text;
  double count;
};

struct Scored {
  std::string text;
  double score;         // log probability; a count while seeds are gathered
  bool single = false;  // one character: never dropped
};

// d/dx log(gamma(x)): the mean of log p under a Dirichlet posterior, which EM uses so that rare
// pieces vanish.
double digamma(double x) {
  double shift = 0;
  for (; x < 7; ++x) shift -= 1 / x;
  x -= 0.5;
  const double y = 1 / (x * x);
  return shift + std::log(x) + y * (1.0 / 24 - y * (7.0 / 960 - y * 31.0 / 8064));
}

std::vector<size_t> character_starts(std::string_view word) {
  std::vector<size_t> starts;
  for (size_t i = 0; i < word.size(); i += decode_utf8(word, i).size) starts.push_back(i);
  starts.push_back(word.size());
  return starts;
}

double log_sum(double a, double b) {
  if (a == -INFINITY) return b;
  const double high = std::max(a, b);
  return high + std::log1p(std::exp(std::min(a, b) - high));
}

// The characters that make up `coverage` of the text, the most frequent first.
std::vector<std::string> covering_characters(const std::vector<Word>& words, double coverage) {
  std::map<std::string, double> counts;
  double total = 0;
  for (const Word& word : words) {
    const auto starts = character_starts(word.text);
    for (size_t i = 0; i + 1 < starts.size(); ++i) {
      const std::string c = word.text.substr(starts[i], starts[i + 1] - starts[i]);
      if (!is_valid_utf8(c)) continue;
      counts[c] += word.count;
      total += word.count;
    }
  }
  std::vector<std::pair<std::string, double>> sorted(counts.begin(), counts.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  std::vector<std::string> characters;
  double covered = 0;
  for (const auto& [c, count] : sorted) {
    if (covered >= coverage * total) break;
    characters.push_back(c);
    covered += count;
  }
  return characters;
}

class Trainer {
 public:
  Trainer(std::vector<Word> words, const UnigramTrainerOptions& options)
      : words_(std::move(words)), options_(options) {}

  std::vector<Scored> run(size_t wanted, const UnigramProgress& progress) {
    pieces_ = seeds();
    // A little more than wanted, of which the final choice takes the best.
    const size_t enough = wanted + wanted / 10;
    for (;;) {
      for (int32_t i = 0; i < options_.em_rounds; ++i) maximise(expectations());
      if (progress) {
        progress(static_cast<int64_t>(pieces_.size()), static_cast<int64_t>(wanted));
      }
      if (pieces_.size() <= enough || !prune(enough)) break;
    }
    std::stable_sort(pieces_.begin(), pieces_.end(), [](const Scored& a, const Scored& b) {
      return a.single != b.single ? a.single : a.score > b.score;
    });
    if (pieces_.size() > wanted) pieces_.resize(wanted);
    std::stable_sort(pieces_.begin(), pieces_.end(),
                     [](const Scored& a, const Scored& b) { return a.score > b.score; });
    return std::move(pieces_);
  }

 private:
  // Frequent substrings of words, the ones that cover most text first, and all characters.
  [[nodiscard]] std::vector<Scored> seeds() const {
    const auto characters = covering_characters(words_, options_.character_coverage);
    const std::map<std::string_view, bool> allowed = [&] {
      std::map<std::string_view, bool> set;
      for (const std::string& c : characters) set[c] = true;
      return set;
    }();
    std::unordered_map<std::string_view, double> counts;
    for (const Word& word : words_) {
      const auto starts = character_starts(word.text);
      const std::string_view text = word.text;
      for (size_t i = 0; i + 1 < starts.size(); ++i) {
        const size_t limit = i + static_cast<size_t>(options_.longest_piece);
        for (size_t j = i + 1; j < starts.size() && j <= limit; ++j) {
          if (!allowed.contains(text.substr(starts[j - 1], starts[j] - starts[j - 1]))) break;
          counts[text.substr(starts[i], starts[j] - starts[i])] += word.count;
        }
      }
    }
    std::vector<Scored> found;
    for (const auto& [text, count] : counts) {
      const bool single = decode_utf8(text, 0).size == text.size();
      if (!single && count < 2) continue;
      const auto length = static_cast<double>(character_starts(text).size() - 1);
      found.push_back({std::string(text), count * length, single});
    }
    std::sort(found.begin(), found.end(), [](const Scored& a, const Scored& b) {
      if (a.single != b.single) return a.single;
      return a.score != b.score ? a.score > b.score : a.text < b.text;
    });
    if (found.size() > kMaxSeeds) found.resize(kMaxSeeds);
    double total = 0;
    for (const Scored& s : found) total += s.score;
    for (Scored& s : found) s.score = std::log(s.score / total);
    return found;
  }

  [[nodiscard]] UnigramModel model() const {
    std::vector<UnigramModel::Piece> all;
    double least = 0;
    for (size_t i = 0; i < pieces_.size(); ++i) {
      all.push_back({pieces_[i].text, static_cast<int32_t>(i), pieces_[i].score});
      least = std::min(least, pieces_[i].score);
    }
    return {all, least - 10};
  }

  // How often each piece is expected over all ways to cut all words (forward-backward).
  [[nodiscard]] std::vector<double> expectations() const {
    std::vector<double> expected(pieces_.size());
    std::vector<std::pair<std::string_view, int32_t>> texts;
    double least = 0;
    for (size_t i = 0; i < pieces_.size(); ++i) {
      texts.emplace_back(pieces_[i].text, static_cast<int32_t>(i));
      least = std::min(least, pieces_[i].score);
    }
    const Trie trie(std::move(texts));
    std::vector<Edge> edges;
    std::vector<double> before, after;
    for (const Word& word : words_) {
      edges.clear();
      add_edges(trie, word.text, least - 10, edges);
      before.assign(word.text.size() + 1, -INFINITY);
      after = before;
      before[0] = after.back() = 0;
      for (const Edge& e : edges) {
        before[e.end] = log_sum(before[e.end], before[e.begin] + e.score);
      }
      for (size_t i = edges.size(); i-- > 0;) {
        const Edge& e = edges[i];
        after[e.begin] = log_sum(after[e.begin], after[e.end] + e.score);
      }
      for (const Edge& e : edges) {
        if (e.id < 0) continue;
        const double share = before[e.begin] + e.score + after[e.end] - before.back();
        expected[static_cast<size_t>(e.id)] += word.count * std::exp(share);
      }
    }
    return expected;
  }

  struct Edge {
    size_t begin, end;
    int32_t id;
    double score;
  };

  // In the order of their beginnings, so that one pass sums over all paths.
  void add_edges(const Trie& trie, std::string_view word, double unknown,
                 std::vector<Edge>& edges) const {
    for (size_t i = 0; i < word.size();) {
      const size_t character = decode_utf8(word, i).size;
      bool known = false;
      uint32_t node = Trie::kRoot;
      for (size_t j = i; j < word.size();) {
        node = trie.step(node, word[j++]);
        if (node == 0) break;
        const int32_t id = trie.id(node);
        if (id < 0) continue;
        known = known || j - i == character;
        edges.push_back({i, j, id, pieces_[static_cast<size_t>(id)].score});
      }
      if (!known) edges.push_back({i, i + character, -1, unknown});
      i += character;
    }
  }

  void maximise(const std::vector<double>& expected) {
    std::vector<Scored> kept;
    double total = 0;
    for (size_t i = 0; i < pieces_.size(); ++i) {
      if (expected[i] < kLeastExpected && !pieces_[i].single) continue;
      kept.push_back(std::move(pieces_[i]));
      kept.back().score = std::max(expected[i], kLeastExpected);
      total += kept.back().score;
    }
    const double log_total = digamma(total);
    for (Scored& s : kept) s.score = digamma(s.score) - log_total;
    pieces_ = std::move(kept);
  }

  // Drops the pieces without which the text would be least the worse: each would be cut as the
  // rest of the vocabulary cuts it. False when nothing more can go.
  bool prune(size_t enough) {
    const UnigramModel viterbi = model();
    std::vector<double> counts(pieces_.size());
    std::vector<UnigramModel::Cut> cuts;
    double total = 0;
    for (const Word& word : words_) {
      cuts.clear();
      viterbi.segment(word.text, cuts);
      for (const auto& cut : cuts) {
        if (cut.id >= 0) counts[static_cast<size_t>(cut.id)] += word.count;
        total += word.count;
      }
    }
    index_.clear();
    for (size_t i = 0; i < pieces_.size(); ++i) index_.emplace(pieces_[i].text, i);
    std::vector<std::pair<double, size_t>> losses;
    for (size_t i = 0; i < pieces_.size(); ++i) {
      if (!pieces_[i].single) losses.emplace_back(loss(i, counts[i], total), i);
    }
    std::stable_sort(losses.begin(), losses.end(),
                     [](const auto& a, const auto& b) { return a.first > b.first; });
    const size_t singles = pieces_.size() - losses.size();
    const auto shrunk =
        static_cast<size_t>(options_.shrinking_factor * static_cast<double>(pieces_.size()));
    const size_t target = std::max(enough, shrunk);
    const size_t keep = target > singles ? target - singles : 0;
    if (keep >= losses.size()) return false;
    std::vector<size_t> kept;
    for (size_t i = 0; i < pieces_.size(); ++i) {
      if (pieces_[i].single) kept.push_back(i);
    }
    for (size_t i = 0; i < keep; ++i) kept.push_back(losses[i].second);
    std::sort(kept.begin(), kept.end());
    std::vector<Scored> remaining;
    for (const size_t i : kept) remaining.push_back(std::move(pieces_[i]));
    pieces_ = std::move(remaining);
    return true;
  }

  // How much the log likelihood falls without this piece: its occurrences become the second-best
  // way to cut it.
  [[nodiscard]] double loss(size_t piece, double count, double total) const {
    if (count == 0) return 0;
    const double second = second_best(piece);
    return count / total * (pieces_[piece].score - second);
  }

  // The score of the best cut of a piece into at least two others.
  [[nodiscard]] double second_best(size_t piece) const {
    const std::string_view text = pieces_[piece].text;
    const auto starts = character_starts(text);
    std::vector<double> best(starts.size(), -INFINITY);
    best[0] = 0;
    for (size_t i = 0; i + 1 < starts.size(); ++i) {
      for (size_t j = i + 1; j < starts.size(); ++j) {
        if (i == 0 && j + 1 == starts.size()) continue;
        const auto it = index_.find(text.substr(starts[i], starts[j] - starts[i]));
        if (it != index_.end()) best[j] = std::max(best[j], best[i] + pieces_[it->second].score);
      }
    }
    return best.back();
  }

  std::vector<Word> words_;
  const UnigramTrainerOptions& options_;
  std::vector<Scored> pieces_;
  std::unordered_map<std::string_view, size_t> index_;
};

size_t fixed_tokens(const UnigramTrainerOptions& options) {
  return 1 + options.special_tokens.size() + (options.byte_fallback ? 256 : 0);
}

// Calls emit(word) for each stretch without a line feed, and for each run of line feeds.
template <typename Emit>
void for_each_line(std::string_view text, Emit emit) {
  for (size_t begin = 0; begin < text.size();) {
    const bool feed = text[begin] == '\n';
    const size_t end = feed ? text.find_first_not_of('\n', begin) : text.find('\n', begin);
    emit(text.substr(begin, std::min(end, text.size()) - begin));
    begin = std::min(end, text.size());
  }
}

}  // namespace

UnigramTrainer::UnigramTrainer(UnigramTrainerOptions options) : options_(std::move(options)) {
  const size_t fixed = fixed_tokens(options_);
  if (options_.vocab_size > (1 << 22) || options_.vocab_size <= static_cast<int64_t>(fixed)) {
    fail(ErrorKind::usage, "train tokenizer", "expected a vocabulary of {} to {} tokens, got {}",
         fixed + 1, 1 << 22, options_.vocab_size);
  }
  const bool sensible = options_.shrinking_factor > 0 && options_.shrinking_factor < 1 &&
                        options_.character_coverage > 0 && options_.character_coverage <= 1 &&
                        options_.longest_piece > 0 && options_.em_rounds > 0;
  if (!sensible) {
    fail(ErrorKind::usage, "train tokenizer",
         "expected a shrinking factor and a coverage within 0 to 1 and positive counts");
  }
}

void UnigramTrainer::add(std::span<const std::string_view> texts) {
  SpecialMatcher specials;
  for (const std::string& token : options_.special_tokens) specials.add(token, 0);
  const auto add_word = [this](std::string_view word) {
    const auto it = words_.find(word);
    if (it != words_.end()) {
      ++it->second;
    } else {
      words_.emplace(word, 1);
    }
  };
  for (const std::string_view text : texts) {
    for (size_t begin = 0; begin < text.size();) {
      const SpecialMatcher::Match match = specials.find(text, begin);
      const std::string_view document = text.substr(begin, match.position - begin);
      const std::string marked = mark_spaces(fmt::format(" {}", document));
      for (size_t i = 0; i < marked.size() && !document.empty();) {
        const size_t end = marked_word_end(marked, i);
        for_each_line(std::string_view(marked).substr(i, end - i), add_word);
        i = end;
      }
      begin = match.position + match.size;
    }
  }
}

TokenizerSpec UnigramTrainer::train(const UnigramProgress& progress) const {
  std::vector<Word> words;
  for (const auto& [text, count] : words_) {
    for (size_t begin = 0; begin < text.size();) {
      size_t end = begin;
      while (end < text.size() && end - begin < kLongestWord) end += decode_utf8(text, end).size;
      words.push_back({text.substr(begin, end - begin), static_cast<double>(count)});
      begin = end;
    }
  }
  TokenizerSpec spec;
  spec.model = "t5";
  const auto add = [&spec](std::string_view token, double score, TokenType type) {
    spec.tokens.push_back(token);
    spec.scores.push_back(static_cast<float>(score));
    spec.types.push_back(type);
  };
  add("<unk>", 0, TokenType::unknown);
  for (const std::string& token : options_.special_tokens) add(token, 0, TokenType::control);
  for (int byte = 0; options_.byte_fallback && byte < 256; ++byte) {
    add(fmt::format("<0x{:02X}>", byte), 0, TokenType::byte);
  }
  const auto wanted = static_cast<size_t>(options_.vocab_size) - spec.tokens.size();
  for (Scored& piece : Trainer(std::move(words), options_).run(wanted, progress)) {
    add(piece.text, piece.score, TokenType::normal);
  }
  spec.unk = 0;
  if (!options_.special_tokens.empty()) spec.bos = spec.eos = 1;
  spec.add_space_prefix = true;
  return spec;
}

}  // namespace bantam
