#include "formats/safetensors.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <set>

#include "base/error.h"
#include "base/json_field.h"
#include "formats/messages.h"

namespace bantam {

namespace {

constexpr uint64_t kMaxHeader = 100'000'000;  // what the format allows
constexpr size_t kMaxTensors = 1'000'000;

struct Type {
  std::string_view name;
  uint64_t bytes;
  std::optional<DType> dtype;
};
constexpr Type kTypes[] = {
    {"F32", 4, DType::f32},    {"F16", 2, DType::f16},       {"BF16", 2, DType::bf16},
    {"I32", 4, DType::i32},    {"I8", 1, DType::i8},         {"F64", 8, std::nullopt},
    {"I64", 8, std::nullopt},  {"I16", 2, std::nullopt},     {"U64", 8, std::nullopt},
    {"U32", 4, std::nullopt},  {"U16", 2, std::nullopt},     {"U8", 1, std::nullopt},
    {"BOOL", 1, std::nullopt}, {"F8_E4M3", 1, std::nullopt}, {"F8_E5M2", 1, std::nullopt}};

uint64_t read_u64(std::span<const std::byte> bytes) {
  uint64_t value = 0;
  for (size_t i = 8; i-- > 0;) value = value << 8 | static_cast<uint64_t>(bytes[i]);
  return value;
}

SafetensorsEntry parse_entry(const std::string& name, const JsonField& field, uint64_t data_start,
                             uint64_t data_bytes) {
  SafetensorsEntry entry;
  entry.name = name;
  entry.type = field["dtype"].text();
  const auto* type = std::ranges::find(kTypes, entry.type, &Type::name);
  if (type == std::end(kTypes)) field["dtype"].wrong("F32, F16, BF16, I64, ...");
  entry.dtype = type->dtype;
  std::vector<int64_t> dims;
  uint64_t bytes = type->bytes;
  if (!field["shape"].is_array()) field["shape"].wrong("an array of extents");
  for (const JsonField& extent : field["shape"].items()) {
    dims.push_back(extent.integer());
    if (dims.back() < 0 ||
        __builtin_mul_overflow(bytes, static_cast<uint64_t>(dims.back()), &bytes)) {
      extent.wrong("an extent that fits the file");
    }
  }
  if (dims.size() > kMaxRank) field["shape"].wrong(fmt::format("at most {} extents", kMaxRank));
  entry.shape = Shape(dims);
  const auto offsets = field["data_offsets"].items();
  if (offsets.size() != 2) field["data_offsets"].wrong("a begin and an end");
  const int64_t begin = offsets[0].integer();
  const int64_t end = offsets[1].integer();
  if (begin < 0 || end < begin || static_cast<uint64_t>(end) > data_bytes) {
    offsets[1].wrong(fmt::format("offsets in order and within {} bytes of data", data_bytes));
  }
  entry.offset = data_start + static_cast<uint64_t>(begin);
  entry.bytes = static_cast<uint64_t>(end - begin);
  if (entry.bytes != bytes) {
    fail(ErrorKind::format, field.file(), "{}: expected {} bytes for {} of shape {}, got {}",
         field["data_offsets"].path(), bytes, entry.type, entry.shape.str(), entry.bytes);
  }
  return entry;
}

// The JSON parser keeps the last of two members with the same name.
void refuse_duplicates(std::string_view text, std::string_view where) {
  std::set<std::string> names;
  const auto see = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& key) {
    const bool name = depth == 1 && event == nlohmann::json::parse_event_t::key;
    if (name && !names.insert(key.get<std::string>()).second) {
      fail(ErrorKind::format, where, "tensor {}: expected one description, got two",
           bantam::quoted(key.get<std::string>()));
    }
    return true;
  };
  [[maybe_unused]] const auto unused = nlohmann::json::parse(text, see);
}

void check_layout(const std::vector<SafetensorsEntry>& entries, uint64_t data_start,
                  uint64_t file_bytes, std::string_view where) {
  std::vector<const SafetensorsEntry*> order;
  order.reserve(entries.size());
  for (const SafetensorsEntry& e : entries) order.push_back(&e);
  std::ranges::sort(order, {}, [](const auto* e) { return std::pair(e->offset, e->bytes); });
  uint64_t end = data_start;
  for (const SafetensorsEntry* e : order) {
    if (e->offset != end) {
      fail(ErrorKind::format, where, "tensor {}: expected data at offset {}, got {}",
           bantam::quoted(e->name), end, e->offset);
    }
    end += e->bytes;
  }
  if (end != file_bytes) {
    fail(ErrorKind::format, where, "expected {} bytes, got {}", grouped(end), grouped(file_bytes));
  }
}

// Pickled files are programs; nothing here runs them.
void refuse_other_weights(const std::string& folder) {
  for (const char* name : {"pytorch_model.bin", "pytorch_model.bin.index.json", "tf_model.h5",
                           "flax_model.msgpack", "consolidated.00.pth"}) {
    if (!std::filesystem::exists(folder + "/" + name)) continue;
    fail(ErrorKind::file, folder, "expected model.safetensors, got {} only", name);
  }
}

}  // namespace

