// Whatever the bytes, safetensors either parses, with every tensor within reach, or throws.

#include <cstring>
#include <memory>

#include "base/error.h"
#include "formats/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto words = std::make_shared<std::vector<uint64_t>>((size + 7) / 8);
  if (size > 0) std::memcpy(words->data(), data, size);
  const std::span bytes(reinterpret_cast<const std::byte*>(words->data()), size);
  try {
    const auto file = bantam::SafetensorsFile::parse(bytes, words, "fuzz");
    for (const bantam::SafetensorsEntry& entry : file.entries()) {
      if (file.find(entry.name) == nullptr) __builtin_trap();
      if (!entry.dtype || entry.bytes == 0) continue;
      const bantam::Tensor tensor = file.tensor(entry.name);
      if (static_cast<uint64_t>(tensor.bytes()) != entry.bytes) __builtin_trap();
      const auto* first = tensor.as<const volatile std::byte>();
      static_cast<void>(first[0]);
      static_cast<void>(first[entry.bytes - 1]);
    }
  } catch (const bantam::Error&) {
  }
  return 0;
}
