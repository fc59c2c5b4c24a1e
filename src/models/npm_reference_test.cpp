// Token ids against those of the npm package @huggingface/tokenizers, on text from ../shared and on
// random Unicode. BANTAM_NPM names a folder in which it is installed; BANTAM_ALL_TEXT=1 takes all
// text instead of a sample.

#include <gtest/gtest.h>
#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "models/model.h"
#include "text/hf/tokenizer_json.h"
#include "text/sentencepiece_model.h"
#include "text/tokenizers/byte_alphabet.h"
#include "text/unicode.h"

namespace bantam {
namespace {

using Json = nlohmann::json;
using Texts = std::vector<std::string>;
namespace fs = std::filesystem;

std::string shared(const std::string& name) {
  const char* root = std::getenv("BANTAM_SHARED");
  return fmt::format("{}/data/{}", root != nullptr ? root : BANTAM_SOURCE_DIR "/../shared", name);
}

// Characters that all versions of Unicode in play agree on: those that utf8proc knows.
bool is_agreed(char32_t c) {
  if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF) || c == 0) return false;
  return utf8proc_category(static_cast<utf8proc_int32_t>(c)) != UTF8PROC_CATEGORY_CN;
}

std::string random_text(Random& random) {
  static const Texts kParts = {" ",
                               "  ",
                               "\n",
                               "\r\n",
                               "\t",
                               "\u00A0",
                               "\u3000",
                               "\u2028",
                               "\u0085",
                               "\u200B",
                               "\uFEFF",
                               "a",
                               "The",
                               "don't",
                               "I'LL",
                               "'s",
                               "123",
                               "4567890",
                               "\u0663\u0664",
                               "\u00BD",
                               "\u2460",
                               "!",
                               "...",
                               "$+<",
                               "\u00E9",
                               "e\u0301",
                               "\u0323\u0301",
                               "\u4E2D\u6587",
                               "\u3053\u3093",
                               "\uAC00\uB098",
                               "\u0E01\u0E33",
                               "\u0939\u093F\u0928\u094D\u0926\u0940",
                               "\U0001F468\u200D\U0001F469\u200D\U0001F467",
                               "\U0001F44D\U0001F3FD",
                               "\U0001F1E9\U0001F1EA",
                               "\u2764\uFE0F",
                               "\uFF21\uFF22",
                               "\uFB01",
                               "\u01C5",
                               "\u0130",
                               "\u212B",
                               "\u1E9B\u0323",
                               "\u2581",
                               "<s>",
                               "</s>",
                               "<|endoftext|>",
                               "\x01",
                               "\x7F",
                               "_",
                               "camelCase",
                               "HTTPServer"};
  std::string text;
  for (uint32_t n = 1 + random.below(12); n > 0; --n) {
    if (random.below(3) > 0) {
      text += kParts[random.below(static_cast<uint32_t>(kParts.size()))];
      continue;
    }
    const uint32_t limits[] = {0x80, 0x250, 0x3000, 0x10000, 0x20000};
    const char32_t c = random.below(limits[random.below(5)]);
    if (is_agreed(c)) append_utf8(text, c);
  }
  return text;
}