SafetensorsFile SafetensorsFile::open(const std::string& path) {
  const auto file = MappedFile::open(path);
  return parse(file->bytes(), file, path);
}

SafetensorsFile SafetensorsFile::parse(std::span<const std::byte> bytes,
                                       std::shared_ptr<const void> owner, const std::string& name) {
  SafetensorsFile file;
  file.where_ = name;
  file.bytes_ = bytes;
  file.owner_ = std::move(owner);
  if (bytes.size() < 8) {
    fail(ErrorKind::format, name, "expected 8 bytes with the size of the header, got {}",
         bytes.size());
  }
  const uint64_t header = read_u64(bytes);
  if (header > kMaxHeader || header > bytes.size() - 8) {
    fail(ErrorKind::format, name, "expected a header within {} bytes, got one of {} bytes",
         grouped(bytes.size()), grouped(header));
  }
  const uint64_t start = 8 + header;
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + 8, header);
  const auto document = parse_json(text, name);
  const JsonField root(document, name);
  if (!root.is_object() || document.size() > kMaxTensors) root.wrong("an object of tensors");
  refuse_duplicates(text, name);
  for (const auto& [key, value] : document.items()) {
    if (key == "__metadata__") continue;
    file.entries_.push_back(parse_entry(key, root[key], start, bytes.size() - start));
  }
  std::ranges::sort(file.entries_, {}, &SafetensorsEntry::name);
  check_layout(file.entries_, start, bytes.size(), name);
  return file;
}

const SafetensorsEntry* SafetensorsFile::find(std::string_view name) const {
  const auto it = std::ranges::lower_bound(
      entries_, name, {}, [](const SafetensorsEntry& e) { return std::string_view(e.name); });
  return it != entries_.end() && it->name == name ? &*it : nullptr;
}

const SafetensorsEntry& SafetensorsFile::required(std::string_view name) const {
  const SafetensorsEntry* entry = find(name);
  if (entry == nullptr)
    fail(ErrorKind::model, where_, "expected a tensor {}, got none", bantam::quoted(name));
  return *entry;
}

Tensor SafetensorsFile::mapped(const SafetensorsEntry& entry, DType dtype) const {
  const std::byte* data = bytes_.data() + entry.offset;
  // Writers align the header to 8 bytes, but nothing says that they must.
  const auto alignment = static_cast<uintptr_t>(dtype_info(dtype).block_bytes);
  if (reinterpret_cast<uintptr_t>(data) % alignment == 0) {
    return Tensor::wrap(dtype, entry.shape, data, owner_);
  }
  Tensor copy = Tensor::zeros(dtype, entry.shape);
  if (entry.bytes > 0) std::memcpy(copy.data(), data, entry.bytes);
  return copy;
}

Tensor SafetensorsFile::tensor(std::string_view name) const {
  const SafetensorsEntry& entry = required(name);
  if (!entry.dtype) {
    fail(ErrorKind::model, where_, "tensor {}: expected F32, F16, BF16, I32 or I8, got {}",
         bantam::quoted(name), entry.type);
  }
  return mapped(entry, *entry.dtype);
}

Tensor SafetensorsFile::bytes(std::string_view name) const {
  const SafetensorsEntry& entry = required(name);
  if (entry.type != "U8" && entry.type != "I8" && !entry.type.starts_with("F8_")) {
    fail(ErrorKind::model, where_, "tensor {}: expected U8, got {}", bantam::quoted(name),
         entry.type);
  }
  return mapped(entry, DType::i8);
}

