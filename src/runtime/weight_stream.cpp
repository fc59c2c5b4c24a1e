#include "runtime/weight_stream.h"

#include <algorithm>

#include "base/file.h"
#include "base/pages.h"
#include "graph/op.h"
#include "runtime/engine_plans.h"

namespace bantam {

std::vector<WeightStream::Piece> WeightStream::pieces_of(const Plan& plan, const Model& model) {
  constexpr int64_t kAroundARow = 1 << 16;  // what the system maps for one access
  std::vector<Piece> pieces;
  const Graph& g = plan.graph();
  for (const Plan::Step& step : plan.steps()) {
    const std::string_view op = g.node(step.node).op->name;
    for (const Value& v : step.inputs) {
      const Node& leaf = g.node(v);
      if (leaf.op->name != "weight") continue;
      const Tensor& w = model.weights.find(leaf.name)->second;
      if (!is_streamed(w)) continue;
      int64_t most = w.bytes();
      if (op == "embedding") {
        const int64_t rows = g.shape({step.node, 0}).bind(plan.limits()).rows();
        most = std::min(most, rows * 2 * kAroundARow);
      }
      pieces.push_back({step.node,
                        {w.as<const std::byte>(), static_cast<size_t>(w.bytes())},
                        most,
                        op != "embedding" && op != "expert_linear"});
    }
  }
  return pieces;
}

WeightStream::Need WeightStream::need(const Plan& plan, const Model& model) {
  Need need;
  std::map<int32_t, int64_t> steps;
  std::map<const std::byte*, int64_t> distinct;
  for (const Piece& p : pieces_of(plan, model)) {
    steps[p.node] += p.most;
    distinct[p.bytes.data()] = static_cast<int64_t>(p.bytes.size());
  }
  for (const auto& [unused, bytes] : steps) need.least = std::max(need.least, bytes);
  for (const auto& [unused, bytes] : distinct) need.all += bytes;
  return need;
}

int64_t WeightStream::window(const Need& need, int64_t bytes) {
  return std::min(std::max(bytes, need.least), need.all);
}

WeightStream::WeightStream(const Plan& plan, const Model& model, int64_t bytes)
    : pieces_(pieces_of(plan, model)), window_(window(need(plan, model), bytes)) {
  if (!pieces_.empty()) reader_ = std::thread([this] { read_ahead(); });
}

WeightStream::~WeightStream() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  room_.notify_all();
  if (reader_.joinable()) reader_.join();
}

void WeightStream::finished(int32_t node) {
  if (pieces_.empty() || piece(done_).node != node) return;
  {
    const std::lock_guard lock(mutex_);
    const auto count = static_cast<int64_t>(pieces_.size());
    for (bool first = true; piece(done_).node == node && (first || done_ % count != 0); ++done_) {
      first = false;
      if (done_ < ahead_) held_ -= piece(done_).most;
      forget_pages(piece(done_).bytes);
      finished_ += piece(done_).most;
    }
    ahead_ = std::max(ahead_, done_);
    if (finished_ > kAround / 2) forget_surroundings();
  }
  room_.notify_one();
}

// Reading a piece also maps what lies around it in the file, of others that were let go before.
void WeightStream::forget_surroundings() {
  finished_ = 0;
  const auto count = static_cast<int64_t>(pieces_.size());
  for (int64_t i = ahead_; i < done_ + count; ++i) {
    if (piece(i).ahead) forget_pages(piece(i).bytes);
  }
}

void WeightStream::read_ahead() {
  std::unique_lock lock(mutex_);
  while (true) {
    room_.wait(lock, [&] { return stopping_ || held_ + piece(ahead_).most <= window_; });
    if (stopping_) return;
    const int64_t number = ahead_++;
    const Piece& next = piece(number);
    held_ += next.most;
    if (!next.ahead) continue;
    lock.unlock();
    fetch_pages(next.bytes);
    lock.lock();
    if (number < done_) forget_pages(next.bytes);  // the step was faster
  }
}

}  // namespace bantam
