#include "text/hf/pipeline.h"

#include <algorithm>

#include "text/tokenizers/byte_alphabet.h"
#include "text/unicode.h"

namespace bantam::hf {

namespace {

// The blanks that English punctuation swallows.
std::string cleaned_up(std::string text) {
  constexpr std::pair<std::string_view, std::string_view> kRules[] = {
      {" .", "."},     {" ?", "?"},   {" !", "!"},   {" ,", ","},     {" ' ", "'"},
      {" n't", "n't"}, {" 'm", "'m"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [from, to] : kRules) text = replace_all(text, from, to);
  return text;
}

std::string strip_character(std::string_view text, const Decoder& d) {
  for (int64_t i = 0; i < d.start && !d.content.empty() && text.starts_with(d.content); ++i) {
    text.remove_prefix(d.content.size());
  }
  for (int64_t i = 0; i < d.stop && !d.content.empty() && text.ends_with(d.content); ++i) {
    text.remove_suffix(d.content.size());
  }
  return std::string(text);
}

class PieceDecoder {
 public:
  PieceDecoder(const std::vector<Decoder>& decoders, std::string_view where) {
    for (const Decoder& d : decoders) {
      steps_.push_back({d, std::nullopt});
      if (d.pattern.is_regex) steps_.back().regex.emplace(d.pattern.text, where);
    }
  }

  std::string operator()(std::string text) const {
    using Kind = Decoder::Kind;
    bool fused = false;
    for (const auto& [d, regex] : steps_) {
      if (d.kind == Kind::byte_level) text = unspell_bytes(text).value_or(text);
      if (d.kind == Kind::metaspace) text = replace_all(text, d.content, " ");
      if (d.kind == Kind::bpe) text = replace_all(text, d.content, " ");
      if (d.kind == Kind::byte_fallback && byte_token_value(text) >= 0) {
        text = static_cast<char>(byte_token_value(text));
      }
      if (d.kind == Kind::replace && regex) text = replaced(*regex, text, d.content);
      if (d.kind == Kind::replace && !regex) text = replace_all(text, d.pattern.text, d.content);
      // After Fuse the whole text is one token: see strips_start.
      if (d.kind == Kind::strip && !fused) text = strip_character(text, d);
      fused = fused || d.kind == Kind::fuse;
      if (d.kind == Kind::word_piece) {
        const bool inside = !d.content.empty() && text.starts_with(d.content);
        text = inside ? text.substr(d.content.size()) : " " + text;
        if (d.clean_up) text = cleaned_up(std::move(text));
      }
    }
    return steps_.empty() ? " " + text : text;
  }

  [[nodiscard]] bool strips_start() const {
    using Kind = Decoder::Kind;
    bool fused = false;
    for (const auto& [d, regex] : steps_) {
      fused = fused || d.kind == Kind::fuse;
      if (d.kind == Kind::word_piece || (d.kind == Kind::metaspace && d.prepends)) return true;
      if (fused && d.kind == Kind::strip && d.content == " " && d.start > 0) return true;
    }
    return steps_.empty();
  }

 private:
  struct Step {
    Decoder what;
    std::optional<Regex> regex;
  };
  static std::string replaced(const Regex& regex, std::string_view text, std::string_view to) {
    std::string out;
    for (const Span& span : regex.split(text)) {
      out += span.match ? to : text.substr(span.begin, span.end - span.begin);
    }
    return out;
  }
  std::vector<Step> steps_;
};

}  // namespace

Pieces decoded_pieces(const Description& d, std::string_view where) {
  const PieceDecoder decode(d.decoders, where);
  Pieces pieces{d.model.tokens, decode.strips_start()};
  std::vector<bool> added(pieces.texts.size());
  for (const AddedToken& t : d.added) {
    added[static_cast<size_t>(t.id)] = true;
    pieces.texts[static_cast<size_t>(t.id)] = t.content;
  }
  for (size_t id = 0; id < added.size(); ++id) {
    if (!added[id]) pieces.texts[id] = decode(std::move(pieces.texts[id]));
  }
  return pieces;
}

PipelineTokenizer::PipelineTokenizer(TokenizerSpec spec, const Description& d,
                                     std::string_view where)
    : Tokenizer(std::move(spec)),
      normalise_(d.normalisers, where),
      splitter_(d.pre_tokenizers, where),
      model_(make_model(d, where)) {
  const Pieces pieces = decoded_pieces(d, where);
  set_pieces(pieces.texts);
  strip_ = pieces.strip_start ? Strip::at_start : Strip::never;
  before_ = d.before;
  after_ = d.after;
  single_word_.resize(spec_.tokens.size());
  for (const AddedToken& t : d.added) {
    single_word_[static_cast<size_t>(t.id)] = t.single_word;
    const bool late = t.normalized && !normalise_.empty();
    const std::string text = late ? normalise_(t.content) : t.content;
    (late ? normalised_ : raw_)[0].add(text, t.id);
    if (!t.special) (late ? normalised_ : raw_)[1].add(text, t.id);
  }
}

void PipelineTokenizer::encode_text(std::string_view text, bool parse_special,
                                    std::vector<int32_t>& out) const {
  split_special(raw_[parse_special ? 0 : 1], text, out, [&](std::string_view section) {
    encode_section(section, section.data() == text.data(), parse_special, out);
  });
}

void PipelineTokenizer::encode_plain(std::string_view text, std::vector<int32_t>& out) const {
  encode_section(text, true, false, out);
}

void PipelineTokenizer::encode_section(std::string_view text, bool first, bool parse_special,
                                       std::vector<int32_t>& out) const {
  std::string normalised;
  if (!normalise_.empty()) text = normalised = normalise_(std::string(text));
  const SpecialMatcher& matcher = normalised_[parse_special ? 0 : 1];
  split_special(matcher, text, out, [&](std::string_view section) {
    encode_normalised(section, first && section.data() == text.data(), out);
  });
}

void PipelineTokenizer::encode_normalised(std::string_view text, bool first,
                                          std::vector<int32_t>& out) const {
  std::deque<std::string> arena;
  for (const std::string_view piece : splitter_.split(text, first, arena)) {
    if (cache_.find(piece, out)) continue;
    const size_t start = out.size();
    model_->encode(piece, out);
    cache_.store(piece, out.data() + start, out.size() - start);
  }
}

}  // namespace bantam::hf
