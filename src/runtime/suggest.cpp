#include "runtime/suggest.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "runtime/branches.h"
#include "runtime/next_tokens.h"
#include "runtime/session.h"
#include "runtime/word_pieces.h"

namespace bantam {
namespace {

// Paths less probable than this are not followed.
constexpr float kLeast = 1e-7f;

// A path of tokens after the fixed part of the text that was looked into.
struct Path {
  double probability = 1;
  std::vector<int32_t> tokens;
  std::string text;
};

// One token more than a path; not looked into yet.
struct Step {
  double probability = 1;
  int32_t path = -1;  // -1: the step to the empty path
  uint32_t rank = 0;
  // Ties go to the older path and the first piece, so that the order depends on nothing else.
  bool operator<(const Step& o) const {
    if (probability != o.probability) return probability < o.probability;
    return path != o.path ? path > o.path : rank > o.rank;
  }
};

std::shared_ptr<Engine> make_engine(std::shared_ptr<const Model> model, const SuggestOptions& o) {
  expect_no_source(*model);
  if (model->tokenizer == nullptr) fail_without_tokenizer(*model);
  if (!model->config.causal) {
    fail(ErrorKind::model, model->name,
         "expected a model that continues text, got the encoder \"{}\" (see bantam embed)",
         model->config.architecture);
  }
  EngineOptions e;
  e.threads = o.threads;
  const int64_t most = model->config.context_length;
  e.context = o.context == 0 ? most : std::min(o.context, most);
  e.sequences = std::max<int64_t>(o.sequences, 2);
  e.batch = 64;
  return std::make_shared<Engine>(std::move(model), e);
}

}  // namespace

class Suggester::Search {
 public:
  Search(const std::shared_ptr<Engine>& engine, const SuggestOptions& options)
      : options_(options),
        tokenizer_(*engine->model().tokenizer),
        branches_(engine),
        pieces_(tokenizer_),
        memo_(pieces_, kLeast, options.memo_bytes) {}

  std::vector<Suggestion> suggest(std::string_view text) {
    memo_.forget_old();
    read(text);
    steps_.assign(1, Step());
    paths_.clear();
    words_.clear();
    total_ = 0;
    if (options_.count == 0) return {};
    for (int64_t i = 0; i < options_.most_paths && !steps_.empty(); ++i) {
      if (steps_.front().probability <= least_useful()) break;
      look_into_best([this](const Step& step, size_t place) { return is_needed(step, place); });
    }
    return best_words();
  }

  // Goes on with the search, past the paths that matter to the last answer.
  void prepare(int64_t paths) {
    const int64_t rows = branches_.rows();
    while (!steps_.empty() && branches_.rows() - rows < paths) {
      look_into_best([](const Step&, size_t) { return true; });
    }
  }

  [[nodiscard]] Work work() const { return {runs_, branches_.rows(), looked_into_}; }

 private:
  // Tokens carry the space before a word: the last space and what follows it is left open.
  void read(std::string_view text) {
    const size_t space = text.find_last_of(" \n\t\r");
    const size_t cut = space == std::string_view::npos ? 0 : space;
    open_ = text.substr(cut);
    if (space == std::string_view::npos && tokenizer_.spec().add_space_prefix) {
      open_.insert(open_.begin(), ' ');
    }
    typed_ = open_.size();
    while (typed_ > 0 && in_word(open_[typed_ - 1])) --typed_;
    if (context_.empty() || text.substr(0, cut) != fixed_) {
      fixed_ = text.substr(0, cut);
      context_ = prompt_ids(branches_.engine().model(), fixed_);
      cut_context();
    }
  }

  // Keeps the end of a long text. Where it begins moves in large steps, as the caches must then be
  // filled again, and depends on the text alone.
  void cut_context() {
    const auto length = static_cast<size_t>(branches_.engine().context());
    most_path_ = std::min<size_t>(32, length / 4);
    const size_t most = std::max<size_t>(1, length - most_path_);
    if (context_.size() <= most) return;
    const size_t step = std::max<size_t>(1, most / 2);
    const size_t begin = (context_.size() - most + step - 1) / step * step;
    const bool keep_first = tokenizer_.spec().add_bos && begin + 1 < context_.size();
    context_.erase(context_.begin() + (keep_first ? 1 : 0),
                   context_.begin() + static_cast<std::ptrdiff_t>(begin));
  }

  [[nodiscard]] bool is_open(const std::string& text) const { return text.size() < open_.size(); }

