#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <type_traits>
#include <utility>

#include "base/error.h"
#include "formats/gguf.h"
#include "formats/gguf_order.h"
#include "formats/messages.h"
#include "tensor/layout.h"

namespace bantam {

static_assert(std::endian::native == std::endian::little, "GGUF is read in place");

namespace {

constexpr size_t kMaxKeyBytes = 65535;  // by the specification
constexpr uint32_t kMaxDimensions = 4;
// The least that one entry takes in the file; counts above what is left are absurd.
constexpr uint64_t kLeastEntryBytes = 8 + 4 + 1;       // key length, type, a one-byte value
constexpr uint64_t kLeastTensorBytes = 8 + 4 + 4 + 8;  // name length, rank, type, offset

}  // namespace

// Walks over the bytes once. `field_` says where in the file we are, for messages only.
class GgufParser {
 public:
  GgufParser(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
             const std::string& name) {
    file_.where_ = "gguf " + name;
    bytes_ = bytes;
    file_.parts_.push_back({bytes, std::move(owner)});
  }

  GgufFile parse() {
    if (reinterpret_cast<uintptr_t>(bytes_.data()) % 8 != 0)
      fail(ErrorKind::usage, file_.where_, "expected memory that starts at a multiple of 8 bytes");
    const auto [tensors, entries] = header();
    metadata(entries);
    tensor_list(tensors);
    return std::move(file_);
  }
  // What parse() has read: everything but the tensors' data.
  [[nodiscard]] std::span<const std::byte> header_bytes() const { return bytes_.first(position_); }

 private:
  struct Counts {
    uint64_t tensors, entries;
  };

  template <typename... Args>
  [[noreturn]] void bad(fmt::format_string<Args...> text, Args&&... args) const {
    const std::string what = fmt::format(text, std::forward<Args>(args)...);
    if (name_.empty()) fail(ErrorKind::format, file_.where_, "{}: {}", field_, what);
    fail(ErrorKind::format, file_.where_, "{} {}: {}", field_, quoted(name_), what);
  }

  [[nodiscard]] uint64_t left() const { return bytes_.size() - position_; }

  const std::byte* take(uint64_t count) {
    if (count > left())
      bad("expected {} bytes at offset {}, but the file ends at {}", grouped(count),
          grouped(position_), grouped(bytes_.size()));
    const std::byte* start = bytes_.data() + position_;
    position_ += count;
    return start;
  }

  template <typename T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof(T)), sizeof(T));
    return value;
  }

  std::string_view string() {
    const auto length = number<uint64_t>();
    return {reinterpret_cast<const char*>(take(length)), static_cast<size_t>(length)};
  }

  // A count of things that take at least `least` bytes each.
  uint64_t count(const char* things, uint64_t least) {
    const auto value = number<uint64_t>();
    if (value > left() / least)
      bad("{} {} cannot fit into the {} bytes that are left", grouped(value), things,
          grouped(left()));
    return value;
  }

  Counts header();
  void metadata(uint64_t count);
  void tensor_list(uint64_t count);
  GgufTensor tensor_entry();
  void place(GgufTensor& tensor, uint64_t data_start);
  void refuse_overlaps();

  GgufType value_type();
  bool boolean();
  GgufValue value(GgufType type);
  GgufArray array(int depth);
  template <size_t Type>
  void read_array(GgufArray& array, int depth);
  void read_items(StringTable& items, int depth);
  template <typename T>
  void read_items(std::vector<T>& items, int depth);

  GgufFile file_;
  std::span<const std::byte> bytes_;
  uint64_t position_ = 0;
  std::string_view field_ = "header";
  std::string_view name_;
};

GgufParser::Counts GgufParser::header() {
  const std::string_view magic(reinterpret_cast<const char*>(take(4)), 4);
  if (magic == "FUGG") bad("expected a little-endian file, got a big-endian one");
  if (magic != "GGUF") bad("expected the magic bytes \"GGUF\", got {}", quoted(magic));
  file_.version_ = number<uint32_t>();
  // Big-endian files keep the magic's byte order and swap the rest.
  if (file_.version_ != 0 && (file_.version_ & 0xffff) == 0)
    bad("expected a little-endian file, got a big-endian one");
  if (file_.version_ != 2 && file_.version_ != 3)
    bad("expected version 2 or 3, got {}", file_.version_);
  const uint64_t tensors = count("tensors", kLeastTensorBytes);
  return {tensors, count("metadata entries", kLeastEntryBytes)};
}

