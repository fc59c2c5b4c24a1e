#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"
#include "formats/gguf_value.h"
#include "tensor/tensor.h"

namespace bantam {

// One entry of a GGUF file's list of tensors.
struct GgufTensor {
  std::string name;
  uint32_t type = 0;             // GGUF's number; see gguf_tensor_type()
  std::optional<DType> dtype;    // nothing if Bantam cannot compute with this type
  Layout layout = Layout::rows;  // other than GGUF's: see kGgufInterleaved
  Shape shape;                   // row-major, innermost last: the reverse of GGUF's `ne`
  uint32_t part = 0;             // of a model in parts: which
  uint64_t offset = 0;           // from the start of the file, or of the part
  uint64_t bytes = 0;            // 0 if even the type's size is unknown
};

// A GGUF file, version 2 or 3, little-endian (https://github.com/ggml-org/ggml, docs/gguf.md).
//
//   GgufFile file = GgufFile::open("model.gguf");
//   int64_t layers = file.integer("llama.block_count");
//   double eps = file.real("llama.attention.layer_norm_rms_epsilon", 1e-5);
//   Tensor wq = file.tensor("blk.0.attn_q.weight");  // f32 [rows, columns], mapped
//
// Everything is checked by open() and parse(): lengths, counts, offsets, alignment, duplicate
// names, whole blocks, every tensor within the file. A file that breaks a rule gives one Error of
// kind `format` that names the file, the field and what was expected. Tensor data is not touched.
//
// A model in parts (gguf_split.h) is opened by the name of any of them, and is then like one file.
//
// The object owns its metadata; tensors share ownership of the mapping and may outlive it. Reading
// from several threads is safe.
class GgufFile {
 public:
  using Entry = std::pair<std::string, GgufValue>;

  static GgufFile open(const std::string& path);
  static GgufFile parse(std::shared_ptr<const MappedFile> file);
  // Memory kept alive by `owner` that starts at a multiple of 8 bytes; `name` is for messages.
  // `mapped`: pages of a file that are never written, see Tensor::wrap.
  static GgufFile parse(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                        const std::string& name, bool mapped = false);

  [[nodiscard]] uint32_t version() const { return version_; }
  [[nodiscard]] uint64_t alignment() const { return alignment_; }

  // In the order of the file.
  [[nodiscard]] std::span<const Entry> metadata() const { return metadata_; }
  [[nodiscard]] std::span<const GgufTensor> tensors() const { return tensors_; }

  // Null if absent.
  [[nodiscard]] const GgufValue* find(std::string_view key) const;
  [[nodiscard]] const GgufTensor* find_tensor(std::string_view name) const;

  // Typed access. An absent key gives the default, or throws ErrorKind::model if there is none; a
  // value of the wrong type always throws. `integer` accepts every integer type that fits, `real`
  // every number.
  [[nodiscard]] int64_t integer(std::string_view key) const;
  [[nodiscard]] int64_t integer(std::string_view key, int64_t otherwise) const;
  [[nodiscard]] double real(std::string_view key) const;
  [[nodiscard]] double real(std::string_view key, double otherwise) const;
  [[nodiscard]] bool boolean(std::string_view key) const;
  [[nodiscard]] bool boolean(std::string_view key, bool otherwise) const;
  [[nodiscard]] const std::string& text(std::string_view key) const;
  [[nodiscard]] std::string text(std::string_view key, std::string_view otherwise) const;

  // Arrays; an absent key throws (ask find() first where it is optional). A single number counts as
  // an array of one, since some files store per-layer values that way when all layers agree.
  [[nodiscard]] std::vector<int64_t> integers(std::string_view key) const;
  [[nodiscard]] std::vector<double> reals(std::string_view key) const;
  [[nodiscard]] const StringTable& strings(std::string_view key) const;

  // Throws ErrorKind::format for a value of the right type that cannot be meant.
  [[noreturn]] void refuse(std::string_view key, std::string_view expected, int64_t got) const;

  // A zero-copy, read-only view of the file that keeps the mapping alive. Throws ErrorKind::model
  // if there is no such tensor or Bantam cannot compute with its type.
  [[nodiscard]] Tensor tensor(std::string_view name) const;

 private:
  friend class GgufParser;
  struct Part {
    std::span<const std::byte> bytes;
    std::shared_ptr<const void> owner;
    bool mapped = false;  // from a file
  };
  GgufFile() = default;
  static GgufFile join(GgufFile one, const std::string& path);
  void append(GgufFile part);
  void index();
  [[nodiscard]] const GgufValue& required(std::string_view key) const;
  [[noreturn]] void wrong_type(std::string_view key, std::string_view expected) const;

  std::string where_;  // "gguf model.gguf"
  std::vector<Part> parts_;
  uint32_t version_ = 0;
  uint64_t alignment_ = 0;
  std::vector<Entry> metadata_;
  std::vector<GgufTensor> tensors_;
  // Indices in order of the names, for binary search.
  std::vector<uint32_t> metadata_order_, tensor_order_;
};

}  // namespace bantam