  [[nodiscard]] std::vector<int32_t> tokens_of(const Step& step) const {
    std::vector<int32_t> tokens = context_;
    if (step.path < 0) return tokens;
    const Path& path = paths_[static_cast<size_t>(step.path)];
    tokens.insert(tokens.end(), path.tokens.begin(), path.tokens.end());
    tokens.push_back(pieces_.id(step.rank));
    return tokens;
  }

  // If the best step is not known, the next ones that `wanted(step, its place)` are run with it.
  template <typename Wanted>
  void look_into_best(const Wanted& wanted) {
    const Step step = steps_.front();
    const std::vector<int32_t> tokens = tokens_of(step);
    const NextTokens* next = memo_.find(tokens);
    if (next == nullptr) {
      learn(unknown(wanted));
      next = memo_.find(tokens);
    }
    std::pop_heap(steps_.begin(), steps_.end());
    steps_.pop_back();
    Path path;
    path.probability = step.probability;
    path.tokens.assign(tokens.begin() + static_cast<std::ptrdiff_t>(context_.size()), tokens.end());
    if (step.path >= 0) {
      path.text = paths_[static_cast<size_t>(step.path)].text;
      path.text += pieces_.piece(step.rank);
    }
    paths_.push_back(std::move(path));
    ++looked_into_;
    follow(paths_.back(), *next);
  }

  template <typename Wanted>
  std::vector<std::vector<int32_t>> unknown(const Wanted& wanted) {
    const size_t most = branches_.width();
    std::vector<Step> best(std::min(steps_.size(), 4 * most));
    std::partial_sort_copy(steps_.begin(), steps_.end(), best.begin(), best.end(),
                           [](const Step& a, const Step& b) { return b < a; });
    std::vector<std::vector<int32_t>> texts;
    for (size_t i = 0; i < best.size() && texts.size() < most; ++i) {
      if (i > 0 && !wanted(best[i], i)) break;
      std::vector<int32_t> tokens = tokens_of(best[i]);
      if (memo_.find(tokens) == nullptr) texts.push_back(std::move(tokens));
    }
    return texts;
  }

  // Whether a step will be looked into whatever the ones before it give: if each of them ends in
  // one word, there are still too few that are more probable. With several threads one more run
  // costs more than a few rows in vain.
  [[nodiscard]] bool is_needed(const Step& step, size_t place) const {
    const auto better =
        static_cast<size_t>(std::count_if(words_.begin(), words_.end(), [&](const Suggestion& s) {
          return s.probability >= step.probability;
        }));
    const size_t in_vain = branches_.engine().threads() > 1 ? 3 : 0;
    return step.probability > least_useful() && place + better < options_.count + in_vain;
  }

  void learn(const std::vector<std::vector<int32_t>>& texts) {
    const std::span<const float> logits = branches_.run(texts, context_.size());
    ++runs_;
    const size_t V = logits.size() / texts.size();
    for (size_t i = 0; i < texts.size(); ++i) memo_.add(texts[i], logits.subspan(i * V, V));
  }

  void follow(const Path& path, const NextTokens& next) {
    found_.clear();
    worth_adding_ = kLeast;
    if (is_open(path.text)) {
      follow_open(path, next);
    } else {
      follow_closed(path, next);
      complete(path.text, path.probability * next.boundary);
    }
    for (const Step& step : found_) {
      steps_.push_back(step);
      std::push_heap(steps_.begin(), steps_.end());
    }
  }

  // More than most_paths of a path's steps are never looked into: the best ones are kept, in a heap
  // with the worst in front.
  void add_step(const Path& path, uint32_t rank, double probability) {
    if (probability < worth_adding_ || path.tokens.size() >= most_path_) return;
    keep_step({probability, static_cast<int32_t>(paths_.size()) - 1, rank});
  }
  void keep_step(const Step& step) {
    const auto better = [](const Step& a, const Step& b) { return b < a; };
    if (std::cmp_equal(found_.size(), options_.most_paths)) {
      if (found_.empty() || step < found_.front()) return;
      std::pop_heap(found_.begin(), found_.end(), better);
      found_.pop_back();
    }
    found_.push_back(step);
    std::push_heap(found_.begin(), found_.end(), better);
    if (std::cmp_equal(found_.size(), options_.most_paths)) {
      worth_adding_ = found_.front().probability;
    }
  }