// Lines of the texts below ../shared/data, joined to pieces of about 2 kB.
Texts sampled_texts() {
  const bool all = std::getenv("BANTAM_ALL_TEXT") != nullptr;
  std::vector<fs::path> files;
  for (const char* folder : {"lm", "chat", "bench", "usecase"}) {
    if (!fs::exists(shared(folder))) continue;
    for (const auto& entry : fs::directory_iterator(shared(folder))) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  Texts texts;
  for (const fs::path& file : files) {
    std::string text = to_valid_utf8(read_text_file(file.string()));
    if (!all) text.resize(std::min<size_t>(text.size(), 6000));
    for (size_t begin = 0; begin < text.size();) {
      size_t end = std::min(text.find('\n', std::min(begin + 2000, text.size())), text.size());
      end = std::min(end, text.size());
      std::string part = text.substr(begin, end - begin);
      part.resize(part.size() - incomplete_utf8_suffix(part));
      texts.push_back(std::move(part));
      begin = end + 1;
    }
  }
  return texts;
}

Texts fuzzed_texts() {
  Random random(11);
  Texts texts;
  for (int i = 0; i < 2000; ++i) texts.push_back(random_text(random));
  return texts;
}

class NpmReference : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / fmt::format("bantam-npm-{}", ::getpid());
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  // Compares the file as it stands, and in GGUF's terms where these can say it, on the texts. Skips
  // without the package.
  void compare(const std::string& json, const Texts& texts, bool in_ggufs_terms = true) {
    write_text_file(path("tokenizer.json"), json);
    write_text_file(path("texts.json"), Json(texts).dump());
    const int status = std::system(
        fmt::format("node {}/tests/tokenizers_reference.mjs {} {} {} 2>{}", BANTAM_SOURCE_DIR,
                    path("tokenizer.json"), path("texts.json"), path("ids"), path("error"))
            .c_str());
    if (WIFEXITED(status) && (WEXITSTATUS(status) == 77 || WEXITSTATUS(status) == 127)) {
      GTEST_SKIP() << "missing node or its package: " << read_text_file(path("error"));
    }
    ASSERT_EQ(status, 0) << read_text_file(path("error"));
    const auto as_it_stands = make_tokenizer(parse_tokenizer_json(json, "tokenizer.json"));
    TokenizerSpec spec = tokenizer_json_for_gguf(json, "tokenizer.json");
    EXPECT_EQ(spec.model != "tokenizer.json", in_ggufs_terms);
    const auto for_gguf = make_tokenizer(std::move(spec));
    std::istringstream lines(read_text_file(path("ids")));
    size_t differences = 0;
    for (const std::string& text : texts) {
      std::string line;
      ASSERT_TRUE(std::getline(lines, line));
      for (const Tokenizer* tokenizer : {as_it_stands.get(), for_gguf.get()}) {
        const std::string ids = fmt::format("{}", fmt::join(tokenizer->encode(text), " "));
        if (ids == line || ++differences > 5) continue;
        ADD_FAILURE() << tokenizer->spec().model << " on " << Json(text).dump() << "\n  expected "
                      << line << "\n  got      " << ids;
      }
    }
    EXPECT_EQ(differences, 0u) << "of " << texts.size() << " texts";
  }

  void compare_all(const std::string& json) {
    compare(json, fuzzed_texts());
    if (!IsSkipped() && !HasFatalFailure()) compare(json, sampled_texts());
  }

  [[nodiscard]] std::string path(const std::string& name) const {
    return (folder_ / name).string();
  }

 private:
  fs::path folder_;
};

#define BANTAM_NEEDS(path) \
  if (!fs::exists(path)) GTEST_SKIP() << "missing " << (path)

Json split(const std::string& regex) {
  return {{"type", "Split"}, {"pattern", {{"Regex", regex}}}, {"behavior", "Isolated"}};
}

// A byte-level tokenizer.json around the vocabulary and merges of another file.
Json byte_level(Json vocabulary, Json merges, const std::vector<std::string>& patterns) {
  Json steps = Json::array();
  for (const std::string& pattern : patterns) steps.push_back(split(pattern));
  steps.push_back({{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}});
  return {{"added_tokens", Json::array()},
          {"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", steps}}},
          {"decoder", {{"type", "ByteLevel"}}},
          {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", merges}}}};
}

Json lines_of(const std::string& path) {
  Json lines = Json::array();
  std::istringstream text(read_text_file(path));
  for (std::string line; std::getline(text, line);) {
    if (!line.empty() && !line.starts_with("#version")) lines.push_back(line);
  }
  return lines;
}

