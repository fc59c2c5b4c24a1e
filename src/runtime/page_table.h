#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace bantam {

// Which page of a pool holds each 64 cells of each sequence (Kwon et al. 2023, "PagedAttention").
// Only the bookkeeping: what is in the pages is its owner's. Sequences that share a beginning share
// its pages; one that writes to a shared page gets a copy first.
//
//   PageTable table({.pages = 8, .sequences = 2, .blocks = 4});
//   const PageTable::Span tokens[] = {{0, 0, 100}};
//   table.write(tokens, copies);   // sequence 0 has two pages
//   table.share(0, 1, 90);         // as has sequence 1, the same ones
//   table.commit();
class PageTable {
 public:
  struct Options {
    int64_t pages = 0, sequences = 1;
    int64_t blocks = 0;  // of 64 cells, in the context
    // Tokens see the last `window` cells (0: all) and the first `keep`. Pages that none will see
    // are used again when there are no others left.
    int64_t window = 0, keep = 0;
  };
  // Tokens begin .. end - 1 of a sequence.
  struct Span {
    int32_t sequence;
    int64_t begin, end;
  };
  // The first cells of a page that are wanted in another one, too. Copies are made in order.
  struct Copy {
    int32_t from, to;
    int64_t cells;
  };

  explicit PageTable(const Options& options);

  // Gives each span (one for a sequence) pages of its own; what stood after it is forgotten. What
  // its first token sees must be there: `can_go_on`. Returns how many pages are missing; if any is,
  // `undo` must follow.
  int64_t write(std::span<const Span> spans, std::vector<Copy>& copies);
  // Gives a sequence pages of its own for its first `length` cells and forgets the others; the
  // cells that it had lie in the pages `had`. Returns how many pages are missing.
  int64_t compact(int32_t sequence, int64_t length, std::vector<int32_t>& had);
  // As `write`, for what is needed to go on after `length` tokens, of which nothing is there yet.
  int64_t claim(int32_t sequence, int64_t length);
  // Lets `to` have what `from` has of its first `length` tokens.
  void share(int32_t from, int32_t to, int64_t length);
  // Forgets all but the first `length` tokens.
  void truncate(int32_t sequence, int64_t length);
  // Changes since the last commit are final, or are taken back.
  void commit();
  void undo();

  // Whether all that a token at this position would see is there.
  [[nodiscard]] bool can_go_on(int32_t sequence, int64_t position) const;
  // Whether such a token would see anything of a block.
  [[nodiscard]] bool needs(int64_t block, int64_t position) const;
  [[nodiscard]] int64_t length(int32_t sequence) const {
    return lengths_[static_cast<size_t>(sequence)];
  }
  [[nodiscard]] int32_t page(int32_t sequence, int64_t block) const {
    return table_[index(sequence, block)];  // -1: none
  }
  [[nodiscard]] const Options& options() const { return options_; }
  [[nodiscard]] int64_t unused() const { return static_cast<int64_t>(free_.size()); }
  // [sequences, blocks], at one place for as long as the table lives.
  [[nodiscard]] std::span<int32_t> entries() { return table_; }

 private:
  [[nodiscard]] size_t index(int32_t sequence, int64_t block) const {
    return static_cast<size_t>(sequence * options_.blocks + block);
  }
  // The first cell of the window of a token at this position.
  [[nodiscard]] int64_t window_begin(int64_t position) const;
  void set(size_t index, int32_t page);
  void swap_page(size_t index, int32_t page);
  void set_length(int32_t sequence, int64_t length);
  void drop(int32_t sequence, int64_t first, int64_t end);
  bool reclaim(int32_t sequence);
  bool take(int32_t sequence, int64_t block);

  Options options_;
  std::vector<int32_t> table_;    // [sequences, blocks]
  std::vector<int32_t> uses_;     // of each page
  std::vector<int32_t> free_;     // a stack
  std::vector<int64_t> lengths_;  // of each sequence, in tokens
  struct Change {
    size_t index;
    int64_t before;
    bool is_length;
  };
  std::vector<Change> changes_;
};

}  // namespace bantam
