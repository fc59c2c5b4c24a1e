#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "base/error.h"
#include "formats/llama2c.h"

// Whatever the bytes, a llama2.c file either parses, with every tensor within reach, or throws
// bantam::Error.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto words = std::make_shared<std::vector<uint64_t>>((size + 7) / 8);
  if (size > 0) std::memcpy(words->data(), data, size);
  const std::span bytes(reinterpret_cast<const std::byte*>(words->data()), size);
  try {
    const bantam::Llama2cModel model = bantam::parse_llama2c(bytes, words, "fuzz");
    for (const auto& [name, tensor] : model.tensors) {
      const auto* first = tensor.as<const volatile std::byte>();
      static_cast<void>(first[0]);
      static_cast<void>(first[tensor.bytes() - 1]);
    }
  } catch (const bantam::Error&) {
  }
  return 0;
}
