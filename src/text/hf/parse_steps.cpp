#include "base/error.h"
#include "text/hf/parse_parts.h"

namespace bantam::hf {

namespace {

std::string from_base64(const JsonField& field) {
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : field.text()) {
    if (c == '=') break;
    constexpr std::string_view kDigits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const size_t digit = kDigits.find(c);
    if (digit == kDigits.npos) field.wrong("base64");
    bits = bits << 6 | static_cast<uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out += static_cast<char>(bits >> count & 0xFF);
  }
  return out;
}

Pattern parse_pattern(const JsonField& field) {
  if (field.is_text()) return {field.text(), false};
  if (field["String"]) return {field["String"].text(), false};
  if (field["Regex"]) return {field["Regex"].text(), true};
  field.wrong("an object with \"String\" or \"Regex\"");
}

// The row whose name the field has.
template <typename T, size_t N>
T choose(const JsonField& field, const std::string& name,
         const std::pair<std::string_view, T> (&rows)[N]) {
  std::string names;
  for (const auto& [known, value] : rows) {
    if (name == known) return value;
    names += (names.empty() ? "" : ", ") + std::string(known);
  }
  field.wrong(fmt::format("one of {}", names));
}

Behaviour parse_behaviour(const JsonField& field) {
  constexpr std::pair<std::string_view, Behaviour> kBehaviours[] = {
      {"Removed", Behaviour::removed},
      {"Isolated", Behaviour::isolated},
      {"MergedWithPrevious", Behaviour::merged_with_previous},
      {"MergedWithNext", Behaviour::merged_with_next},
      {"Contiguous", Behaviour::contiguous}};
  return choose(field, field.text("Isolated"), kBehaviours);
}

using Step = PreTokenizer;

Step::Prepend parse_prepend(const JsonField& field) {
  // Before prepend_scheme there was add_prefix_space.
  const JsonField scheme = field["prepend_scheme"];
  if (!scheme) {
    return field["add_prefix_space"].boolean(true) ? Step::Prepend::always : Step::Prepend::never;
  }
  constexpr std::pair<std::string_view, Step::Prepend> kSchemes[] = {
      {"always", Step::Prepend::always},
      {"first", Step::Prepend::first},
      {"never", Step::Prepend::never}};
  return choose(scheme, scheme.text(), kSchemes);
}

Normaliser parse_normaliser(const JsonField& field) {
  using Kind = Normaliser::Kind;
  constexpr std::pair<std::string_view, Kind> kKinds[] = {{"BertNormalizer", Kind::bert},
                                                          {"NFC", Kind::form},
                                                          {"NFD", Kind::form},
                                                          {"NFKC", Kind::form},
                                                          {"NFKD", Kind::form},
                                                          {"Lowercase", Kind::lower_case},
                                                          {"Nmt", Kind::nmt},
                                                          {"Precompiled", Kind::precompiled},
                                                          {"Prepend", Kind::prepend},
                                                          {"Replace", Kind::replace},
                                                          {"Strip", Kind::strip},
                                                          {"StripAccents", Kind::strip_accents}};
  const std::string type = field["type"].text();
  Normaliser n;
  n.kind = choose(field["type"], type, kKinds);
  if (n.kind == Kind::form) {
    n.form = type == "NFC"    ? NormalForm::nfc
             : type == "NFD"  ? NormalForm::nfd
             : type == "NFKC" ? NormalForm::nfkc
                              : NormalForm::nfkd;
  }
  if (n.kind == Kind::bert) {
    n.bert.clean_text = field["clean_text"].boolean(true);
    n.bert.space_around_cjk = field["handle_chinese_chars"].boolean(true);
    n.bert.lower_case = field["lowercase"].boolean(true);
    n.bert.strip_accents = field["strip_accents"].boolean(n.bert.lower_case);
  }
  if (n.kind == Kind::precompiled && field["precompiled_charsmap"]) {
    n.content = from_base64(field["precompiled_charsmap"]);
  }
  if (n.kind == Kind::prepend) n.content = field["prepend"].text();
  if (n.kind == Kind::replace) {
    n.pattern = parse_pattern(field["pattern"]);
    n.content = field["content"].text();
  }
  if (n.kind == Kind::strip) {
    n.left = field["strip_left"].boolean(true);
    n.right = field["strip_right"].boolean(true);
  }
  return n;
}

Step parse_pre_tokenizer(const JsonField& field) {
  using Kind = Step::Kind;
  constexpr std::pair<std::string_view, Kind> kKinds[] = {
      {"BertPreTokenizer", Kind::bert},        {"ByteLevel", Kind::byte_level},
      {"CharDelimiterSplit", Kind::delimiter}, {"Digits", Kind::digits},
      {"FixedLength", Kind::fixed_length},     {"Metaspace", Kind::metaspace},
      {"Punctuation", Kind::punctuation},      {"Split", Kind::split},
      {"Whitespace", Kind::white_space},       {"WhitespaceSplit", Kind::white_space_split}};
  Step s;
  s.kind = choose(field["type"], field["type"].text(), kKinds);
  switch (s.kind) {
    case Kind::byte_level:
      s.prefix_space = field["add_prefix_space"].boolean(true);
      s.use_regex = field["use_regex"].boolean(true);
      break;
    case Kind::delimiter:
      s.pattern = {field["delimiter"].text(), false};
      s.behaviour = Behaviour::removed;
      break;
    case Kind::digits:
      s.individual = field["individual_digits"].boolean(false);
      break;
    case Kind::fixed_length:
      s.length = field["length"].integer();
      if (s.length < 1) field["length"].wrong("a positive number");
      break;
    case Kind::metaspace:
      s.replacement = field["replacement"].text("\u2581");
      s.prepend = parse_prepend(field);
      s.split = field["split"].boolean(true);
      break;
    case Kind::punctuation:
      s.behaviour = parse_behaviour(field["behavior"]);
      break;
    case Kind::split:
      s.pattern = parse_pattern(field["pattern"]);
      s.behaviour = parse_behaviour(field["behavior"]);
      s.invert = field["invert"].boolean(false);
      break;
    default:
      break;
  }
  return s;
}

Decoder parse_decoder(const JsonField& field) {
  using Kind = Decoder::Kind;
  constexpr std::pair<std::string_view, Kind> kKinds[] = {
      {"BPEDecoder", Kind::bpe},       {"ByteFallback", Kind::byte_fallback},
      {"ByteLevel", Kind::byte_level}, {"Fuse", Kind::fuse},
      {"Metaspace", Kind::metaspace},  {"Replace", Kind::replace},
      {"Strip", Kind::strip},          {"WordPiece", Kind::word_piece}};
  Decoder d;
  d.kind = choose(field["type"], field["type"].text(), kKinds);
  switch (d.kind) {
    case Kind::bpe:
      d.content = field["suffix"].text("</w>");
      break;
    case Kind::metaspace:
      d.content = field["replacement"].text("\u2581");
      d.prepends = parse_prepend(field) != Step::Prepend::never;
      break;
    case Kind::replace:
      d.pattern = parse_pattern(field["pattern"]);
      d.content = field["content"].text();
      break;
    case Kind::strip:
      d.content = field["content"].text(" ");
      d.start = field["start"].integer(0);
      d.stop = field["stop"].integer(0);
      break;
    case Kind::word_piece:
      d.content = field["prefix"].text("##");
      d.clean_up = field["cleanup"].boolean(true);
      break;
    default:
      break;
  }
  return d;
}

int32_t special_id(const JsonField& pair) {
  if (!pair.is_array() || pair.json().size() != 2) pair.wrong("a token and its id");
  return static_cast<int32_t>(pair.items()[1].integer());
}

void parse_template(const JsonField& field, Description& d) {
  bool after_text = false;
  for (const JsonField& item : field["single"].items()) {
    if (item["Sequence"]) {
      after_text = true;
      continue;
    }
    const JsonField name = item["SpecialToken"]["id"];
    const JsonField ids = field["special_tokens"][name.text()]["ids"];
    if (!ids) ids.wrong("the ids of a token that the template uses");
    for (const JsonField& id : ids.items()) {
      (after_text ? d.after : d.before).push_back(static_cast<int32_t>(id.integer()));
    }
  }
}

}  // namespace

