#include "base/error.h"
#include "text/hf/pipeline.h"
#include "text/tokenizers/merge_table.h"
#include "text/unicode.h"

namespace bantam::hf {

namespace {

// The model's own tokens, without those that are special: they are never part of a text.
class Vocabulary {
  [[nodiscard]] auto text_of() const {
    return [this](int32_t id) -> std::string_view { return tokens_[static_cast<size_t>(id)]; };
  }

 public:
  explicit Vocabulary(const Model& m) : tokens_(m.tokens), index_(m.tokens.size()) {
    for (size_t id = 0; id < tokens_.size(); ++id) {
      if (m.known[id]) index_.add(static_cast<int32_t>(id), text_of());
    }
  }
  [[nodiscard]] int32_t find(std::string_view text) const { return index_.find(text, text_of()); }

 private:
  std::vector<std::string> tokens_;
  TokenIndex index_;
};

std::array<int32_t, 256> byte_tokens(const Vocabulary& vocabulary, bool byte_fallback) {
  std::array<int32_t, 256> ids{};
  for (size_t byte = 0; byte < ids.size(); ++byte) {
    ids[byte] = byte_fallback ? vocabulary.find(fmt::format("<0x{:02X}>", byte)) : -1;
  }
  return ids;
}

// Byte-pair encoding over characters (Sennrich et al. 2016) with Hugging Face's rules for what is
// not in the vocabulary.
class Bpe final : public SubwordModel {
 public:
  Bpe(const Model& m, std::string_view where)
      : vocabulary_(m),
        merges_(m.merges.size()),
        bytes_(byte_tokens(vocabulary_, m.byte_fallback)),
        continuing_prefix_(m.continuing_prefix),
        end_suffix_(m.end_suffix),
        unk_(m.unk),
        fuse_unk_(m.fuse_unk),
        ignore_merges_(m.ignore_merges) {
    for (size_t rank = 0; rank < m.merges.size(); ++rank) {
      const auto& [left, right] = m.merges[rank];
      const std::string_view tail = std::string_view(right).starts_with(continuing_prefix_)
                                        ? std::string_view(right).substr(continuing_prefix_.size())
                                        : std::string_view(right);
      const auto token = [&](std::string_view text) {
        const int32_t id = vocabulary_.find(text);
        if (id >= 0) return id;
        fail(ErrorKind::format, where, "model.merges[{}]: expected a token \"{}\", got none", rank,
             text);
      };
      merges_.add(token(left), token(right), token(left + std::string(tail)));
    }
  }

  void encode(std::string_view piece, std::vector<int32_t>& out) const override {
    if (ignore_merges_) {
      if (const int32_t id = vocabulary_.find(piece); id >= 0) return out.push_back(id);
    }
    SymbolMerger merger;
    append_symbols(piece, merger);
    merger.run([this](const Symbol& left, const Symbol& right) {
      return merges_.find(left.id, right.id);
    });
    for (const Symbol& s : merger.symbols) {
      if (s.begin != s.end) out.push_back(s.id);
    }
  }

 private:
  [[nodiscard]] int32_t find_character(std::string_view piece, size_t begin, size_t end) const {
    const bool plain = continuing_prefix_.empty() && end_suffix_.empty();
    if (plain) return vocabulary_.find(piece.substr(begin, end - begin));
    std::string spelled = begin > 0 ? continuing_prefix_ : std::string();
    spelled += piece.substr(begin, end - begin);
    if (end == piece.size()) spelled += end_suffix_;
    return vocabulary_.find(spelled);
  }

  void append_symbols(std::string_view piece, SymbolMerger& merger) const {
    bool after_unknown = false;
    for (size_t begin = 0; begin < piece.size();) {
      const size_t end = begin + decode_utf8(piece, begin).size;
      const auto first = static_cast<uint32_t>(begin);
      const auto last = static_cast<uint32_t>(end);
      const int32_t id = find_character(piece, begin, end);
      const bool falls_back = id < 0 && has_bytes(piece.substr(begin, end - begin));
      if (id >= 0) {
        merger.append(first, last, id);
      } else if (falls_back) {
        for (uint32_t i = first; i < last; ++i) {
          merger.append(i, i + 1, bytes_[static_cast<uint8_t>(piece[i])]);
        }
      } else if (unk_ >= 0 && !(fuse_unk_ && after_unknown)) {
        merger.append(first, last, unk_);
      }
      after_unknown = id < 0 && !falls_back;
      begin = end;
    }
  }

