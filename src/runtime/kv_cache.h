#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/plan.h"
#include "runtime/heavy_hitters.h"
#include "runtime/page_table.h"

namespace bantam {

// The keys and values of an engine's sequences: the states of its graph that are written cell by
// cell, in pages, with a table for each kind of window that blocks have. Blocks whose attention is
// counted keep its heavy hitters: what is a position elsewhere is a slot there.
class KvCache {
 public:
  explicit KvCache(const Graph& graph, HeavyHitters heavy = {});
  void bind(Executor& executor);
  // Whether a state of the graph is kept here.
  [[nodiscard]] bool owns(std::string_view state) const;
  // The masses f32 [S, K, C] of a state of attention_mass: read and moved with the cells.
  void use_masses(std::string_view state, const TensorView& masses);

  // Pages for tokens that are about to be written, and what they see: see PageTable. Where heavy
  // hitters are chosen a span begins. Throws ErrorKind::resource if there are too few pages;
  // nothing has changed then.
  void write(std::span<const PageTable::Span> spans);
  [[nodiscard]] bool can_go_on(int32_t sequence, int64_t position) const;
  void truncate(int32_t sequence, int64_t length);
  void share(int32_t from, int32_t to, int64_t length);

  // The cells that are needed to go on after `length` tokens, of one state after the other.
  [[nodiscard]] std::vector<std::byte> save(int32_t sequence, int64_t length) const;
  [[nodiscard]] int64_t saved_bytes(int64_t length) const;
  // Takes as many bytes back. Throws ErrorKind::resource as `write` does.
  void restore(int32_t sequence, int64_t length, std::span<const std::byte> saved);

 private:
  struct State {
    std::string name;
    TensorView pages;  // [P, K, 64, D]
    [[nodiscard]] int64_t heads() const { return pages.shape[1]; }
    [[nodiscard]] std::span<std::byte> whole(int32_t page) const;
    // The first cells of a page and head; of interleaved ones, whole groups.
    [[nodiscard]] int64_t cell_bytes(int64_t count) const;
    [[nodiscard]] std::span<std::byte> cells(int32_t page, int64_t head, int64_t count) const;
    // Copies one cell of a head to another place.
    struct Place {
      int32_t page;
      int64_t cell;
    };
    void copy_cell(int64_t head, Place from, Place to) const;
  };
  // The masses of a block, and its states.
  struct Masses {
    std::string name;
    std::vector<State> states;
    TensorView values;
  };
  // A sequence of which heavy hitters are kept, of so many slots in these pages.
  struct Choice {
    int32_t sequence;
    int64_t filled;
    std::vector<int32_t> had;
  };
  struct Pool {
    std::string table_name;
    PageTable table;
    std::vector<State> states;
    std::vector<PageTable::Copy> copies;
    std::vector<Masses> masses;
    HeavyHitters heavy;  // none where there are no masses
    std::vector<Choice> choices;
    [[nodiscard]] int64_t filled(int64_t length) const;  // cells
    int64_t write(std::span<const PageTable::Span> spans);
    void keep_heavy(const Choice& choice) const;
    void commit();
    void undo();
  };
  void find_masses(const Graph& graph, HeavyHitters heavy);
  // Makes the changes of all tables final, or takes them back and throws if pages are missing.
  template <typename Change>
  void change(const Change& each);
  template <typename Visit>
  void visit_cells(int64_t length, const Visit& visit) const;
  void allocate();

  std::vector<Pool> pools_;
  Tensor memory_;  // of all states: one block of large pages, since a step reads all of it
};

}  // namespace bantam