std::vector<JsonField> flattened(const JsonField& field, std::string_view members) {
  if (!field) return {};
  if (field["type"].text() != "Sequence") return {field};
  std::vector<JsonField> all;
  for (const JsonField& member : field[members].items()) {
    const auto inner = flattened(member, members);
    all.insert(all.end(), inner.begin(), inner.end());
  }
  return all;
}

std::vector<Normaliser> parse_normalisers(const JsonField& field) {
  std::vector<Normaliser> all;
  for (const JsonField& f : flattened(field, "normalizers")) all.push_back(parse_normaliser(f));
  return all;
}

std::vector<PreTokenizer> parse_pre_tokenizers(const JsonField& field) {
  std::vector<PreTokenizer> all;
  for (const JsonField& f : flattened(field, "pretokenizers")) {
    all.push_back(parse_pre_tokenizer(f));
  }
  return all;
}

std::vector<Decoder> parse_decoders(const JsonField& field) {
  std::vector<Decoder> all;
  for (const JsonField& f : flattened(field, "decoders")) all.push_back(parse_decoder(f));
  return all;
}

void parse_post_processor(const JsonField& field, Description& d) {
  for (const JsonField& f : flattened(field, "processors")) {
    const std::string type = f["type"].text();
    if (type == "TemplateProcessing") {
      parse_template(f, d);
    } else if (type == "BertProcessing" || type == "RobertaProcessing") {
      d.before.push_back(special_id(f["cls"]));
      d.after.push_back(special_id(f["sep"]));
    } else if (type != "ByteLevel") {
      f["type"].wrong("one of TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel");
    }
  }
}

}  // namespace bantam::hf
