#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"
#include "tensor/tensor.h"

namespace bantam {

// One tensor of a safetensors file.
struct SafetensorsEntry {
  std::string name;
  std::string type;            // as the file says: "F32", "BF16", "I64", ...
  std::optional<DType> dtype;  // nothing if Bantam cannot compute with this type
  Shape shape;
  uint64_t offset = 0;  // from the start of the file
  uint64_t bytes = 0;
};

// A safetensors file (https://github.com/huggingface/safetensors): u64 size of a JSON header that
// names types, shapes and offsets, then the data. Everything is checked when it is opened: sizes,
// offsets, overlaps, gaps, extents. Data is mapped, not read.
//
//   const auto file = SafetensorsFile::open("model.safetensors");
//   Tensor w = file.tensor("model.embed_tokens.weight");
//
// Throws ErrorKind::format with the file and the field. Tensors share ownership of the mapping.
class SafetensorsFile {
 public:
  static SafetensorsFile open(const std::string& path);
  // Memory kept alive by `owner`; `name` is for messages.
  static SafetensorsFile parse(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                               const std::string& name);

  [[nodiscard]] const std::vector<SafetensorsEntry>& entries() const { return entries_; }
  [[nodiscard]] const SafetensorsEntry* find(std::string_view name) const;  // null if absent
  // A read-only view, or a copy where the file does not align the data. Throws ErrorKind::model if
  // there is no such tensor or Bantam cannot compute with its type.
  [[nodiscard]] Tensor tensor(std::string_view name) const;
  // What U8, I8 or FP8 elements stand for is the caller's affair; as i8.
  [[nodiscard]] Tensor bytes(std::string_view name) const;

 private:
  [[nodiscard]] const SafetensorsEntry& required(std::string_view name) const;
  [[nodiscard]] Tensor mapped(const SafetensorsEntry& entry, DType dtype) const;
  std::string where_;
  std::span<const std::byte> bytes_;
  std::shared_ptr<const void> owner_;
  std::vector<SafetensorsEntry> entries_;  // by name
};

// The tensors of a folder: `model.safetensors`, or the shards that `model.safetensors.index.json`
// lists. Every tensor of the index must be in the shard that it names.
class SafetensorsFolder {
 public:
  static SafetensorsFolder open(const std::string& folder);

  [[nodiscard]] std::vector<std::string> names() const;  // sorted
  [[nodiscard]] bool contains(std::string_view name) const;
  [[nodiscard]] const std::string& type(std::string_view name) const;  // as the file says
  [[nodiscard]] Tensor tensor(std::string_view name) const;
  [[nodiscard]] Tensor bytes(std::string_view name) const;

 private:
  const SafetensorsFile* file_of(std::string_view name) const;
  [[nodiscard]] const SafetensorsFile& required(std::string_view name) const;
  std::string where_;
  std::vector<SafetensorsFile> files_;
};

// Writes tensors in the order given. Atomic. F32, F16, BF16, I8 and I32 only; throws
// ErrorKind::format for others and for names that occur twice.
void write_safetensors(const std::string& path,
                       const std::vector<std::pair<std::string, Tensor>>& tensors);

}  // namespace bantam
