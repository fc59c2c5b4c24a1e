#include "text/tokenizers/byte_level_bpe.h"

#include "base/error.h"
#include "text/normal_forms.h"
#include "text/tokenizers/byte_alphabet.h"

namespace bantam {

namespace {

NormalForm normal_form(std::string_view name) {
  return name == "nfc"    ? NormalForm::nfc
         : name == "nfd"  ? NormalForm::nfd
         : name == "nfkc" ? NormalForm::nfkc
                          : NormalForm::nfkd;
}

}  // namespace

ByteLevelBpe::ByteLevelBpe(TokenizerSpec spec, std::string_view where)
    : Tokenizer(std::move(spec)),
      pre_(*find_pre_tokenizer(spec_.pre.empty() ? "gpt-2" : spec_.pre)),
      merges_(spec_.merges.size()) {
  StringTable pieces;
  pieces.reserve(spec_.tokens.size());
  for (size_t id = 0; id < spec_.tokens.size(); ++id) {
    // Added tokens are spelled as plain text, not in the byte alphabet.
    const bool plain = type_unchecked(id) != TokenType::normal;
    const auto bytes = plain ? std::nullopt : unspell_bytes(spec_.tokens[id]);
    pieces.push_back(bytes ? *bytes : spec_.tokens[id]);
  }
  set_pieces(std::move(pieces));
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    byte_tokens_[static_cast<size_t>(byte)] = find(spell_bytes({&c, 1})).value_or(spec_.unk);
  }
  read_merges(where);
}

void ByteLevelBpe::read_merges(std::string_view where) {
  const auto shown = [](std::string_view text) {
    return text.size() <= 60 ? std::string(text) : std::string(text.substr(0, 57)) + "...";
  };
  const auto is_joined = [this](size_t id, std::string_view left, std::string_view right) {
    const std::string_view text = spec_.tokens[id];
    return text.size() == left.size() + right.size() && text.starts_with(left) &&
           text.ends_with(right) && type_unchecked(id) == TokenType::normal;
  };
  int32_t joined = -1;
  for (size_t rank = 0; rank < spec_.merges.size(); ++rank) {
    const std::string_view merge = spec_.merges[rank];
    const size_t space = merge.find(' ');
    if (space == 0 || space == merge.npos || space + 1 == merge.size() ||
        merge.find(' ', space + 1) != merge.npos) {
      fail(ErrorKind::format, where, "merge {}: expected two tokens and a space, got \"{}\"", rank,
           shown(merge));
    }
    const std::string_view left = merge.substr(0, space), right = merge.substr(space + 1);
    const auto token = [&](std::string_view text) {
      const auto id = find(text);
      if (!id) {
        fail(ErrorKind::format, where, "merge {} (\"{}\"): expected a token \"{}\", got none", rank,
             shown(merge), shown(text));
      }
      return *id;
    };
    // Published vocabularies list the tokens in the order of their merges.
    ++joined;
    if (!are_unique_ || joined >= vocab_size() ||
        !is_joined(static_cast<size_t>(joined), left, right)) {
      joined = token(std::string(left) += right);
    }
    merges_.add(token(left), token(right), joined);
  }
}

void ByteLevelBpe::encode_plain(std::string_view text, std::vector<int32_t>& out) const {
  std::string changed;
  if (!spec_.normal_form.empty()) text = changed = normalise(text, normal_form(spec_.normal_form));
  if (spec_.add_space_prefix && !text.starts_with(' ')) {
    changed = fmt::format(" {}", text);
    text = changed;
  }
  SymbolMerger merger;
  for_each_word(pre_.stages, text, [&](std::string_view word) {
    if (cache_.find(word, out)) return;
    const size_t first = out.size();
    encode_word(word, merger, out);
    cache_.store(word, out.data() + first, out.size() - first);
  });
}

void ByteLevelBpe::encode_word(std::string_view word, SymbolMerger& merger,
                               std::vector<int32_t>& out) const {
  if (pre_.ignore_merges) {
    if (const auto whole = find(spell_bytes(word));
        whole && type_unchecked(static_cast<size_t>(*whole)) == TokenType::normal) {
      out.push_back(*whole);
      return;
    }
  }
  merger.clear();
  for (uint32_t i = 0; i < word.size(); ++i) {
    // A byte without a token is gone before anything merges, as in the library that trained it.
    const int32_t id = byte_tokens_[static_cast<uint8_t>(word[i])];
    if (id >= 0) merger.append(i, i + 1, id);
  }
  merger.run(
      [this](const Symbol& left, const Symbol& right) { return merges_.find(left.id, right.id); });
  for (const Symbol& s : merger.symbols) {
    if (s.begin != s.end) out.push_back(s.id);
  }
}

}  // namespace bantam