TokenizerSpec gguf_vocabulary(const std::string& path) {
  const std::string bytes = read_text_file(path);
  auto words = std::make_shared<std::vector<uint64_t>>((bytes.size() + 7) / 8);
  std::memcpy(words->data(), bytes.data(), bytes.size());
  const auto* begin = reinterpret_cast<const std::byte*>(words->data());
  return read_tokenizer(GgufFile::parse({begin, bytes.size()}, words, path));
}

// The texts without characters of which the vocabulary lacks a byte. The Rust library drops such a
// byte before it merges, as Bantam does; the package keeps it between its neighbours.
Texts within_vocabulary(Texts texts, const Json& vocabulary) {
  std::string missing;
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    if (!vocabulary.contains(spell_bytes({&c, 1}))) missing += c;
  }
  for (std::string& text : texts) {
    std::string kept;
    for (size_t i = 0; i < text.size();) {
      const std::string_view character =
          std::string_view(text).substr(i, decode_utf8(text, i).size);
      if (character.find_first_of(missing) == character.npos) kept += character;
      i += character.size();
    }
    text = std::move(kept);
  }
  return texts;
}

TEST_F(NpmReference, SmolLm2) {
  const std::string file = shared("tokenizers/smollm2/tokenizer.json.zst");
  BANTAM_NEEDS(file);
  const std::string json = read_text_file(file);
  compare(json, within_vocabulary(fuzzed_texts(), Json::parse(json)["model"]["vocab"]));
  if (!IsSkipped() && !HasFatalFailure()) compare(json, sampled_texts());
}

TEST_F(NpmReference, Phi3) {
  const std::string file = shared("tokenizers/phi3/tokenizer.json.zst");
  BANTAM_NEEDS(file);
  compare_all(read_text_file(file));
}

TEST_F(NpmReference, Qwen2WithNormalisation) {
  const std::string folder = shared("tokenizers/qwen2.5");
  BANTAM_NEEDS(folder);
  Json json = byte_level(
      Json::parse(read_text_file(folder + "/vocab.json.zst")), lines_of(folder + "/merges.txt.zst"),
      {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
       R"(|\s*[\r\n]+|\s+(?!\S)|\s+)"});
  json["normalizer"] = {{"type", "NFC"}};
  compare_all(json.dump());
}

TEST_F(NpmReference, Gpt4oAndTekkenPatterns) {
  const std::string folder = shared("tokenizers/gpt2");
  BANTAM_NEEDS(folder);
  const std::string upper = R"([\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])";
  const std::string lower = R"([\p{Ll}\p{Lm}\p{Lo}\p{M}])";
  const std::string prefix = R"([^\r\n\p{L}\p{N}]?)";
  const std::string rest = R"(| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  const std::string tail = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?)";
  for (const bool gpt4o : {true, false}) {
    const std::string t = gpt4o ? tail : "";
    const std::string pattern =
        fmt::format("{}{}*{}+{}|{}{}+{}*{}|{}{}", prefix, upper, lower, t, prefix, upper, lower, t,
                    gpt4o ? R"(\p{N}{1,3})" : R"(\p{N})", rest);
    compare(byte_level(Json::parse(read_text_file(folder + "/vocab.json.zst")),
                       lines_of(folder + "/merges.txt.zst"), {pattern})
                .dump(),
            fuzzed_texts());
  }
}

TEST_F(NpmReference, DeepSeekV3Patterns) {
  const std::string folder = shared("tokenizers/gpt2");
  BANTAM_NEEDS(folder);
  compare(byte_level(Json::parse(read_text_file(folder + "/vocab.json.zst")),
                     lines_of(folder + "/merges.txt.zst"),
                     {R"(\p{N}{1,3})", "[\u4E00-\u9FA5\u3040-\u309F\u30A0-\u30FF]+",
                      "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{"
                      "S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"})
              .dump(),
          fuzzed_texts());
}

