#include "text/tokenizers/pretokenizers.h"

#include <algorithm>

#include "text/tokenizers/scan.h"
#include "text/tokenizers/word_rules.h"

namespace bantam {

// Stages that pick out one class of characters; those that find words are in word_rules.cpp. Each
// has its published regular expression above it.

namespace {

using scan::at;
using scan::Character;
using scan::run;
using scan::run_of;
using scan::run_or_gap;
using scan::single_or_gap;

// \p{N}
size_t single_number(std::string_view text, size_t position) {
  return single_or_gap(text, position, [](const Character& c) { return c.is(kNumber); });
}

// \p{N}{1,3}
size_t number_triples(std::string_view text, size_t position) {
  size_t end = position;
  for (int i = 0; i < 3 && at(text, end).is(kNumber); ++i) end += at(text, end).size;
  return end > position ? end : run(text, end, [](const Character& c) { return !c.is(kNumber); });
}

// \p{N}+
size_t numbers(std::string_view text, size_t position) {
  return run_or_gap(text, position, [](const Character& c) { return c.is(kNumber); });
}

bool ascii_digit(std::string_view text, size_t position) {
  return position < text.size() && text[position] >= '0' && text[position] <= '9';
}

// [0-9][0-9][0-9]
size_t digit_triples(std::string_view text, size_t position) {
  size_t digits = 0;
  size_t i = position;
  for (; i < text.size() && digits < 3; ++i) digits = ascii_digit(text, i) ? digits + 1 : 0;
  if (digits < 3) return text.size();
  return i - 3 == position ? i : i - 3;
}

// [\p{P}\$\+<=>\^~\|]+ , in Falcon's form with the backtick.
template <bool kBacktick>
size_t punctuation(std::string_view text, size_t position) {
  return run_or_gap(text, position, [](const Character& c) {
    if (c.value < 128 && c.is(kSymbol)) return kBacktick || c.value != '`';
    return c.is(kPunctuation);
  });
}

// [\r\n]
size_t newline(std::string_view text, size_t position) {
  return single_or_gap(text, position, [](const Character& c) { return c.is_newline(); });
}

// \s?[..]+ : the gap before a match ends at its first character or at the one space before it.
template <typename Predicate>
size_t spaced_run(std::string_view text, size_t position, Predicate predicate) {
  const Character first = at(text, position);
  const size_t start = position + (first.is(kSpace) ? first.size : 0);
  if (const size_t end = run(text, start, predicate); end > start) return end;
  if (const size_t end = run(text, position, predicate); end > position) return end;
  size_t previous = start;
  bool after_space = false;
  for (size_t i = start; i < text.size();) {
    const Character c = at(text, i);
    if (predicate(c)) return after_space ? previous : i;
    after_space = c.is(kSpace);
    previous = i;
    i += c.size;
  }
  return text.size();
}

template <uint8_t kMask>
size_t spaced_class(std::string_view text, size_t position) {
  return spaced_run(text, position, [](const Character& c) { return c.is(kMask); });
}

// [一-龥ࠀ-一가-퟿]+
size_t cjk(std::string_view text, size_t position) {
  return run_or_gap(text, position, [](const Character& c) {
    return (c.value >= 0x0800 && c.value <= 0x9FA5) || (c.value >= 0xAC00 && c.value <= 0xD7FF);
  });
}

// [一-龥぀-ゟ゠-ヿ]+
size_t cjk_and_kana(std::string_view text, size_t position) {
  return run_or_gap(text, position, [](const Character& c) {
    return (c.value >= 0x4E00 && c.value <= 0x9FA5) || (c.value >= 0x3040 && c.value <= 0x30FF);
  });
}

// The cased letters that DeepSeek's first tokenizer lists one by one.
constexpr struct {
  char32_t first, last;
} kDeepSeekLetters[] = {
    {0x0041, 0x005A},   {0x0061, 0x007A},   {0x00B5, 0x00B5},   {0x00C0, 0x00D6},
    {0x00D8, 0x00F6},   {0x00F8, 0x01BA},   {0x01BC, 0x01BF},   {0x01C4, 0x0293},
    {0x0295, 0x02AF},   {0x0370, 0x0373},   {0x0376, 0x0376},   {0x0377, 0x0377},
    {0x037B, 0x037D},   {0x037F, 0x037F},   {0x0386, 0x0386},   {0x0388, 0x038A},
    {0x038C, 0x038C},   {0x038E, 0x03A1},   {0x03A3, 0x03F5},   {0x03F7, 0x0481},
    {0x048A, 0x052F},   {0x0531, 0x0556},   {0x10A0, 0x10C5},   {0x13A0, 0x13F5},
    {0x13F8, 0x13FD},   {0x1C90, 0x1CBA},   {0x1CBD, 0x1CBF},   {0x1D00, 0x1D2B},
    {0x1D6B, 0x1D77},   {0x1D79, 0x1D9A},   {0x1E00, 0x1F15},   {0x1F18, 0x1F1D},
    {0x1F20, 0x1F45},   {0x1F48, 0x1F4D},   {0x1F50, 0x1F57},   {0x1F59, 0x1F59},
    {0x1F5B, 0x1F5B},   {0x1F5D, 0x1F5D},   {0x1F5F, 0x1F7D},   {0x1F80, 0x1FB4},
    {0x1FB6, 0x1FBC},   {0x1FBE, 0x1FBE},   {0x1FC2, 0x1FC4},   {0x1FC6, 0x1FCC},
    {0x1FD0, 0x1FD3},   {0x1FD6, 0x1FDB},   {0x1FE0, 0x1FEC},   {0x1FF2, 0x1FF4},
    {0x1FF6, 0x1FFC},   {0x2102, 0x2102},   {0x2107, 0x2107},   {0x210A, 0x2113},
    {0x2115, 0x2115},   {0x2119, 0x211D},   {0x2124, 0x2124},   {0x2126, 0x2126},
    {0x2128, 0x2128},   {0x212A, 0x212D},   {0x212F, 0x2134},   {0x2139, 0x2139},
    {0x213C, 0x213F},   {0x2145, 0x2149},   {0x214E, 0x214E},   {0x2183, 0x2183},
    {0x2184, 0x2184},   {0x2C00, 0x2C7B},   {0x2C7E, 0x2CE4},   {0x2CEB, 0x2CEE},
    {0x2CF2, 0x2CF2},   {0x2CF3, 0x2CF3},   {0xA640, 0xA66D},   {0xA680, 0xA69B},
    {0xA722, 0xA76F},   {0xA771, 0xA787},   {0xA78B, 0xA78E},   {0xAB70, 0xABBF},
    {0xFB00, 0xFB06},   {0xFB13, 0xFB17},   {0xFF21, 0xFF3A},   {0xFF41, 0xFF5A},
    {0x10400, 0x1044F}, {0x104B0, 0x104D3}, {0x104D8, 0x104FB}, {0x10C80, 0x10CB2},
    {0x10CC0, 0x10CF2}, {0x118A0, 0x118DF}, {0x1E900, 0x1E943}};

bool is_deepseek_letter(const Character& c) {
  const auto* range = std::ranges::upper_bound(kDeepSeekLetters, c.value, {},
                                               [](const auto& r) { return r.first; });
  return range != std::begin(kDeepSeekLetters) && c.value <= range[-1].last;
}

// [!-/:-~！-／：-～‘-‟　-。]
bool is_deepseek_punctuation(const Character& c) {
  const auto within = [&](char32_t first, char32_t last) {
    return c.value >= first && c.value <= last;
  };
  return within('!', '/') || within(':', '~') || within(0xFF01, 0xFF0F) || within(0xFF1A, 0xFF5E) ||
         within(0x2018, 0x201F) || within(0x3000, 0x3002);
}

size_t deepseek_letters(std::string_view text, size_t position) {
  return spaced_run(text, position, is_deepseek_letter);
}

size_t deepseek_punctuation(std::string_view text, size_t position) {
  return spaced_run(text, position, is_deepseek_punctuation);
}

// \s+$ , where $ is the end of a line, too: white space up to its last line feed or to the end.
size_t trailing_space(std::string_view text, size_t position) {
  for (size_t i = position; i < text.size();) {
    if (!at(text, i).is(kSpace)) {
      i += at(text, i).size;
      continue;
    }
    const size_t end = run_of(text, i, kSpace);
    const size_t feed = text.substr(i, end - i).rfind('\n');
    const bool ends_line = end < text.size() && feed != text.npos && feed > 0;
    if (end == text.size() || ends_line) return i > position ? i : ends_line ? i + feed : end;
    i = end;
  }
  return text.size();
}

using namespace word_rules;

constexpr SplitStage kGpt2[] = {gpt2};
constexpr SplitStage kLlama3[] = {llama3};
constexpr SplitStage kQwen2[] = {qwen2};
constexpr SplitStage kQwen35[] = {qwen35};
constexpr SplitStage kMiniCpm5[] = {number_triples, minicpm5};
constexpr SplitStage kSeedCoder[] = {seed_coder};
constexpr SplitStage kGpt4o[] = {gpt4o};
constexpr SplitStage kTekken[] = {tekken};
constexpr SplitStage kBloom[] = {bloom};
constexpr SplitStage kViking[] = {bloom, single_number};
constexpr SplitStage kSmolLm[] = {single_number, gpt2};
// The second expression of "default" is GPT-2's without the last alternative; what that would
// match is then a gap, so the pieces are the same.
constexpr SplitStage kDefault[] = {punctuation<false>, gpt2, numbers, digit_triples};
constexpr SplitStage kFalcon[] = {punctuation<true>, gpt2, digit_triples};
constexpr SplitStage kDeepSeekCoder[] = {newline, spaced_class<kLetter>, spaced_class<kPunctuation>,
                                         cjk, single_number};
constexpr SplitStage kDeepSeekLlm[] = {
    newline, deepseek_letters, deepseek_punctuation, trailing_space, cjk, numbers};
constexpr SplitStage kDeepSeekV3[] = {number_triples, cjk_and_kana, deepseek_v3};

constexpr PreTokenizer kPreTokenizers[] = {
    {"default", kDefault},
    {"gpt-2", kGpt2},
    {"phi-2", kGpt2},
    {"roberta-bpe", kGpt2},
    {"olmo", kGpt2},
    {"mpt", kGpt2},
    {"jais", kGpt2},
    {"trillion", kGpt2},
    {"granite-docling", kGpt2},
    {"exaone4", kGpt2},
    {"gigachat", kGpt2},
    {"mellum", kGpt2},
    {"modern-bert", kGpt2},
    {"a.x-4.0", kGpt2},
    {"jina-es", kGpt2},
    {"jina-de", kGpt2},
    {"jina-v1-en", kGpt2},
    {"jina-v2-es", kGpt2},
    {"jina-v2-de", kGpt2},
    {"jina-v2-code", kGpt2},
    {"llama-bpe", kLlama3, true},
    {"llama3", kLlama3, true},
    {"llama-v3", kLlama3, true},
    {"falcon3", kLlama3, true},
    {"falcon-h1", kLlama3, true},
    {"pixtral", kLlama3, true},
    {"midm-2.0", kLlama3, true},
    {"lfm2", kLlama3, true},
    {"jina-v5-nano", kLlama3, true},
    {"dbrx", kLlama3},
    {"smaug-bpe", kLlama3},
    {"glm4", kLlama3},
    {"chatglm-bpe", kLlama3},
    {"qwen2", kQwen2},
    {"deepseek-r1-qwen", kQwen2},
    {"kormo", kQwen2},
    {"megrez", kQwen2},
    {"hunyuan", kQwen2},
    {"solar-open", kQwen2},
    {"grok-2", kQwen2},
    {"stablelm2", kQwen2},
    {"bailingmoe", kQwen2},
    {"bailingmoe2", kQwen2},
    {"llada-moe", kQwen2},
    {"qwen35", kQwen35},
    {"seed-coder", kSeedCoder},
    {"minicpm5", kMiniCpm5, true},
    {"smollm", kSmolLm},
    {"starcoder", kSmolLm},
    {"refact", kSmolLm},
    {"command-r", kSmolLm},
    {"codeshell", kSmolLm},
    {"exaone", kSmolLm},
    {"minerva-7b", kSmolLm},
    {"mellum2", kSmolLm},
    {"falcon", kFalcon},
    {"gpt-4o", kGpt4o},
    {"llama4", kGpt4o},
    {"kanana2", kGpt4o},
    {"minimax-m2", kGpt4o},
    {"tekken", kTekken, true},
    {"bloom", kBloom},
    {"poro-chat", kBloom},
    {"gpt3-finnish", kBloom},
    {"viking", kViking},
    {"deepseek-llm", kDeepSeekLlm},
    {"deepseek-coder", kDeepSeekCoder},
    {"deepseek-v3", kDeepSeekV3},
    {"hunyuan-dense", kDeepSeekV3},
    {"joyai-llm", kDeepSeekV3},
};

// What published tokenizer.json files give as patterns of `Split`.
constexpr struct {
  std::string_view pattern;
  SplitStage stage;
} kPatterns[] = {
    {R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", gpt2},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
     R"(|\s*[\r\n]+|\s+(?!\S)|\s+)",
     llama3},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
     R"(|\s*[\r\n]+|\s+(?!\S)|\s+)",
     qwen2},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*)"
     R"(|\s*[\r\n]+|\s+(?!\S)|\s+)",
     minicpm5},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N})"
     R"(| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     qwen35},
    {R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
     R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
     R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     gpt4o},
    {R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
     R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
     R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     tekken},
    {R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^)"
     "\r\n"
     R"(\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[)"
     "\r\n"
     R"(]*|\s*[)"
     "\r\n"
     R"(]+|\s+(?!\S)|\s+)",
     deepseek_v3},
    {R"(\p{N}{1,3})", number_triples},
    {R"(\p{N})", single_number},
    {R"(\p{N}+)", numbers},
    {R"([0-9][0-9][0-9])", digit_triples},
    {"[\r\n]", newline},
    {R"(\s?\p{L}+)", spaced_class<kLetter>},
    {R"(\s?\p{P}+)", spaced_class<kPunctuation>},
    {R"(\s+$)", trailing_space},
    {"[\u4E00-\u9FA5\u0800-\u4E00\uAC00-\uD7FF]+", cjk},
    {"[\u4E00-\u9FA5\u3040-\u309F\u30A0-\u30FF]+", cjk_and_kana},
};

}  // namespace

SplitStage find_split_stage(std::string_view pattern) {
  for (const auto& known : kPatterns) {
    if (known.pattern == pattern) return known.stage;
  }
  return nullptr;
}

const PreTokenizer* find_pre_tokenizer(std::string_view name) {
  for (const PreTokenizer& rule : kPreTokenizers) {
    if (rule.name == name) return &rule;
  }
  return nullptr;
}

std::string_view pre_tokenizer_name(std::span<const SplitStage> stages, bool ignore_merges) {
  for (const PreTokenizer& rule : kPreTokenizers) {
    if (rule.ignore_merges == ignore_merges && std::ranges::equal(rule.stages, stages)) {
      return rule.name;
    }
  }
  return {};
}

std::vector<std::string_view> pre_tokenizer_names() {
  std::vector<std::string_view> names;
  for (const PreTokenizer& rule : kPreTokenizers) names.push_back(rule.name);
  return names;
}

}  // namespace bantam
