#include "text/tokenizer_spec.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/error.h"
#include "text/tokenizers/pretokenizers.h"

namespace bantam {

namespace {

constexpr size_t kMaxTokens = size_t{1} << 22;
constexpr size_t kMaxMerges = size_t{1} << 24;
constexpr size_t kMaxTokenBytes = size_t{1} << 14;

void check_tables(const TokenizerSpec& spec, std::string_view where) {
  const size_t count = spec.tokens.size();
  if (count == 0 || count > kMaxTokens) {
    fail(ErrorKind::format, where, "expected 1 to {} tokens, got {}", kMaxTokens, count);
  }
  if (spec.merges.size() > kMaxMerges) {
    fail(ErrorKind::format, where, "expected at most {} merges, got {}", kMaxMerges,
         spec.merges.size());
  }
  if (!spec.types.empty() && spec.types.size() != count) {
    fail(ErrorKind::format, where, "expected a type for each of {} tokens, got {}", count,
         spec.types.size());
  }
  const bool needs_scores = spec.model == "llama" || spec.model == "t5";
  if (spec.scores.size() != count && (needs_scores || !spec.scores.empty())) {
    fail(ErrorKind::format, where, "expected a score for each of {} tokens, got {}", count,
         spec.scores.size());
  }
}

void check_tokens(const TokenizerSpec& spec, std::string_view where) {
  for (size_t id = 0; id < spec.tokens.size(); ++id) {
    if (spec.tokens[id].size() > kMaxTokenBytes) {
      fail(ErrorKind::format, where, "token {}: expected at most {} bytes, got {}", id,
           kMaxTokenBytes, spec.tokens[id].size());
    }
    if (!spec.scores.empty() && std::isnan(spec.scores[id])) {
      fail(ErrorKind::format, where, "token {}: expected a number as score, got NaN", id);
    }
    if (spec.types.empty()) continue;
    const auto type = static_cast<int32_t>(spec.types[id]);
    if (type < 1 || type > 6) {
      fail(ErrorKind::format, where, "token {}: expected a type from 1 to 6, got {}", id, type);
    }
  }
}

void check_id(const TokenizerSpec& spec, std::string_view where, const char* name, int32_t id) {
  if (id < -1 || id >= static_cast<int64_t>(spec.tokens.size())) {
    fail(ErrorKind::format, where, "{} token: expected an id below {} or -1, got {}", name,
         spec.tokens.size(), id);
  }
}

void check_strips(const TokenizerSpec& spec, std::string_view where,
                  const std::vector<int32_t>& ids) {
  for (size_t i = 0; i < ids.size(); ++i) {
    const bool ascending = i == 0 || ids[i] > ids[i - 1];
    if (!ascending || ids[i] < 0 || static_cast<size_t>(ids[i]) >= spec.tokens.size()) {
      fail(ErrorKind::format, where,
           "tokens that strip: expected ascending ids below {}, got {} as number {}",
           spec.tokens.size(), ids[i], i);
    }
  }
}

void check_model(const TokenizerSpec& spec, std::string_view where) {
  if (!is_tokenizer_model(spec.model)) {
    fail(ErrorKind::format, where,
         "expected the tokenizer model \"gpt2\", \"llama\", \"t5\" or \"bert\", got \"{}\"",
         spec.model);
  }
  constexpr std::string_view kForms[] = {"", "nfc", "nfd", "nfkc", "nfkd"};
  if (std::ranges::find(kForms, spec.normal_form) == std::end(kForms)) {
    fail(ErrorKind::format, where, "expected a normal form \"nfc\", \"nfd\", ..., got \"{}\"",
         spec.normal_form);
  }
}

class Fnv {
 public:
  void bytes(std::string_view text) {
    for (const char c : text) value_ = (value_ ^ static_cast<uint8_t>(c)) * 0x100000001B3;
  }
  void number(uint64_t n) {
    for (int i = 0; i < 8; ++i) value_ = (value_ ^ ((n >> (8 * i)) & 0xFF)) * 0x100000001B3;
  }
  void text(std::string_view t) {
    number(t.size());
    bytes(t);
  }
  void texts(const StringTable& all) {
    number(all.size());
    for (const std::string_view t : all) text(t);
  }
  [[nodiscard]] uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0xCBF29CE484222325;
};

TokenizerSpec later_fields(const TokenizerSpec& spec) {
  TokenizerSpec late;
  late.remove_extra_spaces = spec.remove_extra_spaces;
  late.space_suffix = spec.space_suffix;
  late.lower_case = spec.lower_case;
  late.strip_accents = spec.strip_accents;
  late.charsmap = spec.charsmap;
  late.normal_form = spec.normal_form;
  late.strip_left = spec.strip_left;
  late.strip_right = spec.strip_right;
  late.json = spec.json;
  return late;
}

}  // namespace

bool is_tokenizer_model(std::string_view model) {
  constexpr std::string_view kModels[] = {"gpt2", "llama", "t5", "bert", "tokenizer.json"};
  return std::ranges::find(kModels, model) != std::end(kModels);
}

void check_tokenizer_spec(const TokenizerSpec& spec, std::string_view where) {
  check_model(spec, where);
  check_tables(spec, where);
  check_tokens(spec, where);
  check_id(spec, where, "bos", spec.bos);
  check_id(spec, where, "eos", spec.eos);
  check_id(spec, where, "unk", spec.unk);
  check_id(spec, where, "pad", spec.pad);
  check_strips(spec, where, spec.strip_left);
  check_strips(spec, where, spec.strip_right);
  if (spec.add_bos && spec.bos < 0) {
    fail(ErrorKind::format, where, "expected a bos token, since one is to be added; got none");
  }
  if (spec.add_eos && spec.eos < 0) {
    fail(ErrorKind::format, where, "expected an eos token, since one is to be added; got none");
  }
  if (spec.model == "gpt2" && !spec.pre.empty() && find_pre_tokenizer(spec.pre) == nullptr) {
    std::string known;
    for (const std::string_view name : pre_tokenizer_names()) {
      known += (known.empty() ? "" : ", ") + std::string(name);
    }
    fail(ErrorKind::format, where, "expected a pre-tokenizer out of {}; got \"{}\"", known,
         spec.pre);
  }
}

uint64_t hash(const TokenizerSpec& spec) {
  Fnv fnv;
  fnv.text(spec.model);
  fnv.text(spec.pre);
  fnv.texts(spec.tokens);
  fnv.number(spec.scores.size());
  for (const float score : spec.scores) fnv.number(std::bit_cast<uint32_t>(score));
  fnv.number(spec.types.size());
  for (const TokenType type : spec.types) fnv.number(static_cast<uint64_t>(type));
  fnv.texts(spec.merges);
  for (const int32_t id : {spec.bos, spec.eos, spec.unk, spec.pad}) {
    fnv.number(static_cast<uint32_t>(id));
  }
  fnv.number(static_cast<uint64_t>(spec.add_bos) | static_cast<uint64_t>(spec.add_eos) << 1 |
             static_cast<uint64_t>(spec.add_space_prefix) << 2);
  // Fields that came later count only where they say something, so that older fingerprints hold.
  if (TokenizerSpec late = later_fields(spec); late != TokenizerSpec{}) {
    fnv.number(static_cast<uint64_t>(spec.remove_extra_spaces) |
               static_cast<uint64_t>(spec.space_suffix) << 1 |
               static_cast<uint64_t>(spec.lower_case) << 2 |
               static_cast<uint64_t>(spec.strip_accents) << 3);
    for (const std::string* text : {&spec.charsmap, &spec.normal_form, &spec.json}) fnv.text(*text);
    for (const auto* ids : {&spec.strip_left, &spec.strip_right}) {
      fnv.number(ids->size());
      for (const int32_t id : *ids) fnv.number(static_cast<uint32_t>(id));
    }
  }
  return fnv.value();
}

}  // namespace bantam