TEST_F(NpmReference, PatternsThatOnlyTheRegexLibraryKnows) {
  const std::string folder = shared("tokenizers/gpt2");
  BANTAM_NEEDS(folder);
  const Json vocabulary = Json::parse(read_text_file(folder + "/vocab.json.zst"));
  const Json merges = lines_of(folder + "/merges.txt.zst");
  for (const char* pattern :
       {R"(\d{1,3}(?=(?:\d{3})*\b)|[a-z]+)", R"([^\s\w]+|\w+(?:'\w+)?|\s{2,})",
        R"((?i:the|[a-c])+|[\p{Lu}\d]+|\S)"}) {
    compare(byte_level(vocabulary, merges, {pattern}).dump(), fuzzed_texts(), false);
  }
}

TEST_F(NpmReference, Bert) {
  const std::string file = shared("tokenizers/gguf/ggml-vocab-bert-bge.gguf.zst");
  BANTAM_NEEDS(file);
  const TokenizerSpec spec = gguf_vocabulary(file);
  Json vocabulary = Json::object();
  const std::string mark = "\u2581";
  for (size_t id = 0; id < spec.tokens.size(); ++id) {
    std::string token(spec.tokens[id]);
    if (spec.types[id] == TokenType::normal) {
      token = token.starts_with(mark) ? token.substr(mark.size()) : "##" + token;
    }
    vocabulary[token] = id;
  }
  Texts texts;
  for (std::string text : fuzzed_texts()) {
    // The package takes characters beyond U+FFFF for two, and its lower case knows final sigma.
    std::string kept;
    for (size_t i = 0; i < text.size();) {
      const CodePoint c = decode_utf8(text, i);
      if (c.value < 0x10000 && c.value != 0x3A3) append_utf8(kept, c.value);
      i += c.size;
    }
    texts.push_back(std::move(kept));
  }
  const Json json = {
      {"added_tokens", Json::array()},
      {"normalizer",
       {{"type", "BertNormalizer"},
        {"clean_text", true},
        {"handle_chinese_chars", true},
        {"strip_accents", nullptr},
        {"lowercase", true}}},
      {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
      {"post_processor",
       {{"type", "BertProcessing"}, {"sep", {"[SEP]", 102}}, {"cls", {"[CLS]", 101}}}},
      {"decoder", {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}}},
      {"model",
       {{"type", "WordPiece"},
        {"unk_token", "[UNK]"},
        {"continuing_subword_prefix", "##"},
        {"max_input_chars_per_word", 100},
        {"vocab", vocabulary}}}};
  compare(json.dump(), texts);
  compare(json.dump(), sampled_texts());
}

TEST_F(NpmReference, T5) {
  const std::string file = shared("tokenizers/t5/spiece.model");
  BANTAM_NEEDS(file);
  const TokenizerSpec spec = read_sentencepiece_model(file);
  Json vocabulary = Json::array();
  for (size_t id = 0; id < spec.tokens.size(); ++id) {
    vocabulary.push_back({spec.tokens[id], static_cast<double>(spec.scores[id])});
  }
  const Json json = {
      {"added_tokens", Json::array()},
      {"pre_tokenizer",
       {{"type", "Sequence"},
        {"pretokenizers",
         {{{"type", "WhitespaceSplit"}},
          {{"type", "Metaspace"}, {"replacement", "\u2581"}, {"prepend_scheme", "always"}}}}}},
      {"post_processor",
       {{"type", "TemplateProcessing"},
        {"single", {{{"Sequence", {{"id", "A"}}}}, {{"SpecialToken", {{"id", "</s>"}}}}}},
        {"special_tokens", {{"</s>", {{"id", "</s>"}, {"ids", {1}}}}}}}},
      {"decoder", {{"type", "Metaspace"}}},
      {"model", {{"type", "Unigram"}, {"unk_id", 2}, {"vocab", vocabulary}}}};
  compare(json.dump(), sampled_texts(), false);
  compare(json.dump(), fuzzed_texts(), false);
}

}  // namespace
}  // namespace bantam