SafetensorsFolder SafetensorsFolder::open(const std::string& folder) {
  namespace fs = std::filesystem;
  SafetensorsFolder all;
  all.where_ = folder;
  const std::string index = folder + "/model.safetensors.index.json";
  if (!fs::exists(index)) {
    const std::string single = folder + "/model.safetensors";
    if (!fs::exists(single)) refuse_other_weights(folder);
    all.files_.push_back(SafetensorsFile::open(single));
    return all;
  }
  const auto document = parse_json(read_text_file(index), index);
  const JsonField map = JsonField(document, index)["weight_map"];
  if (!map.is_object()) map.wrong("an object of tensors and files");
  std::set<std::string> shards;
  for (const auto& [name, shard] : map.json().items()) {
    const std::string& file = map[name].text();
    if (file.empty() || file.find('/') != file.npos || file.find('\0') != file.npos ||
        file.starts_with('.')) {
      map[name].wrong("the name of a file in the same folder");
    }
    shards.insert(file);
  }
  const std::string inside = folder + "/";
  for (const std::string& shard : shards) {
    all.files_.push_back(SafetensorsFile::open(inside + shard));
  }
  for (const auto& [name, shard] : map.json().items()) {
    const auto position = std::distance(shards.begin(), shards.find(shard.get<std::string>()));
    if (all.files_[static_cast<size_t>(position)].find(name) == nullptr) {
      fail(ErrorKind::format, index, "weight_map: expected tensor {} in {}, got none",
           bantam::quoted(name), shard.get<std::string>());
    }
  }
  // What the index does not say is no part of the model, or stands in another shard too.
  for (const std::string& shard : shards) {
    const auto position = std::distance(shards.begin(), shards.find(shard));
    for (const SafetensorsEntry& e : all.files_[static_cast<size_t>(position)].entries()) {
      const JsonField listed = map[e.name];
      if (listed && listed.text() == shard) continue;
      fail(ErrorKind::format, index,
           "weight_map: expected {} for tensor {}, which it holds, got {}", shard,
           bantam::quoted(e.name), listed ? listed.text() : "nothing");
    }
  }
  return all;
}

const SafetensorsFile* SafetensorsFolder::file_of(std::string_view name) const {
  for (const SafetensorsFile& file : files_) {
    if (file.find(name) != nullptr) return &file;
  }
  return nullptr;
}

std::vector<std::string> SafetensorsFolder::names() const {
  std::set<std::string> names;
  for (const SafetensorsFile& file : files_) {
    for (const SafetensorsEntry& entry : file.entries()) names.insert(entry.name);
  }
  return {names.begin(), names.end()};
}

bool SafetensorsFolder::contains(std::string_view name) const {
  return file_of(name) != nullptr;
}

const SafetensorsFile& SafetensorsFolder::required(std::string_view name) const {
  const SafetensorsFile* file = file_of(name);
  if (file == nullptr) {
    fail(ErrorKind::model, where_, "expected a tensor {} in the safetensors files, got none",
         bantam::quoted(name));
  }
  return *file;
}

const std::string& SafetensorsFolder::type(std::string_view name) const {
  return required(name).find(name)->type;
}

Tensor SafetensorsFolder::tensor(std::string_view name) const {
  return required(name).tensor(name);
}

Tensor SafetensorsFolder::bytes(std::string_view name) const {
  return required(name).bytes(name);
}

void write_safetensors(const std::string& path,
                       const std::vector<std::pair<std::string, Tensor>>& tensors) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  header["__metadata__"] = {{"format", "pt"}};
  uint64_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    const auto* type = std::ranges::find(kTypes, std::optional(tensor.dtype()), &Type::dtype);
    if (type == std::end(kTypes)) {
      fail(ErrorKind::format, path, "tensor {}: expected F32, F16, BF16, I32 or I8, got {}",
           bantam::quoted(name), dtype_info(tensor.dtype()).name);
    }
    if (header.contains(name)) {
      fail(ErrorKind::format, path, "tensor {}: expected each name once, got it twice",
           bantam::quoted(name));
    }
    auto shape = nlohmann::ordered_json::array();
    for (int axis = 0; axis < tensor.shape().rank(); ++axis) shape.push_back(tensor.shape()[axis]);
    const auto bytes = static_cast<uint64_t>(tensor.bytes());
    header[name] = {
        {"dtype", type->name}, {"shape", shape}, {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::string size;
  for (int i = 0; i < 8; ++i) size += static_cast<char>(text.size() >> (8 * i) & 0xFF);
  AtomicFile out(path);
  out.write(size);
  out.write(text);
  for (const auto& [unused, tensor] : tensors) {
    out.write(std::span(tensor.as<const std::byte>(), static_cast<size_t>(tensor.bytes())));
  }
  out.commit();
}

}  // namespace bantam