  [[nodiscard]] bool has_bytes(std::string_view character) const {
    for (const char c : character) {
      if (bytes_[static_cast<uint8_t>(c)] < 0) return false;
    }
    return true;
  }

  Vocabulary vocabulary_;
  MergeTable merges_;
  std::array<int32_t, 256> bytes_;
  std::string continuing_prefix_, end_suffix_;
  int32_t unk_;
  bool fuse_unk_, ignore_merges_;
};

class Unigram final : public SubwordModel {
 public:
  explicit Unigram(const Description& d)
      : vocabulary_(d.model),
        bytes_(byte_tokens(vocabulary_, d.model.byte_fallback)),
        unk_(d.model.unk) {
    const Model& m = d.model;
    std::vector<bool> special(m.tokens.size());
    for (const AddedToken& t : d.added) special[static_cast<size_t>(t.id)] = t.special;
    double least = 0;
    std::vector<UnigramModel::Piece> pieces;
    for (size_t id = 0; id < m.tokens.size(); ++id) {
      least = std::min(least, m.scores[id]);
      if (!m.known[id] || special[id]) continue;
      pieces.push_back({m.tokens[id], static_cast<int32_t>(id), m.scores[id]});
    }
    model_ = UnigramModel(pieces, least - 10);
  }

  void encode(std::string_view piece, std::vector<int32_t>& out) const override {
    std::vector<UnigramModel::Cut> cuts;
    model_.segment(piece, cuts);
    // The unknown token's own spelling in a text counts as unknown, too.
    const auto unknown = [&](size_t i) { return cuts[i].id < 0 || cuts[i].id == unk_; };
    for (size_t i = 0; i < cuts.size(); ++i) {
      if (!unknown(i)) {
        out.push_back(cuts[i].id);
      } else if (i == 0 || !unknown(i - 1)) {
        size_t end = cuts[i].end;  // of the run
        for (size_t j = i; j < cuts.size() && unknown(j); ++j) end = cuts[j].end;
        append_unknown(piece.substr(cuts[i].begin, end - cuts[i].begin), out);
      }
    }
  }

 private:
  void append_unknown(std::string_view text, std::vector<int32_t>& out) const {
    if (vocabulary_.find(text) == unk_ && unk_ >= 0) return out.push_back(unk_);
    const size_t first = out.size();
    for (const char c : text) {
      const int32_t id = bytes_[static_cast<uint8_t>(c)];
      if (id >= 0) {
        out.push_back(id);
        continue;
      }
      out.resize(first);
      if (unk_ >= 0) out.push_back(unk_);
      return;
    }
  }

  Vocabulary vocabulary_;
  std::array<int32_t, 256> bytes_;
  int32_t unk_;
  UnigramModel model_;
};

class WordLevel final : public SubwordModel {
 public:
  explicit WordLevel(const Model& m) : vocabulary_(m), unk_(m.unk) {}
  void encode(std::string_view piece, std::vector<int32_t>& out) const override {
    const int32_t id = vocabulary_.find(piece);
    if (id >= 0 || unk_ >= 0) out.push_back(id >= 0 ? id : unk_);
  }

 private:
  Vocabulary vocabulary_;
  int32_t unk_;
};

class WordPieces final : public SubwordModel {
 public:
  explicit WordPieces(const Model& m) {
    std::vector<std::pair<std::string_view, int32_t>> begin, inside;
    for (size_t i = 0; i < m.tokens.size(); ++i) {
      if (!m.known[i]) continue;
      const std::string_view token = m.tokens[i];
      begin.emplace_back(token, static_cast<int32_t>(i));
      if (token.starts_with(m.continuing_prefix)) {
        inside.emplace_back(token.substr(m.continuing_prefix.size()), static_cast<int32_t>(i));
      }
    }
    model_ = WordPieceModel(Trie(std::move(begin)), Trie(std::move(inside)), m.unk,
                            static_cast<size_t>(std::max<int64_t>(m.longest_word, 0)));
  }
  void encode(std::string_view piece, std::vector<int32_t>& out) const override {
    model_.encode(piece, out);
  }

 private:
  WordPieceModel model_;
};

}  // namespace

std::unique_ptr<SubwordModel> make_model(const Description& d, std::string_view where) {
  switch (d.model.kind) {
    case Model::Kind::unigram:
      return std::make_unique<Unigram>(d);
    case Model::Kind::word_piece:
      return std::make_unique<WordPieces>(d.model);
    case Model::Kind::word_level:
      return std::make_unique<WordLevel>(d.model);
    default:
      return std::make_unique<Bpe>(d.model, where);
  }
}

}  // namespace bantam::hf
