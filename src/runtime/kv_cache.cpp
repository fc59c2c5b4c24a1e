#include "runtime/kv_cache.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "graph/op.h"
#include "tensor/interleave.h"
#include "tensor/layout.h"

namespace bantam {
namespace {

// Of attention: what rows see that look through a table.
PageTable::Options options_of(const Graph& g, int32_t table) {
  const Shape shape = g.node(table).outputs[0].shape.bind({});
  PageTable::Options o{.sequences = shape[0], .blocks = shape[1]};
  for (int32_t i = 0; i < g.size(); ++i) {
    const Node& n = g.node(i);
    if (n.op->name != "attention" || n.attributes.integer("pages", 0) == 0) continue;
    if (n.inputs[5].node != table) continue;
    o.window = n.attributes.integer("window", 0);
    o.keep = n.attributes.integer("keep", 0);
    break;
  }
  return o;
}

}  // namespace

KvCache::KvCache(const Graph& g, HeavyHitters heavy) {
  for (int32_t i = 0; i < g.size(); ++i) {
    const Node& n = g.node(i);
    if (n.op->name != "cache_write" || n.inputs.size() != 5) continue;
    const Node& state = g.node(n.inputs[0].node);
    const Type& type = state.outputs[0];
    const Shape shape = type.shape.bind({});
    const int32_t table = n.inputs[4].node;
    auto pool = std::find_if(pools_.begin(), pools_.end(),
                             [&](const Pool& p) { return p.table_name == g.node(table).name; });
    if (pool == pools_.end()) {
      PageTable::Options o = options_of(g, table);
      o.pages = shape[0];
      pool = pools_.insert(pool, {g.node(table).name, PageTable(o), {}, {}, {}, {}, {}});
    }
    BANTAM_ASSERT(pool->table.options().pages == shape[0]);
    pool->states.push_back({state.name, {type.dtype, shape, nullptr, type.layout}});
  }
  allocate();
  find_masses(g, heavy);
}

// Keys and values of a block are written through the table that its attention is counted through.
void KvCache::find_masses(const Graph& g, HeavyHitters heavy) {
  for (int32_t i = 0; i < g.size(); ++i) {
    const Node& n = g.node(i);
    if (n.op->name != "attention_mass") continue;
    const std::string& name = g.node(n.inputs[0].node).name;
    const std::string block = name.substr(0, name.rfind('.') + 1);
    const auto pool = std::ranges::find(pools_, g.node(n.inputs[6].node).name, &Pool::table_name);
    BANTAM_ASSERT(pool != pools_.end());
    pool->heavy = heavy;
    pool->masses.push_back({name, {}, {}});
    for (const State& state : pool->states)
      if (state.name == block + "k" || state.name == block + "v")
        pool->masses.back().states.push_back(state);
    BANTAM_ASSERT(pool->masses.back().states.size() == 2);
  }
}

void KvCache::use_masses(std::string_view state, const TensorView& masses) {
  for (Pool& pool : pools_)
    for (Masses& m : pool.masses)
      if (m.name == state) m.values = masses;
}

void KvCache::allocate() {
  const auto aligned = [](const State& s) { return (s.pages.bytes() + 63) / 64 * 64; };
  int64_t bytes = 0;
  for (const Pool& pool : pools_)
    for (const State& state : pool.states) bytes += aligned(state);
  memory_ = Tensor::zeros(DType::i8, {bytes});
  auto* place = memory_.as<std::byte>();
  use_large_pages({place, static_cast<size_t>(bytes)});
  for (Pool& pool : pools_) {
    for (State& state : pool.states) {
      state.pages.data = place;
      place += aligned(state);
    }
  }
}

void KvCache::bind(Executor& executor) {
  for (Pool& pool : pools_) {
    const PageTable::Options& o = pool.table.options();
    executor.bind(pool.table_name,
                  {DType::i32, {o.sequences, o.blocks}, pool.table.entries().data()});
    for (const State& state : pool.states) executor.bind(state.name, state.pages);
  }
}

bool KvCache::owns(std::string_view name) const {
  for (const Pool& pool : pools_)
    for (const State& state : pool.states)
      if (state.name == name) return true;
  return false;
}

int64_t KvCache::State::cell_bytes(int64_t count) const {
  const int64_t group = pages.layout == Layout::interleaved ? kInterleavedRows : 1;
  const int64_t whole = (count + group - 1) / group * group;
  return pages.bytes() / (pages.shape[0] * heads() * kPageCells) * whole;
}

std::span<std::byte> KvCache::State::whole(int32_t page) const {
  const int64_t bytes = heads() * cell_bytes(kPageCells);
  return {pages.as<std::byte>() + page * bytes, static_cast<size_t>(bytes)};
}

std::span<std::byte> KvCache::State::cells(int32_t page, int64_t head, int64_t count) const {
  return whole(page).subspan(static_cast<size_t>(head * cell_bytes(kPageCells)),
                             static_cast<size_t>(cell_bytes(count)));
}

void KvCache::State::copy_cell(int64_t head, Place from, Place to) const {
  const int64_t cell = cell_bytes(kPageCells) / kPageCells;
  const auto* old = reinterpret_cast<const uint8_t*>(cells(from.page, head, kPageCells).data());
  auto* now = reinterpret_cast<uint8_t*>(cells(to.page, head, kPageCells).data());
  if (pages.layout == Layout::rows) {
    std::memmove(now + to.cell * cell, old + from.cell * cell, static_cast<size_t>(cell));
    return;
  }
  const int64_t old_lane = from.cell % kInterleavedRows, now_lane = to.cell % kInterleavedRows;
  old += (from.cell - old_lane) * cell;
  now += (to.cell - now_lane) * cell;
  // The types of caches have a scale of two bytes, or elements of two or four.
  const SmallField small{0, pages.dtype == DType::f32 ? 4 : 2};
  const int64_t block = dtype_info(pages.dtype).block_bytes;
  for (int64_t first = 0; first < cell; first += block) {
    for_each_piece(small, static_cast<int>(block), [&](int64_t o, int64_t bytes) {
      const int64_t piece = kInterleavedRows * (first + o);
      std::memmove(now + piece + now_lane * bytes, old + piece + old_lane * bytes,
                   static_cast<size_t>(bytes));
    });
  }
}

// `each` changes one pool's table and returns how many pages it lacks.
template <typename Change>
void KvCache::change(const Change& each) {
  for (size_t i = 0; i < pools_.size(); ++i) {
    const int64_t missing = each(pools_[i]);
    if (missing == 0) continue;
    for (Pool& pool : pools_) pool.undo();
    const int64_t pages = pools_[i].table.options().pages;
    fail(ErrorKind::resource, "cache",
         "expected {} pages of {} tokens for the texts of all sequences, got {} ({} tokens)",
         pages + missing, kPageCells, pages, pages * kPageCells);
  }
  for (Pool& pool : pools_) pool.commit();
}

int64_t KvCache::Pool::filled(int64_t length) const {
  return masses.empty() ? length : heavy.filled(length);
}

int64_t KvCache::Pool::write(std::span<const PageTable::Span> spans) {
  if (masses.empty()) return table.write(spans, copies);
  int64_t missing = 0;
  std::vector<PageTable::Span> slots;
  for (const PageTable::Span& s : spans) {
    if (heavy.decides(s.begin)) {
      choices.push_back({s.sequence, heavy.filled(s.begin), {}});
      missing += table.compact(s.sequence, heavy.kept(), choices.back().had);
    }
    const int64_t first = heavy.slot(s.begin);
    slots.push_back({s.sequence, first, first + s.end - s.begin});
  }
  return missing + table.write(slots, copies);
}

// Kept cells come together in their order: none moves to where another still is.
void KvCache::Pool::keep_heavy(const Choice& c) const {
  for (const Masses& m : masses) {
    const int64_t heads = m.values.shape[1], each = m.values.shape[2];
    for (int64_t head = 0; head < heads; ++head) {
      float* mass = m.values.as<float>() + (c.sequence * heads + head) * each;
      int64_t to = 0;
      for (const int32_t from : heavy.choose({mass, static_cast<size_t>(c.filled)})) {
        const State::Place old{c.had[static_cast<size_t>(from / kPageCells)], from % kPageCells};
        const State::Place now{table.page(c.sequence, to / kPageCells), to % kPageCells};
        for (const State& state : m.states) state.copy_cell(head, old, now);
        mass[to++] = mass[from];
      }
    }
  }
}

void KvCache::Pool::commit() {
  for (const Choice& choice : choices) keep_heavy(choice);
  choices.clear();
  for (const auto [from, to, count] : copies)
    for (const State& s : states)
      for (int64_t head = 0; head < s.heads(); ++head)
        std::ranges::copy(s.cells(from, head, count), s.cells(to, head, count).begin());
  copies.clear();
  table.commit();
}

void KvCache::Pool::undo() {
  choices.clear();
  copies.clear();
  table.undo();
}

void KvCache::write(std::span<const PageTable::Span> spans) {
  change([&](Pool& pool) { return pool.write(spans); });
}

bool KvCache::can_go_on(int32_t sequence, int64_t position) const {
  return std::all_of(pools_.begin(), pools_.end(), [&](const Pool& pool) {
    return pool.table.can_go_on(sequence, pool.filled(position));
  });
}

void KvCache::truncate(int32_t sequence, int64_t length) {
  for (Pool& pool : pools_) {
    pool.table.truncate(sequence, pool.filled(length));
    pool.commit();
  }
}

void KvCache::share(int32_t from, int32_t to, int64_t length) {
  for (Pool& pool : pools_) {
    pool.table.share(from, to, pool.filled(length));
    pool.commit();
  }
}

// Calls `visit` with each state, block, head and number of cells that are needed to go on after
// `length` tokens.
template <typename Visit>
void KvCache::visit_cells(int64_t length, const Visit& visit) const {
  for (const Pool& pool : pools_) {
    const int64_t cells = pool.filled(length);
    for (const State& state : pool.states) {
      for (int64_t block = 0; block * kPageCells < cells; ++block) {
        if (!pool.table.needs(block, cells)) continue;
        const int64_t count = std::min(cells - block * kPageCells, kPageCells);
        for (int64_t head = 0; head < state.heads(); ++head) visit(pool, state, block, head, count);
      }
    }
  }
}

int64_t KvCache::saved_bytes(int64_t length) const {
  int64_t bytes = 0;
  visit_cells(length, [&](const Pool&, const State& state, int64_t, int64_t, int64_t count) {
    bytes += state.cell_bytes(count);
  });
  return bytes;
}

std::vector<std::byte> KvCache::save(int32_t sequence, int64_t length) const {
  std::vector<std::byte> all;
  all.reserve(static_cast<size_t>(saved_bytes(length)));
  visit_cells(length, [&](const Pool& pool, const State& state, int64_t block, int64_t head,
                          int64_t count) {
    const auto cells = state.cells(pool.table.page(sequence, block), head, count);
    all.insert(all.end(), cells.begin(), cells.end());
  });
  return all;
}

void KvCache::restore(int32_t sequence, int64_t length, std::span<const std::byte> saved) {
  BANTAM_ASSERT(static_cast<int64_t>(saved.size()) == saved_bytes(length));
  change([&](Pool& pool) { return pool.table.claim(sequence, pool.filled(length)); });
  visit_cells(length, [&](const Pool& pool, const State& state, int64_t block, int64_t head,
                          int64_t count) {
    const auto cells = state.cells(pool.table.page(sequence, block), head, count);
    std::ranges::copy(saved.first(cells.size()), cells.begin());
    saved = saved.subspan(cells.size());
  });
}

}  // namespace bantam