  // What is typed goes on after the path: pieces that agree with it.
  void follow_open(const Path& path, const NextTokens& next) {
    const std::string_view rest = std::string_view(open_).substr(path.text.size());
    for (size_t n = 1; n < rest.size(); ++n) {
      for (const auto& [rank, p] : next.in(pieces_.equal_to(rest.substr(0, n))))
        add_step(path, rank, path.probability * p);
    }
    for (const auto& [rank, p] : next.in(pieces_.starting_with(rest))) {
      const double q = path.probability * p;
      if (q < kLeast) continue;
      total_ += q;
      if (goes_on_with_words(rank, rest.size())) add_step(path, rank, q);
    }
  }

  // Whether a piece holds nothing but a word beyond its first bytes: not what follows it, and no
  // punctuation.
  [[nodiscard]] bool goes_on_with_words(uint32_t rank, size_t begin) const {
    if (pieces_.goes_on(rank) || pieces_.begins_word(rank)) return true;
    std::string_view beyond = pieces_.piece(rank).substr(begin);
    if (!beyond.empty() && is_space(beyond.front())) beyond.remove_prefix(1);
    return std::all_of(beyond.begin(), beyond.end(), in_word);
  }

  // The word that the path ends in goes on; after what is typed, another may begin.
  void follow_closed(const Path& path, const NextTokens& next) {
    const bool may_begin = path.text.size() == open_.size();
    for (const auto& [rank, p] : next.tokens) {
      if (pieces_.goes_on(rank) || (may_begin && pieces_.begins_word(rank)))
        add_step(path, rank, path.probability * p);
    }
  }

  void complete(const std::string& text, double probability) {
    // The typed word itself is no suggestion.
    if (text.size() == open_.size()) return;
    const bool after = is_space(text[open_.size()]);
    const std::string_view word = std::string_view(text).substr(after ? open_.size() + 1 : typed_);
    if (word.empty()) return;
    const bool completes = !after && typed_ < open_.size();
    for (Suggestion& s : words_) {
      if (s.word != word || s.completes != completes) continue;
      s.probability += probability;
      return;
    }
    words_.push_back({std::string(word), probability, completes});
  }

  // A path less probable than this cannot change the suggestions.
  [[nodiscard]] double least_useful() const {
    if (words_.size() < options_.count) return kLeast;
    std::vector<double> p;
    p.reserve(words_.size());
    for (const Suggestion& s : words_) p.push_back(s.probability);
    const auto last = p.begin() + static_cast<std::ptrdiff_t>(options_.count - 1);
    std::nth_element(p.begin(), last, p.end(), std::greater<>());
    return *last;
  }

  std::vector<Suggestion> best_words() {
    std::vector<Suggestion> best = words_;
    const double total = open_.empty() ? 1.0 : total_;
    for (Suggestion& s : best) s.probability /= total > 0 ? total : 1;
    std::sort(best.begin(), best.end(), [](const Suggestion& a, const Suggestion& b) {
      return a.probability != b.probability ? a.probability > b.probability : a.word < b.word;
    });
    if (best.size() > options_.count) best.resize(options_.count);
    return best;
  }

  SuggestOptions options_;
  const Tokenizer& tokenizer_;
  Branches branches_;
  WordPieces pieces_;
  NextTokensMemo memo_;

  std::string fixed_;             // the text up to its last space,
  std::vector<int32_t> context_;  // its tokens,
  std::string open_;              // " th": and the rest, that every path must begin with
  size_t typed_ = 0;              // where in it the typed word begins
  size_t most_path_ = 0;          // tokens that a path may have

  std::vector<Path> paths_;
  std::vector<Step> steps_;  // a heap
  std::vector<Step> found_;  // after a path,
  double worth_adding_ = 0;  // and what one more must have at least
  std::vector<Suggestion> words_;
  double total_ = 0;  // probability of what agrees with the text
  int64_t runs_ = 0, looked_into_ = 0;
};

Suggester::Suggester(std::shared_ptr<const Model> model, const SuggestOptions& options)
    : search_(std::make_unique<Search>(make_engine(std::move(model), options), options)) {}
Suggester::~Suggester() = default;
Suggester::Suggester(Suggester&&) noexcept = default;
Suggester& Suggester::operator=(Suggester&&) noexcept = default;

std::vector<Suggestion> Suggester::suggest(std::string_view text) {
  return search_->suggest(text);
}

void Suggester::prepare(int64_t paths) {
  search_->prepare(paths);
}

Suggester::Work Suggester::work() const {
  return search_->work();
}

}  // namespace bantam
