#include "runtime/suggest.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <queue>

#include "base/error.h"

namespace bantam {
namespace {

bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

// Letters, digits, apostrophes within words and every byte of a character beyond ASCII.
bool in_word(char c) {
  const auto u = static_cast<unsigned char>(c);
  return u >= 0x80 || (u >= '0' && u <= '9') || ((u | 0x20) >= 'a' && (u | 0x20) <= 'z') ||
         c == '\'';
}

// A path of tokens after the fixed part of the text.
struct Path {
  double probability;
  std::vector<int32_t> tokens;
  std::string text;
  bool operator<(const Path& other) const { return probability < other.probability; }
};

class Search {
 public:
  Search(Session& session, std::string_view text, const SuggestOptions& options)
      : session_(session), options_(options), tokenizer_(*session.engine().model().tokenizer) {
    // Tokens carry the space before a word: the last space and what follows it is left open.
    const size_t space = text.find_last_of(" \n\t\r");
    const size_t cut = space == std::string_view::npos ? 0 : space;
    open_ = text.substr(cut);
    if (space == std::string_view::npos && tokenizer_.spec().add_space_prefix) {
      open_.insert(open_.begin(), ' ');
    }
    context_ = tokenizer_.encode(text.substr(0, cut));
    if (context_.empty()) {
      context_.push_back(tokenizer_.bos() >= 0 ? tokenizer_.bos() : std::max(tokenizer_.eos(), 0));
    }
  }

  std::vector<Suggestion> run() {
    session_.rewind(0);
    session_.feed(std::span(context_).first(context_.size() - 1));
    // The last token is fed again with each path, for the logits after it.
    paths_.push({1.0, {context_.back()}, ""});
    for (int64_t runs = 0; !paths_.empty() && runs < options_.most_runs; ++runs) {
      const Path path = paths_.top();
      if (path.probability <= least_useful()) break;
      paths_.pop();
      expand(path);
    }
    return best();
  }

 private:
  [[nodiscard]] bool is_open(const std::string& text) const { return text.size() < open_.size(); }

  // Where the word that a path is in begins: the typed one's, or the one after it.
  [[nodiscard]] size_t word_begin(const std::string& text) const {
    size_t at = open_.size();
    if (at < text.size() && is_space(text[at])) return at + 1;  // after the typed word
    while (at > 0 && !is_space(open_[at - 1])) --at;
    return at;
  }

  void expand(const Path& path) {
    const std::span<const float> probabilities = softmax(path);
    session_.rewind(static_cast<int64_t>(context_.size()) - 1);
    double boundary = 0;
    for (int32_t id = 0; id < tokenizer_.vocab_size(); ++id) {
      const double p = probabilities[static_cast<size_t>(id)];
      const TokenType type = tokenizer_.type(id);
      if (type == TokenType::control || type == TokenType::unknown) {
        boundary += p;
        continue;
      }
      const std::string_view piece = tokenizer_.piece(id);
      if (piece.empty()) continue;
      if (!is_open(path.text)) {
        const bool ends = !in_word(piece.front());
        if (ends) boundary += p;
        const bool next_word = path.text.size() == open_.size() && piece.front() == ' ';
        if (ends && !next_word) continue;
      }
      follow(path, id, piece, path.probability * p);
    }
    if (!is_open(path.text)) complete(path.text, path.probability * boundary);
  }

  void follow(const Path& path, int32_t id, std::string_view piece, double p) {
    if (p < kLeast) return;
    std::string text = path.text + std::string(piece);
    const size_t both = std::min(text.size(), open_.size());
    if (text.compare(0, both, open_, 0, both) != 0) return;
    if (is_open(path.text) && text.size() >= open_.size()) total_ += p;
    // Words only: no token that holds a word and what follows it, none of punctuation.
    const size_t begin = is_open(text) ? text.size() : word_begin(text);
    if (!std::all_of(text.begin() + static_cast<std::ptrdiff_t>(std::min(begin, text.size())),
                     text.end(), in_word)) {
      return;
    }
    Path longer{p, path.tokens, std::move(text)};
    longer.tokens.push_back(id);
    paths_.push(std::move(longer));
  }

  void complete(const std::string& text, double p) {
    const size_t begin = word_begin(text);
    // The typed word itself is no suggestion.
    if (begin >= text.size() || text.size() == open_.size()) return;
    Suggestion& s = words_[text.substr(begin)];
    s.word = text.substr(begin);
    s.completes = begin < open_.size();
    s.probability += p;
  }

  // A path less probable than this cannot change the suggestions.
  [[nodiscard]] double least_useful() const {
    if (words_.size() < options_.count) return kLeast;
    std::vector<double> p;
    for (const auto& [unused, s] : words_) p.push_back(s.probability);
    std::nth_element(p.begin(), p.begin() + static_cast<std::ptrdiff_t>(options_.count - 1),
                     p.end(), std::greater<>());
    return p[options_.count - 1];
  }

  std::span<const float> softmax(const Path& path) {
    const std::span<const float> logits = session_.feed(path.tokens);
    const float most = *std::max_element(logits.begin(), logits.end());
    probabilities_.resize(logits.size());
    double sum = 0;
    for (size_t i = 0; i < logits.size(); ++i) {
      probabilities_[i] = std::exp(logits[i] - most);
      sum += probabilities_[i];
    }
    for (float& p : probabilities_) p = static_cast<float>(p / sum);
    return probabilities_;
  }

  std::vector<Suggestion> best() {
    std::vector<Suggestion> all;
    const double total = open_.empty() ? 1.0 : total_;
    for (auto& [unused, s] : words_) {
      if (total > 0) s.probability /= total;
      all.push_back(s);
    }
    std::stable_sort(all.begin(), all.end(), [](const Suggestion& a, const Suggestion& b) {
      return a.probability > b.probability;
    });
    if (all.size() > options_.count) all.resize(options_.count);
    return all;
  }

  static constexpr double kLeast = 1e-7;
  Session& session_;
  SuggestOptions options_;
  const Tokenizer& tokenizer_;
  std::vector<int32_t> context_;
  std::string open_;  // " th": what every path must begin with
  std::priority_queue<Path> paths_;
  std::map<std::string, Suggestion> words_;
  std::vector<float> probabilities_;
  double total_ = 0;  // probability of what agrees with the text
};

}  // namespace

std::vector<Suggestion> suggest(Session& session, std::string_view text,
                                const SuggestOptions& options) {
  expect_no_source(session.engine().model());
  if (session.engine().model().tokenizer == nullptr) {
    fail(ErrorKind::model, session.engine().model().name,
         "expected a model with a tokenizer, got none");
  }
  return options.count == 0 ? std::vector<Suggestion>() : Search(session, text, options).run();
}

}  // namespace bantam
