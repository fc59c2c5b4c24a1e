#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "base/error.h"
#include "formats/gguf.h"
#include "formats/gguf_writer.h"

// Whatever the bytes, GGUF either parses, with every key and tensor within reach, or throws
// bantam::Error. What parses and Bantam can write must survive the way through the writer.

namespace {

void touch_metadata(const bantam::GgufFile& file) {
  for (const auto& [key, value] : file.metadata()) {
    if (file.find(key) != &value) __builtin_trap();
    const auto attempt = [&](auto getter) {
      try {
        getter();
      } catch (const bantam::Error&) {
      }
    };
    attempt([&] { static_cast<void>(file.integer(key)); });
    attempt([&] { static_cast<void>(file.real(key)); });
    attempt([&] { static_cast<void>(file.text(key)); });
    attempt([&] { static_cast<void>(file.boolean(key)); });
    attempt([&] { static_cast<void>(file.integers(key)); });
    attempt([&] { static_cast<void>(file.reals(key)); });
    attempt([&] { static_cast<void>(file.strings(key)); });
  }
}

void touch_tensors(const bantam::GgufFile& file, bantam::GgufWriter& copy) {
  for (const bantam::GgufTensor& entry : file.tensors()) {
    if (!entry.dtype) continue;
    const bantam::Tensor tensor = file.tensor(entry.name);
    if (static_cast<uint64_t>(tensor.bytes()) != entry.bytes) __builtin_trap();
    const auto* bytes = tensor.as<const volatile std::byte>();
    static_cast<void>(bytes[0]);
    static_cast<void>(bytes[entry.bytes - 1]);
    // Many entries may point at the same large range; a copy of each would only cost time.
    if (entry.bytes <= 4096 && entry.name.size() < 64) copy.add_tensor(entry.name, tensor);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // 8-byte words give the alignment that a mapped file has.
  auto words = std::make_shared<std::vector<uint64_t>>((size + 7) / 8);
  if (size > 0) std::memcpy(words->data(), data, size);
  const std::span bytes(reinterpret_cast<const std::byte*>(words->data()), size);
  try {
    const bantam::GgufFile file = bantam::GgufFile::parse(bytes, words, "fuzz");
    bantam::GgufWriter copy;
    touch_metadata(file);
    touch_tensors(file, copy);
    for (const auto& [key, value] : file.metadata())
      if (key != "general.alignment") copy.set(key, value);
    auto again = std::make_shared<std::vector<std::byte>>(copy.bytes());
    const bantam::GgufFile second = bantam::GgufFile::parse(*again, again, "copy");
    if (second.metadata().size() > file.metadata().size()) __builtin_trap();
  } catch (const bantam::Error&) {
  }
  return 0;
}
