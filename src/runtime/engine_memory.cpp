// What an engine's sequences remember: going back, sharing, saving.
#include <algorithm>

#include "base/error.h"
#include "runtime/engine.h"
#include "runtime/kv_cache.h"

namespace bantam {

void Engine::check_sequence(int32_t sequence) const {
  if (sequence >= 0 && sequence < options_.sequences) return;
  fail(ErrorKind::usage, "engine", "sequence: expected 0 to {}, got {}", options_.sequences - 1,
       sequence);
}

const std::vector<int32_t>& Engine::text(int32_t sequence) const {
  return texts_[static_cast<size_t>(sequence)];
}

bool Engine::reaches(int32_t sequence, int64_t length) const {
  const auto have = static_cast<int64_t>(text(sequence).size());
  if (length == 0 || length == have) return true;
  return length > 0 && length < have && !recurrent() && cache_->can_go_on(sequence, length);
}

void Engine::check_can_go_on(int32_t sequence, int64_t length) const {
  if (reaches(sequence, length)) return;
  const auto have = static_cast<int64_t>(text(sequence).size());
  if (length < 0 || length > have) {
    fail(ErrorKind::usage, "engine",
         "position: expected 0 to {} (the tokens so far) in sequence {}, got {}", have, sequence,
         length);
  }
  fail(ErrorKind::usage, "engine",
       "position: expected {} in sequence {} (what came before is not kept by {}) or 0, got {}",
       have, sequence,
       options_.cache_heavy > 0 ? "a cache of heavy hitters"
       : recurrent()            ? "a recurrent model"
                                : "blocks with a window",
       length);
}

bool Engine::can_go_on(int32_t sequence, int64_t length) const {
  check_sequence(sequence);
  const std::lock_guard lock(mutex_);
  return reaches(sequence, length);
}

void Engine::truncate(int32_t sequence, int64_t length) {
  check_sequence(sequence);
  const std::lock_guard lock(mutex_);
  check_can_go_on(sequence, length);
  forget(sequence, length);
}

void Engine::forget(int32_t sequence, int64_t length) {
  cache_->truncate(sequence, length);
  texts_[static_cast<size_t>(sequence)].resize(static_cast<size_t>(length));
}

std::span<std::byte> Engine::state_of(const Tensor& state, int32_t sequence) const {
  const int64_t bytes = state.bytes() / state.shape()[0];
  return {state.as<std::byte>() + sequence * bytes, static_cast<size_t>(bytes)};
}

void Engine::share(int32_t from, int32_t to, int64_t length) {
  cache_->share(from, to, length);
  for (const Tensor& state : states_)
    std::ranges::copy(state_of(state, from), state_of(state, to).begin());
  const std::vector<int32_t>& tokens = text(from);
  texts_[static_cast<size_t>(to)].assign(tokens.begin(), tokens.begin() + length);
}

void Engine::copy(int32_t from, int32_t to, int64_t length) {
  check_sequence(from);
  check_sequence(to);
  const std::lock_guard lock(mutex_);
  check_can_go_on(from, length);
  if (from == to) return;
  share(from, to, length);
  if (reader_ != nullptr) seen_by_[static_cast<size_t>(to)] = seen_by_[static_cast<size_t>(from)];
}

int64_t Engine::share_prefix(int32_t sequence, std::span<const int32_t> wanted) {
  check_sequence(sequence);
  const std::lock_guard lock(mutex_);
  if (reader_ != nullptr) return 0;  // what a decoder keeps depends on its source, too
  int32_t best = sequence;
  int64_t longest = 0;
  for (int32_t other = 0; other < options_.sequences; ++other) {
    const std::vector<int32_t>& tokens = text(other);
    const auto end = std::ranges::mismatch(wanted, tokens).in1;
    const int64_t same = end - wanted.begin();
    if (same <= longest || !reaches(other, same)) continue;
    best = other;
    longest = same;
  }
  if (best != sequence) {
    share(best, sequence, longest);
  } else {
    forget(sequence, longest);
  }
  return longest;
}

int64_t Engine::saved_bytes(int64_t length) const {
  if (length == 0) return 0;
  int64_t bytes = cache_->saved_bytes(length);
  for (const Tensor& state : states_) bytes += state.bytes() / state.shape()[0];
  return bytes;
}

Engine::Memory Engine::save(int32_t sequence, int64_t length) const {
  check_sequence(sequence);
  const std::lock_guard lock(mutex_);
  check_can_go_on(sequence, length);
  const std::vector<int32_t>& tokens = text(sequence);
  Memory memory{{tokens.begin(), tokens.begin() + length}, {}};
  if (length == 0) return memory;
  memory.bytes = cache_->save(sequence, length);
  for (const Tensor& state : states_) {
    const auto bytes = state_of(state, sequence);
    memory.bytes.insert(memory.bytes.end(), bytes.begin(), bytes.end());
  }
  return memory;
}

void Engine::restore(int32_t sequence, const Memory& memory) {
  check_sequence(sequence);
  const std::lock_guard lock(mutex_);
  const auto length = static_cast<int64_t>(memory.tokens.size());
  if (length > options_.context ||
      static_cast<int64_t>(memory.bytes.size()) != saved_bytes(length)) {
    fail(ErrorKind::usage, "engine",
         "expected a memory of an engine with the same model and cache");
  }
  std::span<const std::byte> rest = memory.bytes;
  const auto cells = static_cast<size_t>(cache_->saved_bytes(length));
  cache_->restore(sequence, length, rest.first(cells));
  rest = rest.subspan(cells);
  for (const Tensor& state : states_) {
    if (length == 0) break;
    const auto to = state_of(state, sequence);
    std::ranges::copy(rest.first(to.size()), to.begin());
    rest = rest.subspan(to.size());
  }
  texts_[static_cast<size_t>(sequence)] = memory.tokens;
}

}  // namespace bantam
