// The first byte picks the target: the rest is a llama2.c tokenizer file, or text for tokenizers
// whose round trip must give the same bytes.

#include <array>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "base/error.h"
#include "base/thread_pool.h"
#include "text/bpe_trainer.h"
#include "text/llama2c_tokenizer.h"
#include "text/tokenizer.h"
#include "text/unicode.h"

namespace {

using namespace bantam;

constexpr std::array<std::string_view, 6> kRules = {"gpt-2",  "llama-bpe", "qwen2",
                                                    "smollm", "default",   "deepseek-coder"};

void require(bool condition) {
  if (!condition) std::abort();
}

std::unique_ptr<Tokenizer> trained(std::string_view rule) {
  ThreadPool pool(1);
  const std::string_view texts[] = {
      "the cat sat on the mat, and the cat's hat is 12345 years old\n\n  the hat   \u00E4\u4E2D "
      "the mat the cat \u00E4\u4E2D 12345 sat\t\tand aaaa aaaa aaaa"};
  return make_tokenizer(train_bpe(texts, {.vocab_size = 300, .pre = std::string(rule)}, pool));
}

void round_trip(const Tokenizer& tokenizer, std::string_view text) {
  const auto ids = tokenizer.encode(text, {.special = false, .parse_special = false});
  require(tokenizer.decode(ids) == text);
  StreamDecoder stream(tokenizer);
  std::string shown;
  for (const int32_t id : ids) {
    const std::string part = stream.push(id);
    require(is_valid_utf8(part));
    shown += part;
  }
  shown += stream.finish();
  require(shown == to_valid_utf8(text));
  (void)tokenizer.encode(text);
}

void read_file(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  try {
    const auto vocab_size = static_cast<int32_t>(bytes[0]);
    const auto tokenizer =
        make_tokenizer(parse_llama2c_tokenizer(bytes.subspan(1), vocab_size, "fuzz"), "fuzz");
    // A vocabulary without bytes may lose text; it must still hold together.
    const auto ids = tokenizer->encode("the cat  sat\n\xFF\u00E4 <0x0A><s>");
    (void)tokenizer->decode(ids);
    for (int32_t id = 0; id < tokenizer->vocab_size(); ++id) (void)tokenizer->piece(id);
  } catch (const Error& error) {
    require(error.kind() == ErrorKind::format);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto tokenizers = [] {
    std::array<std::unique_ptr<Tokenizer>, kRules.size()> all;
    for (size_t i = 0; i < kRules.size(); ++i) all[i] = trained(kRules[i]);
    return all;
  }();
  if (size == 0) return 0;
  const std::span<const uint8_t> rest(data + 1, size - 1);
  const size_t target = data[0] % (kRules.size() + 1);
  if (target == kRules.size()) {
    read_file(std::as_bytes(rest));
  } else {
    round_trip(*tokenizers[target], {reinterpret_cast<const char*>(rest.data()), rest.size()});
  }
  return 0;
}
