#include <algorithm>

#include "base/error.h"
#include "models/builder.h"

// What encoder-decoders build with.

namespace bantam {

void Builder::stack(std::string_view name) {
  stack_ = name;
  first_segment_ = std::max(first_segment_, g.segment() + 1);
  g.set_segment(-1);  // what comes before its blocks belongs to none
}

void Builder::read_source() {
  text_ = source_ = text("source_", options_.source_rows);
  source_ends_ = g.input("source_ends", {DType::i32, {options_.source_rows}});
}

void Builder::write_text() {
  source_ends_ = {};
  if (builds(BuildOptions::Part::decoder)) text_ = text("", options_.rows);
}

Value Builder::source_cells(const std::function<Value()>& x, std::string_view which, int64_t heads,
                            int64_t size) {
  if (!options_.cache) {
    const int64_t length = options_.source_length;
    return ops::reshape(g, x(), {options_.source_rows.factor / length, length, heads, size});
  }
  const Value cells = source_state(fmt::format("seen.{}.{}", block_, which), heads, size, which);
  if (options_.part == BuildOptions::Part::decoder) return cells;
  const Value rows = ops::reshape(g, x(), {options_.source_rows, heads, size});
  return ops::cache_write(g, cells, which == "k" ? rotated(rows) : rows, source_.sequences,
                          source_.positions);
}

Value Builder::source_attention(Value q, Value k, Value v, double scale) {
  const Type index{DType::i32, {options_.rows}};
  const Value sources = options_.cache ? g.input("seen_sources", index) : text_.sequences;
  const Value out =
      ops::attention(g, rotated(q), k, v, sources, g.input("seen_ends", index), {.scale = scale});
  const SymShape& s = g.shape(out);
  return ops::reshape(g, out, {s[0], s[1] * s[2].factor});
}

}  // namespace bantam
