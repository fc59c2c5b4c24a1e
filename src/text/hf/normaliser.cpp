#include "text/hf/normaliser.h"

#include "text/unicode.h"

namespace bantam::hf {

namespace {

std::string replace_matches(const Regex& regex, std::string_view text, std::string_view to) {
  std::string out;
  for (const Span& span : regex.split(text)) {
    out += span.match ? to : text.substr(span.begin, span.end - span.begin);
  }
  return out;
}

std::string map_prefixes(const Charsmap& charsmap, std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const Charsmap::Match match = charsmap.longest(text.substr(i));
    const size_t size = match.size > 0 ? match.size : decode_utf8(text, i).size;
    out += match.size > 0 ? match.text : text.substr(i, size);
    i += size;
  }
  return out;
}

// The rule "nmt" of SentencePiece: some controls go, others are spaces.
std::string nmt(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const CodePoint c = decode_utf8(text, i);
    const char32_t v = c.value;
    const bool dropped = (v >= 0x1 && v <= 0x8) || v == 0xB || (v >= 0xE && v <= 0x1F) ||
                         v == 0x7F || v == 0x8F || v == 0x9F;
    const bool space = v == 0x9 || v == 0xA || v == 0xC || v == 0xD || v == 0x1680 ||
                       (v >= 0x200B && v <= 0x200F) || v == 0x2028 || v == 0x2029 || v == 0x2581 ||
                       v == 0xFEFF || v == 0xFFFD;
    if (space) {
      out += ' ';
    } else if (!dropped) {
      out += text.substr(i, c.size);
    }
    i += c.size;
  }
  return out;
}

}  // namespace

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  if (from.empty()) return std::string(text);
  std::string out;
  out.reserve(text.size());
  for (size_t begin = 0; begin < text.size();) {
    const size_t found = std::min(text.find(from, begin), text.size());
    out += text.substr(begin, found - begin);
    if (found < text.size()) out += to;
    begin = found + from.size();
  }
  return out;
}

std::string_view stripped(std::string_view text, bool left, bool right) {
  size_t begin = 0;
  size_t end = 0;
  bool seen = false;
  for (size_t i = 0; i < text.size();) {
    const CodePoint c = decode_utf8(text, i);
    if ((character_class(c.value) & kSpace) == 0) {
      if (!seen) begin = i;
      seen = true;
      end = i + c.size;
    }
    i += c.size;
  }
  if (!seen) return left || right ? std::string_view() : text;
  if (!left) begin = 0;
  return text.substr(begin, (right ? end : text.size()) - begin);
}

NormaliserChain::NormaliserChain(const std::vector<Normaliser>& steps, std::string_view where) {
  for (const Normaliser& n : steps) {
    Step step{.what = n, .charsmap = {}, .regex = std::nullopt};
    if (n.kind == Normaliser::Kind::precompiled) step.charsmap = Charsmap(n.content, where);
    if (n.pattern.is_regex) step.regex.emplace(n.pattern.text, where);
    steps_.push_back(std::move(step));
  }
}

std::string NormaliserChain::apply(const Step& step, std::string text) {
  using Kind = Normaliser::Kind;
  const Normaliser& n = step.what;
  switch (n.kind) {
    case Kind::bert:
      return bert_normalise(text, n.bert);
    case Kind::form:
      return normalise(text, n.form);
    case Kind::lower_case:
      return lower_case(text);
    case Kind::nmt:
      return nmt(text);
    case Kind::precompiled:
      return map_prefixes(step.charsmap, text);
    case Kind::prepend:
      return text.empty() ? text : n.content + text;
    case Kind::replace:
      return step.regex ? replace_matches(*step.regex, text, n.content)
                        : replace_all(text, n.pattern.text, n.content);
    case Kind::strip:
      return std::string(stripped(text, n.left, n.right));
    case Kind::strip_accents:
      return without_marks(text);
  }
  return text;
}

std::string NormaliserChain::operator()(std::string text) const {
  for (const Step& step : steps_) text = apply(step, std::move(text));
  return text;
}

}  // namespace bantam::hf
