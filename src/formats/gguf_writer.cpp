#include "formats/gguf_writer.h"

#include <algorithm>
#include <type_traits>

#include "base/error.h"
#include "base/file.h"
#include "formats/messages.h"

namespace bantam {
namespace {

constexpr std::string_view kWhere = "gguf writer";
constexpr size_t kMaxKeyBytes = 65535;
constexpr size_t kMaxNameBytes = 63;  // ggml keeps names in 64 bytes with a final zero
constexpr int kMaxDimensions = 4;

template <typename T>
void put(std::string& out, T number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof(T));
}

void put_string(std::string& out, std::string_view text) {
  put(out, static_cast<uint64_t>(text.size()));
  out += text;
}

void put_array(std::string& out, const GgufArray& array, int depth);

void put_items(std::string& out, const StringTable& items, int) {
  put(out, static_cast<uint64_t>(items.size()));
  for (const std::string_view item : items) put_string(out, item);
}

template <typename T>
void put_items(std::string& out, const std::vector<T>& items, int depth) {
  put(out, static_cast<uint64_t>(items.size()));
  if constexpr (std::is_same_v<T, GgufArray>) {
    for (const GgufArray& item : items) put_array(out, item, depth + 1);
  } else if constexpr (std::is_same_v<T, bool>) {
    for (const bool item : items) put(out, static_cast<uint8_t>(item));
  } else {
    out.append(reinterpret_cast<const char*>(items.data()), items.size() * sizeof(T));
  }
}

void put_array(std::string& out, const GgufArray& array, int depth) {
  if (depth > kGgufArrayDepth)
    fail(ErrorKind::format, kWhere, "expected arrays nested at most {} deep", kGgufArrayDepth);
  put(out, static_cast<uint32_t>(array.element_type()));
  std::visit([&](const auto& items) { put_items(out, items, depth); }, array.items);
}

void put_value(std::string& out, const GgufValue& value) {
  put(out, static_cast<uint32_t>(gguf_type(value)));
  std::visit(
      [&](const auto& v) {
        using T = std::remove_cvref_t<decltype(v)>;
        if constexpr (std::is_same_v<T, std::string>) {
          put_string(out, v);
        } else if constexpr (std::is_same_v<T, GgufArray>) {
          put_array(out, v, 1);
        } else if constexpr (std::is_same_v<T, bool>) {
          put(out, static_cast<uint8_t>(v));
        } else {
          put(out, v);
        }
      },
      value);
}

uint64_t aligned(uint64_t size, uint64_t alignment) {
  return (size + alignment - 1) / alignment * alignment;
}

}  // namespace

void GgufWriter::set(std::string_view key, GgufValue value) {
  if (key.empty() || key.size() > kMaxKeyBytes)
    fail(ErrorKind::format, kWhere, "metadata key {}: expected 1 to {} bytes, got {}", quoted(key),
         grouped(kMaxKeyBytes), grouped(key.size()));
  for (auto& [known, old] : metadata_) {
    if (known == key) {
      old = std::move(value);
      return;
    }
  }
  metadata_.emplace_back(std::string(key), std::move(value));
}

void GgufWriter::add_tensor(std::string_view name, const Tensor& tensor) {
  add_tensor(name, tensor.dtype(), tensor.shape(), [tensor](const Emit& emit) {
    emit({tensor.as<const std::byte>(), static_cast<size_t>(tensor.bytes())});
  });
  tensors_.back().layout = tensor.layout();
}

void GgufWriter::add_tensor(std::string_view name, DType dtype, const Shape& shape,
                            Producer producer) {
  const auto bad = [name](std::string_view expected, const auto& got) {
    fail(ErrorKind::format, kWhere, "tensor {}: expected {}, got {}", quoted(name), expected, got);
  };
  const DTypeInfo& info = dtype_info(dtype);
  if (name.empty() || name.size() > kMaxNameBytes)
    bad("a name of 1 to 63 bytes, as other readers do", name.size());
  if (std::ranges::any_of(tensors_, [&](const Entry& known) { return known.name == name; }))
    bad("each name once", "it twice");
  if (info.gguf_id < 0) bad("a type that GGUF has", info.name);
  if (shape.rank() > kMaxDimensions) bad("at most 4 dimensions", shape.str());
  for (int axis = 0; axis < shape.rank(); ++axis)
    if (shape[axis] < 1) bad("no empty extents", shape.str());
  const int64_t row = shape.rank() == 0 ? 1 : shape[-1];
  if (row % info.block_length != 0)
    bad(fmt::format("rows of whole {} blocks of {}", info.name, info.block_length), shape.str());
  const auto bytes = static_cast<uint64_t>(shape.elements() / row * row_bytes(dtype, row));
  tensors_.push_back({std::string(name), dtype, shape, bytes, std::move(producer)});
}