GgufType GgufParser::value_type() {
  const auto type = number<uint32_t>();
  if (type >= kGgufTypes) bad("expected a value type below {}, got {}", kGgufTypes, type);
  return static_cast<GgufType>(type);
}

bool GgufParser::boolean() {
  const auto byte = number<uint8_t>();
  if (byte > 1) bad("expected a bool of 0 or 1, got {}", byte);
  return byte == 1;
}

GgufValue GgufParser::value(GgufType type) {
  switch (type) {
    case GgufType::u8:
      return number<uint8_t>();
    case GgufType::i8:
      return number<int8_t>();
    case GgufType::u16:
      return number<uint16_t>();
    case GgufType::i16:
      return number<int16_t>();
    case GgufType::u32:
      return number<uint32_t>();
    case GgufType::i32:
      return number<int32_t>();
    case GgufType::f32:
      return number<float>();
    case GgufType::boolean:
      return boolean();
    case GgufType::string:
      return std::string(string());
    case GgufType::array:
      return array(1);
    case GgufType::u64:
      return number<uint64_t>();
    case GgufType::i64:
      return number<int64_t>();
    case GgufType::f64:
      return number<double>();
  }
  bad("expected a value type");
}

void GgufParser::read_items(StringTable& items, int) {
  const uint64_t n = count("strings", 8);
  items.reserve(n);
  for (uint64_t i = 0; i < n; ++i) items.push_back(string());
  items.shrink_to_fit();
}

template <typename T>
void GgufParser::read_items(std::vector<T>& items, int depth) {
  if constexpr (std::is_same_v<T, GgufArray>) {
    const uint64_t n = count("arrays", 4 + 8);
    items.reserve(n);
    for (uint64_t i = 0; i < n; ++i) items.push_back(array(depth + 1));
  } else if constexpr (std::is_same_v<T, bool>) {
    const uint64_t n = count("bools", 1);
    items.reserve(n);
    for (uint64_t i = 0; i < n; ++i) items.push_back(boolean());
  } else {
    const uint64_t n = count("numbers", sizeof(T));
    items.resize(n);
    const std::byte* source = take(n * sizeof(T));
    if (n > 0) std::memcpy(items.data(), source, n * sizeof(T));
  }
}

template <size_t Type>
void GgufParser::read_array(GgufArray& array, int depth) {
  read_items(array.items.emplace<Type>(), depth);
}

GgufArray GgufParser::array(int depth) {
  if (depth > kGgufArrayDepth) bad("expected arrays nested at most {} deep", kGgufArrayDepth);
  const auto type = static_cast<size_t>(value_type());
  GgufArray result;
  [&]<size_t... I>(std::index_sequence<I...>) {
    ((type == I ? read_array<I>(result, depth) : void()), ...);
  }(std::make_index_sequence<kGgufTypes>());
  return result;
}

void GgufParser::metadata(uint64_t count) {
  file_.metadata_.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    field_ = "metadata key";
    name_ = {};
    const std::string_view key = string();
    name_ = key;
    if (key.empty() || key.size() > kMaxKeyBytes)
      bad("expected a key of 1 to {} bytes, got {}", grouped(kMaxKeyBytes), grouped(key.size()));
    GgufValue read = value(value_type());
    file_.metadata_.emplace_back(std::string(key), std::move(read));
  }
  name_ = {};
  file_.metadata_order_ = order_by_name(
      count, [this](uint32_t i) -> const std::string& { return file_.metadata_[i].first; },
      [this](uint32_t i) {
        name_ = file_.metadata_[i].first;
        bad("expected each key once, got it twice");
      });

  file_.alignment_ = kGgufDefaultAlignment;
  if (const GgufValue* given = file_.find("general.alignment")) {
    name_ = "general.alignment";
    const auto* alignment = std::get_if<uint32_t>(given);
    if (!alignment) bad("expected u32, got {}", gguf_type_name(*given));
    if (!gguf_alignment_allowed(*alignment))
      bad("expected a power of two from {} to {}, got {}", kGgufLeastAlignment, kGgufMostAlignment,
          *alignment);
    file_.alignment_ = *alignment;
    name_ = {};
  }
}

