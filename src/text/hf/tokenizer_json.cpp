#include "text/hf/tokenizer_json.h"

#include <algorithm>

#include "base/error.h"
#include "text/hf/pipeline.h"
#include "text/tokenizers/word_piece.h"
#include "text/unicode.h"

namespace bantam {

namespace {

using hf::AddedToken;
using hf::Description;
using hf::Model;
using Step = hf::PreTokenizer;

constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581

// Tokens, their types, the frame of a text and what strips: the part that all models share.
TokenizerSpec common_spec(const Description& d) {
  TokenizerSpec spec;
  const Model& m = d.model;
  std::vector<std::string> tokens = m.tokens;
  spec.types.assign(m.tokens.size(), TokenType::normal);
  for (size_t id = 0; id < m.tokens.size(); ++id) {
    const bool is_byte = m.byte_fallback && byte_token_value(m.tokens[id]) >= 0;
    if (is_byte) spec.types[id] = TokenType::byte;
    if (!m.known[id]) spec.types[id] = TokenType::unused;
  }
  if (m.unk >= 0) spec.types[static_cast<size_t>(m.unk)] = TokenType::unknown;
  spec.unk = m.unk;
  for (const AddedToken& t : d.added) {
    const auto id = static_cast<size_t>(t.id);
    tokens[id] = t.content;
    if (t.id != m.unk) spec.types[id] = t.special ? TokenType::control : TokenType::user_defined;
    if (t.lstrip) spec.strip_left.push_back(t.id);
    if (t.rstrip) spec.strip_right.push_back(t.id);
  }
  spec.tokens = tokens;
  for (auto* ids : {&spec.strip_left, &spec.strip_right}) {
    std::ranges::sort(*ids);
    ids->erase(std::unique(ids->begin(), ids->end()), ids->end());
  }
  spec.add_bos = !d.before.empty();
  spec.add_eos = !d.after.empty();
  if (spec.add_bos) spec.bos = d.before.front();
  if (spec.add_eos) spec.eos = d.after.back();
  return spec;
}

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// What no model of GGUF can say.
bool needs_pipeline(const Description& d) {
  if (d.before.size() > 1 || d.after.size() > 1) return true;
  return std::ranges::any_of(d.added, [&](const AddedToken& t) {
    const bool changes = t.normalized && !d.normalisers.empty() && !is_ascii(t.content);
    return t.single_word || changes;
  });
}

std::string_view form_name(NormalForm form) {
  switch (form) {
    case NormalForm::nfc:
      return "nfc";
    case NormalForm::nfd:
      return "nfd";
    case NormalForm::nfkc:
      return "nfkc";
    default:
      return "nfkd";
  }
}

bool as_byte_level(const Description& d, TokenizerSpec& spec) {
  const Model& m = d.model;
  const auto& steps = d.pre_tokenizers;
  const bool fits = m.kind == Model::Kind::bpe && !m.byte_fallback && m.continuing_prefix.empty() &&
                    m.end_suffix.empty() && !steps.empty() &&
                    steps.back().kind == Step::Kind::byte_level && d.normalisers.size() <= 1;
  if (!fits) return false;
  for (const hf::Normaliser& n : d.normalisers) {
    if (n.kind != hf::Normaliser::Kind::form) return false;
    spec.normal_form = form_name(n.form);
  }
  std::vector<SplitStage> stages;
  for (const Step& step : steps) {
    const bool last = &step == &steps.back();
    if (step.kind == Step::Kind::byte_level && !last) return false;
    const SplitStage stage = hf::Splitter::stage_of(step);
    if (stage != nullptr) stages.push_back(stage);
    if (stage == nullptr && !last) return false;
  }
  std::string_view name = pre_tokenizer_name(stages, m.ignore_merges);
  // Where every token is reached by its merges, as in all published files, the flag changes
  // nothing.
  if (name.empty()) name = pre_tokenizer_name(stages, !m.ignore_merges);
  if (name.empty() || (steps.back().prefix_space && steps.size() > 1)) return false;
  spec.model = "gpt2";
  spec.pre = name;
  spec.add_space_prefix = steps.back().prefix_space;
  for (const auto& [left, right] : m.merges) {
    spec.merges.push_back(fmt::format("{} {}", left, right));
  }
  return true;
}

// Spaces become U+2581, with or without one before the text: as normalizers or as Metaspace.
std::optional<bool> adds_space_prefix(const Description& d) {
  bool prefix = false;
  bool marks = false;
  for (const hf::Normaliser& n : d.normalisers) {
    if (n.kind == hf::Normaliser::Kind::prepend && n.content == kSpaceMark && !marks) {
      prefix = true;
    } else if (n.kind == hf::Normaliser::Kind::replace && !n.pattern.is_regex &&
               n.pattern.text == " " && n.content == kSpaceMark) {
      marks = true;
    } else {
      return std::nullopt;
    }
  }
  for (const Step& s : d.pre_tokenizers) {
    if (s.kind == Step::Kind::metaspace && s.replacement == kSpaceMark && !marks) {
      marks = true;
      prefix = s.prepend != Step::Prepend::never;
    } else if (!(marks && s.kind == Step::Kind::split && s.pattern.text == " ")) {
      return std::nullopt;  // a split at spaces finds none once they are marked
    }
  }
  if (!marks) return std::nullopt;
  return prefix;
}

bool is_one_character(std::string_view token) {
  return !token.empty() && decode_utf8(token, 0).size == token.size();
}

// SentencePiece's BPE, which Hugging Face writes as merges in the order of the scores.
bool as_sentencepiece_bpe(const Description& d, TokenizerSpec& spec) {
  const Model& m = d.model;
  if (m.kind != Model::Kind::bpe || !m.byte_fallback || !m.end_suffix.empty()) return false;
  const auto prefix = adds_space_prefix(d);
  if (!prefix || !m.continuing_prefix.empty()) return false;
  spec.model = "llama";
  spec.add_space_prefix = *prefix;
  TokenIndex index(m.tokens.size());
  const auto text_of = [&](int32_t id) -> std::string_view {
    return m.tokens[static_cast<size_t>(id)];
  };
  for (size_t id = 0; id < m.tokens.size(); ++id) index.add(static_cast<int32_t>(id), text_of);
  std::vector<bool> merged(m.tokens.size());
  spec.scores.assign(m.tokens.size(), 0);
  float rank = 0;
  int32_t previous = -1;
  for (const auto& [left, right] : m.merges) {
    const int32_t id = index.find(left + right, text_of);
    if (id < 0) return false;
    if (id != previous) rank -= 1;
    previous = id;
    const auto i = static_cast<size_t>(id);
    if (!merged[i]) spec.scores[i] = rank;
    merged[i] = true;
  }
  for (size_t id = 0; id < m.tokens.size(); ++id) {
    const bool reached = merged[id] || is_one_character(m.tokens[id]);
    if (spec.types[id] == TokenType::normal && !reached) spec.types[id] = TokenType::unused;
  }
  return true;
}

bool as_unigram(const Description& d, TokenizerSpec& spec) {
  const Model& m = d.model;
  if (m.kind != Model::Kind::unigram || d.normalisers.size() > 1) return false;
  if (!d.normalisers.empty()) {
    if (d.normalisers[0].kind != hf::Normaliser::Kind::precompiled) return false;
    spec.charsmap = d.normalisers[0].content;
  }
  const auto& steps = d.pre_tokenizers;
  if (steps.empty() || steps.size() > 2 || steps.back().kind != Step::Kind::metaspace) return false;
  spec.remove_extra_spaces = steps.size() == 2;
  // SentencePiece knows one kind of space only, to which its compiled rules bring all others.
  if (spec.remove_extra_spaces && spec.charsmap.empty()) return false;
  if (steps.size() == 2 && steps[0].kind != Step::Kind::white_space_split) return false;
  if (steps.back().replacement != kSpaceMark) return false;
  spec.model = "t5";
  spec.add_space_prefix = steps.back().prepend != Step::Prepend::never;
  spec.scores.assign(m.scores.begin(), m.scores.end());
  return true;
}

bool as_word_piece(const Description& d, TokenizerSpec& spec) {
  const Model& m = d.model;
  const bool fits = m.kind == Model::Kind::word_piece && m.continuing_prefix == "##" &&
                    m.longest_word == 100 && d.normalisers.size() == 1 &&
                    d.normalisers[0].kind == hf::Normaliser::Kind::bert &&
                    d.pre_tokenizers.size() == 1 && d.pre_tokenizers[0].kind == Step::Kind::bert;
  if (!fits) return false;
  const BertOptions& options = d.normalisers[0].bert;
  if (!options.clean_text || !options.space_around_cjk) return false;
  spec.model = "bert";
  spec.lower_case = options.lower_case;
  spec.strip_accents = options.strip_accents;
  mark_word_starts(spec);
  return true;
}

}  // namespace

TokenizerSpec parse_tokenizer_json(std::string_view json, std::string_view file) {
  TokenizerSpec spec = common_spec(hf::parse_description(json, file));
  spec.model = "tokenizer.json";
  spec.json = json;
  return spec;
}

TokenizerSpec tokenizer_json_for_gguf(std::string_view json, std::string_view file) {
  const Description d = hf::parse_description(json, file);
  if (!needs_pipeline(d)) {
    for (const auto as : {as_byte_level, as_sentencepiece_bpe, as_unigram, as_word_piece}) {
      TokenizerSpec spec = common_spec(d);
      if (as(d, spec)) return spec;
    }
  }
  return parse_tokenizer_json(json, file);
}

std::unique_ptr<Tokenizer> make_json_tokenizer(TokenizerSpec spec, std::string_view where) {
  const Description d = hf::parse_description(spec.json, where);
  if (d.model.tokens.size() != spec.tokens.size()) {
    fail(ErrorKind::format, where, "tokenizer.json: expected {} tokens, got {}", spec.tokens.size(),
         d.model.tokens.size());
  }
  return std::make_unique<hf::PipelineTokenizer>(std::move(spec), d, where);
}

}  // namespace bantam
