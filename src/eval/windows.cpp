#include "eval/windows.h"

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "data/pairs.h"

namespace bantam {
namespace {

constexpr std::string_view kSeparator = "<|endoftext|>";

bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

bool is_separator(std::string_view line) {
  while (!line.empty() && is_space(line.back())) line.remove_suffix(1);
  return line == kSeparator;
}

std::vector<std::string_view> split_texts(std::string_view all) {
  std::vector<std::string_view> texts;
  size_t begin = 0;
  for (size_t at = 0; at < all.size();) {
    const size_t end = std::min(all.find('\n', at), all.size());
    const size_t next = std::min(end + 1, all.size());
    if (is_separator(all.substr(at, end - at))) {
      texts.push_back(all.substr(begin, at - begin));
      begin = next;
    }
    at = next;
  }
  texts.push_back(all.substr(begin));
  return texts;
}

}  // namespace

TokenText token_text(const Tokenizer& tokenizer, std::string_view text) {
  TokenText out;
  out.ids = tokenizer.encode(text, {.special = false, .parse_special = false});
  bool in_word = false;
  for (const int32_t id : out.ids) {
    const std::string_view piece = tokenizer.piece(id);
    int32_t words = 0;
    for (const char c : piece) {
      words += !is_space(c) && !in_word ? 1 : 0;
      in_word = !is_space(c);
    }
    out.bytes.push_back(static_cast<int32_t>(piece.size()));
    out.words.push_back(words);
  }
  return out;
}

namespace {

std::vector<TokenText> read_targets(const Tokenizer& tokenizer,
                                    std::span<const std::string> paths) {
  std::vector<TokenText> texts;
  for (const std::string& path : paths) {
    for (const TextPair& pair : read_pairs(path)) {
      TokenText text = token_text(tokenizer, pair.target);
      text.source = tokenizer.encode(pair.source);
      if (tokenizer.spec().add_eos) {
        text.ids.push_back(tokenizer.eos());
        text.bytes.push_back(0);
        text.words.push_back(0);
      }
      texts.push_back(std::move(text));
    }
  }
  return texts;
}

}  // namespace

std::vector<TokenText> read_texts(const Model& model, std::span<const std::string> paths) {
  if (model.tokenizer == nullptr) fail_without_tokenizer(model);
  const Tokenizer& tokenizer = *model.tokenizer;
  if (model.config.reads_source()) return read_targets(tokenizer, paths);
  std::vector<TokenText> texts;
  for (const std::string& path : paths) {
    const std::string all = read_text_file(path);
    for (const std::string_view text : split_texts(all)) {
      TokenText tokens = token_text(tokenizer, text);
      if (!tokens.ids.empty()) texts.push_back(std::move(tokens));
    }
  }
  return texts;
}

std::vector<Window> make_windows(const TokenText& text, int64_t context, int64_t stride,
                                 int32_t bos) {
  BANTAM_ASSERT(stride >= 1 && stride <= context);
  const auto n = static_cast<int64_t>(text.ids.size());
  const int64_t lead = bos >= 0 ? 1 : 0;    // inputs before the window's text
  const int64_t span = context + 1 - lead;  // tokens of the text that a window covers
  std::vector<Window> windows;
  int64_t done = 1 - lead;  // the first target that no window has counted
  for (int64_t begin = 0; done < n; begin += stride) {
    const int64_t end = std::min(n, begin + span);
    Window w;
    w.source = text.source;
    if (bos >= 0) w.inputs.push_back(bos);
    for (int64_t i = begin; i < end; ++i) {
      const auto at = static_cast<size_t>(i);
      if (i + 1 < end) w.inputs.push_back(text.ids[at]);
      if (i < begin + 1 - lead) continue;
      w.targets.push_back(i >= done ? text.ids[at] : -1);
      if (i < done) continue;
      ++w.scored;
      if (!text.bytes.empty()) w.bytes += text.bytes[at];
      if (!text.words.empty()) w.words += text.words[at];
    }
    windows.push_back(std::move(w));
    done = end;
  }
  return windows;
}

}  // namespace bantam
