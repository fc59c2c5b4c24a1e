#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/gguf_value.h"
#include "tensor/tensor.h"

namespace bantam {

class AtomicFile;

// Writes GGUF version 3. Keys and tensors appear in the order in which they were given, so that the
// same calls give the same bytes.
//
//   GgufWriter out;
//   out.set("general.architecture", "llama");
//   out.set("llama.block_count", uint32_t{22});
//   out.add_tensor("output_norm.weight", norm);
//   out.add_tensor("output.weight", DType::q4_k, {32000, 2048}, [&](const auto& emit) {
//     for (int64_t row = 0; row < 32000; ++row) emit(quantised(row));
//   });
//   out.write("model.gguf");
//
// The type of a value in the file follows from its C++ type: other runtimes expect uint32_t for
// counts and float for constants. Tensor data is aligned to 32 bytes, or to "general.alignment"
// (uint32_t) where that key was set.
class GgufWriter {
 public:
  using Emit = std::function<void(std::span<const std::byte>)>;
  // Emits a tensor's bytes in as many pieces as it likes.
  using Producer = std::function<void(const Emit&)>;

  // Replaces the value, in its place, if the key was set before. Throws ErrorKind::format for a key
  // that GGUF does not allow (empty, longer than 65,535 bytes).
  void set(std::string_view key, GgufValue value);

  // Shares the tensor's storage until the writer is gone.
  void add_tensor(std::string_view name, const Tensor& tensor);
  // Calls `producer` when the file is written, which keeps no more than its pieces in memory.
  // All add_tensor throw ErrorKind::format for a name given twice or longer than 63 bytes, for rows
  // of broken blocks, more than 4 dimensions, empty extents, and types that GGUF does not have:
  // other readers refuse such files.
  void add_tensor(std::string_view name, DType dtype, const Shape& shape, Producer producer);

  // Writes atomically: the file appears when it is complete.
  void write(const std::string& path) const;
  void write(AtomicFile& file) const;  // leaves the commit to the caller
  // The same bytes in memory.
  [[nodiscard]] std::vector<std::byte> bytes() const;

  // Itself, or the parts of a split model with at most `bytes` of tensor data each, one tensor at
  // least (see gguf_split.h).
  [[nodiscard]] std::vector<GgufWriter> split(uint64_t bytes) const;

 private:
  struct Entry {
    std::string name;
    DType dtype;
    Shape shape;
    uint64_t bytes;
    Producer producer;
    Layout layout = Layout::rows;
  };
  [[nodiscard]] uint64_t alignment() const;
  [[nodiscard]] std::string header(uint64_t alignment) const;
  void emit(const Emit& emit) const;

  std::vector<std::pair<std::string, GgufValue>> metadata_;
  std::vector<Entry> tensors_;
};

}  // namespace bantam
