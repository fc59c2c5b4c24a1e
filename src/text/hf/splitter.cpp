#include "text/hf/splitter.h"

#include <algorithm>

#include "text/hf/normaliser.h"
#include "text/tokenizers/byte_alphabet.h"
#include "text/tokenizers/scan.h"
#include "text/tokenizers/word_rules.h"

namespace bantam::hf {

namespace {

using Kind = PreTokenizer::Kind;
using scan::Character;

bool is_punctuation(const Character& c) {
  return c.is(kPunctuation) || (c.value < 128 && c.is(kSymbol));
}

// \w+|[^\w\s]+ as Rust's regular expressions understand it, which Oniguruma's do not quite.
constexpr std::string_view kWordsAndMarks =
    R"([\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{200c}\x{200d}]+)"
    R"(|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{200c}\x{200d}\s]+)";

// One span for each character that satisfies the predicate, one for each run of others.
template <typename Predicate>
std::vector<Span> singles(std::string_view text, Predicate predicate) {
  std::vector<Span> spans;
  for (size_t i = 0; i < text.size();) {
    const Character c = scan::at(text, i);
    const bool match = predicate(c);
    if (match || spans.empty() || spans.back().match) {
      spans.push_back({i, i + c.size, match});
    } else {
      spans.back().end += c.size;
    }
    i += c.size;
  }
  return spans;
}

std::vector<Span> occurrences(std::string_view text, std::string_view what) {
  std::vector<Span> spans;
  for (size_t i = 0; i < text.size();) {
    const size_t found = what.empty() ? text.size() : std::min(text.find(what, i), text.size());
    if (found > i) spans.push_back({i, found, false});
    if (found < text.size()) spans.push_back({found, found + what.size(), true});
    i = found + what.size();
  }
  return spans;
}

std::vector<Span> pieces_of_length(std::string_view text, int64_t length) {
  std::vector<Span> spans;
  int64_t count = 0;
  for (size_t i = 0; i < text.size();) {
    const size_t size = decode_utf8(text, i).size;
    if (count++ % length == 0) spans.push_back({i, i, false});
    spans.back().end = i += size;
  }
  return spans;
}

// Joins or drops the matches.
std::vector<Span> behave(std::vector<Span> spans, Behaviour behaviour) {
  std::vector<Span> out;
  bool after_match = false;
  const bool backwards = behaviour == Behaviour::merged_with_next;
  if (backwards) std::ranges::reverse(spans);
  for (const Span& span : spans) {
    bool joins = false;
    if (behaviour == Behaviour::contiguous) joins = !out.empty() && span.match == after_match;
    if (behaviour == Behaviour::merged_with_previous || backwards) {
      joins = !out.empty() && span.match && !after_match;
    }
    if (behaviour != Behaviour::removed || !span.match) {
      if (joins) {
        out.back().begin = std::min(out.back().begin, span.begin);
        out.back().end = std::max(out.back().end, span.end);
      } else {
        out.push_back(span);
      }
    }
    after_match = span.match;
  }
  if (backwards) std::ranges::reverse(out);
  return out;
}

Behaviour behaviour_of(const PreTokenizer& s) {
  switch (s.kind) {
    case Kind::white_space:
    case Kind::white_space_split:
      return Behaviour::removed;
    case Kind::digits:
      return s.individual ? Behaviour::isolated : Behaviour::contiguous;
    case Kind::fixed_length:
      return Behaviour::isolated;
    case Kind::metaspace:
      return Behaviour::merged_with_next;
    default:
      return s.behaviour;
  }
}

}  // namespace

SplitStage Splitter::stage_of(const PreTokenizer& step) {
  if (step.kind == Kind::byte_level) return step.use_regex ? word_rules::gpt2 : nullptr;
  if (step.kind == Kind::digits)
    return find_split_stage(step.individual ? R"(\p{N})" : R"(\p{N}+)");
  if (step.kind != Kind::split || !step.pattern.is_regex) return nullptr;
  // An inverted removal keeps the matches; the known expressions that are used so match everything.
  const bool isolates = step.behaviour == Behaviour::isolated ||
                        (step.behaviour == Behaviour::removed && step.invert);
  return isolates ? find_split_stage(step.pattern.text) : nullptr;
}

Splitter::Splitter(const std::vector<PreTokenizer>& steps, std::string_view where) {
  for (const PreTokenizer& s : steps) {
    Step step{.what = s, .stage = stage_of(s), .regex = std::nullopt};
    if (s.pattern.is_regex && step.stage == nullptr) step.regex.emplace(s.pattern.text, where);
    if (s.kind == Kind::white_space) step.regex.emplace(kWordsAndMarks, where);
    steps_.push_back(std::move(step));
  }
}

void Splitter::apply(const Step& step, const Piece& piece, std::deque<std::string>& arena,
                     std::vector<Piece>& out) {
  const PreTokenizer& s = step.what;
  std::string_view text = piece.text;
  const auto emit = [&](size_t begin, size_t end) {
    out.push_back({text.substr(begin, end - begin), piece.first && begin == 0});
  };
  if (s.kind == Kind::byte_level) {
    if (s.prefix_space && !text.starts_with(' ')) text = arena.emplace_back(" ").append(text);
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = step.stage != nullptr ? step.stage(text, begin) : text.size();
      out.push_back({arena.emplace_back(spell_bytes(text.substr(begin, end - begin))),
                     piece.first && begin == 0});
      begin = end;
    }
    return;
  }
  if (step.stage != nullptr) {
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = step.stage(text, begin);
      emit(begin, end);
      begin = end;
    }
    return;
  }
  std::vector<Span> spans;
  switch (s.kind) {
    case Kind::bert:
      for (size_t i = skip_white_space(text, 0); i < text.size(); i = skip_white_space(text, i)) {
        const size_t end = bert_word_end(text, i);
        emit(i, end);
        i = end;
      }
      return;
    case Kind::metaspace: {
      std::string& changed = arena.emplace_back(replace_all(text, " ", s.replacement));
      const bool prepends = s.prepend == PreTokenizer::Prepend::always ||
                            (s.prepend == PreTokenizer::Prepend::first && piece.first);
      if (prepends && !changed.starts_with(s.replacement)) changed.insert(0, s.replacement);
      text = changed;
      if (!s.split) return emit(0, text.size());
      spans = occurrences(text, s.replacement);
      break;
    }
    case Kind::delimiter:
      spans = occurrences(text, s.pattern.text);
      break;
    case Kind::split:
      spans = step.regex ? step.regex->split(text) : occurrences(text, s.pattern.text);
      break;
    case Kind::punctuation:
      spans = singles(text, is_punctuation);
      break;
    case Kind::white_space:
      spans = step.regex->split(text);
      for (Span& span : spans) span.match = !span.match;  // what is removed is the rest
      break;
    case Kind::white_space_split:
      spans = singles(text, [](const Character& c) { return c.is(kSpace); });
      break;
    default:
      spans = pieces_of_length(text, s.length);
      break;
  }
  if (s.invert) {
    for (Span& span : spans) span.match = !span.match;
  }
  for (const Span& span : behave(std::move(spans), behaviour_of(s))) emit(span.begin, span.end);
}

std::vector<std::string_view> Splitter::split(std::string_view text, bool first,
                                              std::deque<std::string>& arena) const {
  std::vector<Piece> pieces = {{text, first}};
  std::vector<Piece> next;
  for (const Step& step : steps_) {
    next.clear();
    for (const Piece& piece : pieces) apply(step, piece, arena, next);
    pieces.swap(next);
  }
  std::vector<std::string_view> texts;
  texts.reserve(pieces.size());
  for (const Piece& piece : pieces) texts.push_back(piece.text);
  return texts;
}

}  // namespace bantam::hf
