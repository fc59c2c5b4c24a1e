// Encoding and training on text made of random words with frequencies as 1/rank, as in language.

#include <benchmark/benchmark.h>

#include <cmath>

#include "base/random.h"
#include "text/bpe_trainer.h"
#include "text/tokenizer.h"

namespace bantam {
namespace {

std::string zipf_text(size_t bytes) {
  constexpr uint32_t kWords = 50000;
  Random random(1);
  std::vector<std::string> dictionary(kWords);
  for (std::string& word : dictionary) {
    for (uint32_t n = 2 + random.below(9); n > 0; --n) {
      const float u = random.uniform();
      word += static_cast<char>('a' + static_cast<int>(26 * u * u));
    }
  }
  std::string text;
  text.reserve(bytes + 16);
  while (text.size() < bytes) {
    const double rank = std::pow(static_cast<double>(kWords), random.uniform());
    text += dictionary[static_cast<size_t>(rank) % kWords];
    text += random.below(12) == 0 ? ".\n" : " ";
  }
  return text;
}

void TrainBpe(benchmark::State& state) {
  const std::string text = zipf_text(static_cast<size_t>(state.range(0)) << 20);
  const std::string_view texts[] = {text};
  ThreadPool pool(2);
  for (auto _ : state) {
    benchmark::DoNotOptimize(train_bpe(texts, {.vocab_size = 8192}, pool));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(text.size()));
}
BENCHMARK(TrainBpe)->Arg(4)->Arg(20)->Unit(benchmark::kMillisecond)->UseRealTime();

void EncodeText(benchmark::State& state) {
  const std::string text = zipf_text(size_t{1} << 21);
  const std::string_view texts[] = {text};
  ThreadPool pool(1);
  const auto tokenizer = make_tokenizer(train_bpe(texts, {.vocab_size = 8192}, pool));
  for (auto _ : state) benchmark::DoNotOptimize(tokenizer->encode(text));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(text.size()));
}
BENCHMARK(EncodeText)->Unit(benchmark::kMillisecond);

void EncodeOneWord(benchmark::State& state) {
  const std::string text = zipf_text(size_t{1} << 20);
  const std::string_view texts[] = {text};
  ThreadPool pool(1);
  const auto tokenizer = make_tokenizer(train_bpe(texts, {.vocab_size = 8192}, pool));
  std::string word;
  for (const char c : text.substr(0, static_cast<size_t>(state.range(0)))) {
    if (c >= 'a' && c <= 'z') word += c;
  }
  for (auto _ : state) benchmark::DoNotOptimize(tokenizer->encode(word));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(word.size()));
}
BENCHMARK(EncodeOneWord)->Arg(1 << 10)->Arg(1 << 16)->Arg(1 << 20)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace bantam
