#include "runtime/page_table.h"

#include <algorithm>

#include "base/error.h"
#include "tensor/layout.h"

namespace bantam {
namespace {

int64_t blocks_of(int64_t cells) {
  return (cells + kPageCells - 1) / kPageCells;
}

}  // namespace

PageTable::PageTable(const Options& options)
    : options_(options),
      table_(static_cast<size_t>(options.sequences * options.blocks), -1),
      uses_(static_cast<size_t>(options.pages), 0),
      lengths_(static_cast<size_t>(options.sequences), 0) {
  // The lowest pages are taken first.
  for (int64_t page = options.pages; page-- > 0;) free_.push_back(static_cast<int32_t>(page));
}

int64_t PageTable::window_begin(int64_t position) const {
  return options_.window == 0 ? 0 : std::max<int64_t>(0, position + 1 - options_.window);
}

bool PageTable::needs(int64_t block, int64_t position) const {
  const int64_t first = block * kPageCells;
  if (first >= position) return false;
  return first < options_.keep || first + kPageCells > window_begin(position);
}

bool PageTable::can_go_on(int32_t sequence, int64_t position) const {
  const int64_t have = length(sequence);
  if (position > have) return false;
  if (position == have) return true;
  for (int64_t block = 0; block < blocks_of(position); ++block)
    if (needs(block, position) && page(sequence, block) < 0) return false;
  return true;
}

// A page that nobody has any more lies on top of the stack, so that undoing changes from the last
// one on finds it there.
void PageTable::swap_page(size_t index, int32_t page) {
  const int32_t before = std::exchange(table_[index], page);
  if (page >= 0 && uses_[static_cast<size_t>(page)]++ == 0) {
    BANTAM_ASSERT(!free_.empty() && free_.back() == page);
    free_.pop_back();
  }
  if (before >= 0 && --uses_[static_cast<size_t>(before)] == 0) free_.push_back(before);
}

void PageTable::set(size_t index, int32_t page) {
  changes_.push_back({index, table_[index], false});
  swap_page(index, page);
}

void PageTable::set_length(int32_t sequence, int64_t length) {
  int64_t& now = lengths_[static_cast<size_t>(sequence)];
  changes_.push_back({static_cast<size_t>(sequence), now, true});
  now = length;
}

void PageTable::commit() {
  changes_.clear();
}

void PageTable::undo() {
  for (; !changes_.empty(); changes_.pop_back()) {
    const Change& c = changes_.back();
    if (c.is_length) {
      lengths_[c.index] = c.before;
    } else {
      swap_page(c.index, static_cast<int32_t>(c.before));
    }
  }
}

void PageTable::drop(int32_t sequence, int64_t first, int64_t end) {
  for (int64_t block = first; block < end; ++block)
    if (page(sequence, block) >= 0) set(index(sequence, block), -1);
}

void PageTable::truncate(int32_t sequence, int64_t length) {
  drop(sequence, blocks_of(length), blocks_of(this->length(sequence)));
  set_length(sequence, length);
}

// Lets go of pages that have left the sequence's window, oldest first, until one is free.
bool PageTable::reclaim(int32_t sequence) {
  const int64_t end = window_begin(length(sequence)) / kPageCells;
  for (int64_t block = options_.keep / kPageCells; block < end && free_.empty(); ++block)
    drop(sequence, block, block + 1);
  return !free_.empty();
}

bool PageTable::take(int32_t sequence, int64_t block) {
  bool found = !free_.empty() || reclaim(sequence);
  for (int32_t other = 0; !found && other < options_.sequences; ++other) found = reclaim(other);
  if (found) set(index(sequence, block), free_.back());
  return found;
}

int64_t PageTable::write(std::span<const Span> spans, std::vector<Copy>& copies) {
  for (const Span& s : spans) {
    truncate(s.sequence, std::min(s.end, length(s.sequence)));
    set_length(s.sequence, s.begin);  // what must stay is what its first token sees
  }
  int64_t missing = 0;
  for (const Span& s : spans) {
    for (int64_t block = s.begin / kPageCells; block < blocks_of(s.end); ++block) {
      const int32_t before = page(s.sequence, block);
      if (before >= 0 && uses_[static_cast<size_t>(before)] == 1) continue;
      if (!take(s.sequence, block)) {
        ++missing;
      } else if (before >= 0 && s.begin > block * kPageCells) {
        copies.push_back({before, page(s.sequence, block), s.begin - block * kPageCells});
      }
    }
  }
  for (const Span& s : spans) set_length(s.sequence, s.end);
  return missing;
}

int64_t PageTable::compact(int32_t sequence, int64_t length, std::vector<int32_t>& had) {
  int64_t missing = 0;
  for (int64_t block = 0; block < blocks_of(this->length(sequence)); ++block) {
    had.push_back(page(sequence, block));
    const bool shared = uses_[static_cast<size_t>(had.back())] > 1;
    if (block < blocks_of(length) && shared && !take(sequence, block)) ++missing;
  }
  truncate(sequence, length);
  return missing;
}

int64_t PageTable::claim(int32_t sequence, int64_t length) {
  truncate(sequence, 0);
  int64_t missing = 0;
  for (int64_t block = 0; block < blocks_of(length); ++block)
    if (needs(block, length) && !take(sequence, block)) ++missing;
  set_length(sequence, length);
  return missing;
}

void PageTable::share(int32_t from, int32_t to, int64_t length) {
  truncate(to, 0);
  for (int64_t block = 0; block < blocks_of(length); ++block) {
    const int32_t shared = page(from, block);
    if (shared >= 0) set(index(to, block), shared);
  }
  set_length(to, length);
}

}  // namespace bantam