uint64_t GgufWriter::alignment() const {
  constexpr std::string_view kKey = "general.alignment";
  for (const auto& [key, value] : metadata_) {
    if (key != kKey) continue;
    const auto* given = std::get_if<uint32_t>(&value);
    if (!given || !gguf_alignment_allowed(*given))
      fail(ErrorKind::format, kWhere, "{}: expected u32, a power of two from {} to {}", kKey,
           kGgufLeastAlignment, kGgufMostAlignment);
    return *given;
  }
  return kGgufDefaultAlignment;
}

// All that stands before the tensor data, padded to its start.
std::string GgufWriter::header(uint64_t alignment) const {
  std::string out = "GGUF";
  put(out, uint32_t{3});
  put(out, static_cast<uint64_t>(tensors_.size()));
  put(out, static_cast<uint64_t>(metadata_.size()));
  for (const auto& [key, value] : metadata_) {
    put_string(out, key);
    put_value(out, value);
  }
  uint64_t offset = 0;
  for (const Entry& tensor : tensors_) {
    put_string(out, tensor.name);
    put(out, static_cast<uint32_t>(tensor.shape.rank()));
    for (int axis = tensor.shape.rank() - 1; axis >= 0; --axis)
      put(out, static_cast<uint64_t>(tensor.shape[axis]));
    const uint32_t layout = tensor.layout == Layout::interleaved ? kGgufInterleaved : 0;
    put(out, static_cast<uint32_t>(dtype_info(tensor.dtype).gguf_id) + layout);
    put(out, offset);
    offset += aligned(tensor.bytes, alignment);
  }
  out.resize(aligned(out.size(), alignment));
  return out;
}

void GgufWriter::emit(const Emit& emit) const {
  const uint64_t alignment = this->alignment();
  const std::string head = header(alignment);
  emit(std::as_bytes(std::span(head)));
  const std::vector<std::byte> zeros(alignment);
  for (const Entry& tensor : tensors_) {
    uint64_t written = 0;
    tensor.producer([&](std::span<const std::byte> piece) {
      written += piece.size();
      emit(piece);
    });
    if (written != tensor.bytes)
      fail(ErrorKind::internal, kWhere, "tensor {}: expected {} bytes from its producer, got {}",
           quoted(tensor.name), tensor.bytes, written);
    emit(std::span(zeros).first(aligned(written, alignment) - written));
  }
}

void GgufWriter::write(const std::string& path) const {
  AtomicFile file(path);
  write(file);
  file.commit();
}

void GgufWriter::write(AtomicFile& file) const {
  emit([&](std::span<const std::byte> piece) { file.write(piece); });
}

std::vector<GgufWriter> GgufWriter::split(uint64_t bytes) const {
  std::vector<GgufWriter> parts(1);
  uint64_t used = 0;
  for (const Entry& tensor : tensors_) {
    const uint64_t size = aligned(tensor.bytes, alignment());
    if (used > 0 && size > bytes - std::min(used, bytes)) {
      parts.emplace_back();
      used = 0;
    }
    parts.back().tensors_.push_back(tensor);
    used += size;
  }
  parts[0].metadata_ = metadata_;
  if (parts.size() == 1) return parts;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0 && alignment() != kGgufDefaultAlignment)
      parts[i].set("general.alignment", static_cast<uint32_t>(alignment()));
    parts[i].set("split.no", static_cast<uint16_t>(i));
    parts[i].set("split.count", static_cast<uint16_t>(parts.size()));
    parts[i].set("split.tensors.count", static_cast<int32_t>(tensors_.size()));
  }
  return parts;
}

std::vector<std::byte> GgufWriter::bytes() const {
  std::vector<std::byte> result;
  emit([&](std::span<const std::byte> piece) {
    result.insert(result.end(), piece.begin(), piece.end());
  });
  return result;
}

}  // namespace bantam