GgufTensor GgufParser::tensor_entry() {
  field_ = "tensor";
  name_ = {};
  GgufTensor tensor;
  const std::string_view name = string();
  name_ = name;
  if (name.empty()) bad("expected a name, got an empty one");
  tensor.name = name;
  const auto rank = number<uint32_t>();
  if (rank > kMaxDimensions) bad("expected at most {} dimensions, got {}", kMaxDimensions, rank);
  std::array<int64_t, kMaxDimensions> dims{};
  for (uint32_t i = 0; i < rank; ++i) {
    const auto extent = number<uint64_t>();
    if (extent == 0 || !std::in_range<int64_t>(extent))
      bad("expected extents of 1 to 2^63 - 1, got {}", extent);
    dims[rank - 1 - i] = static_cast<int64_t>(extent);
  }
  tensor.shape = Shape(std::span<const int64_t>(dims).first(rank));
  tensor.type = number<uint32_t>();
  tensor.dtype = dtype_from_gguf(tensor.type);
  if (tensor.type >= kGgufInterleaved) {
    const auto type = tensor.type - kGgufInterleaved;
    const auto dtype = dtype_from_gguf(type);
    if (dtype && can_interleave(*dtype, tensor.shape)) {
      tensor.type = type;
      tensor.dtype = dtype;
      tensor.layout = Layout::interleaved;
    }
  }
  tensor.offset = number<uint64_t>();
  return tensor;
}

// Turns the offset into one from the start of the file, works out the size, and checks both.
void GgufParser::place(GgufTensor& tensor, uint64_t data_start) {
  name_ = tensor.name;
  const uint64_t size = bytes_.size();
  uint64_t elements = 1;
  for (int axis = 0; axis < tensor.shape.rank(); ++axis) {
    // 2^50 elements times the bytes of any block still fit into 64 bits.
    const auto extent = static_cast<uint64_t>(tensor.shape[axis]);
    if (__builtin_mul_overflow(elements, extent, &elements) || elements >> 50 != 0)
      bad("shape {} is larger than any file", tensor.shape.str());
  }
  if (tensor.offset % file_.alignment_ != 0)
    bad("expected an offset that is a multiple of {}, got {}", file_.alignment_, tensor.offset);
  if (data_start > size || tensor.offset > size - data_start)
    bad("offset {} lies outside the file ({} bytes)", tensor.offset, grouped(size));
  tensor.offset += data_start;

  const GgufTensorType* type = gguf_tensor_type(tensor.type);
  if (!type) return;
  const auto block = static_cast<uint64_t>(type->block_length);
  const uint64_t row = tensor.shape.rank() == 0 ? 1 : static_cast<uint64_t>(tensor.shape[-1]);
  if (row % block != 0)
    bad("expected rows of whole {} blocks of {}, got a row of {}", type->name, block, row);
  tensor.bytes = elements / block * static_cast<uint64_t>(type->block_bytes);
  if (tensor.bytes > size - tensor.offset)
    bad("{} bytes at offset {} reach beyond the end of the file ({} bytes)", grouped(tensor.bytes),
        grouped(tensor.offset), grouped(size));
}

void GgufParser::tensor_list(uint64_t count) {
  file_.tensors_.reserve(count);
  for (uint64_t i = 0; i < count; ++i) file_.tensors_.push_back(tensor_entry());
  name_ = {};
  file_.tensor_order_ = order_by_name(
      count, [this](uint32_t i) -> const std::string& { return file_.tensors_[i].name; },
      [this](uint32_t i) {
        name_ = file_.tensors_[i].name;
        bad("expected each name once, got it twice");
      });
  const uint64_t data_start =
      (position_ + file_.alignment_ - 1) / file_.alignment_ * file_.alignment_;
  for (GgufTensor& tensor : file_.tensors_) place(tensor, data_start);
  refuse_overlaps();
}

void GgufParser::refuse_overlaps() {
  std::vector<const GgufTensor*> order;
  for (const GgufTensor& tensor : file_.tensors_) {
    if (tensor.bytes > 0) order.push_back(&tensor);
  }
  std::ranges::sort(order, {}, &GgufTensor::offset);
  for (size_t i = 1; i < order.size(); ++i) {
    if (order[i]->offset - order[i - 1]->offset >= order[i - 1]->bytes) continue;
    name_ = order[i]->name;
    bad("its data overlap those of \"{}\"", order[i - 1]->name);
  }
}

GgufFile GgufFile::parse(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                         const std::string& name, bool mapped) {
  GgufParser parser(bytes, std::move(owner), name);
  GgufFile file = parser.parse();
  file.parts_.front().mapped = mapped;
  if (mapped) forget_pages(parser.header_bytes());  // all of it has been copied
  return file;
}

}  // namespace bantam
