#include "formats/gguf.h"

#include <algorithm>
#include <limits>
#include <type_traits>

#include "base/error.h"
#include "formats/messages.h"

namespace bantam {
namespace {

template <typename T>
constexpr bool kIsInteger = std::is_integral_v<T> && !std::is_same_v<T, bool>;
template <typename T>
constexpr bool kIsNumber = std::is_arithmetic_v<T> && !std::is_same_v<T, bool>;

// Nothing if the value is no integer or does not fit 64 bits with a sign.
std::optional<int64_t> as_integer(const GgufValue& value) {
  return std::visit(
      [](const auto& v) -> std::optional<int64_t> {
        using T = std::remove_cvref_t<decltype(v)>;
        if constexpr (kIsInteger<T>) {
          if (!std::in_range<int64_t>(v)) return std::nullopt;
          return static_cast<int64_t>(v);
        }
        return std::nullopt;
      },
      value);
}

std::optional<double> as_real(const GgufValue& value) {
  return std::visit(
      [](const auto& v) -> std::optional<double> {
        using T = std::remove_cvref_t<decltype(v)>;
        if constexpr (kIsNumber<T>) return static_cast<double>(v);
        return std::nullopt;
      },
      value);
}

}  // namespace

GgufFile GgufFile::open(const std::string& path) {
  GgufFile file = parse(MappedFile::open(path));
  const bool part = file.find("split.count") != nullptr || file.find("split.no") != nullptr;
  if (part) return join(std::move(file), path);
  return file;
}

GgufFile GgufFile::parse(std::shared_ptr<const MappedFile> file) {
  const std::span<const std::byte> bytes = file->bytes();
  const std::string name = file->path();
  return parse(bytes, std::move(file), name, true);
}

const GgufValue* GgufFile::find(std::string_view key) const {
  const auto at = std::lower_bound(
      metadata_order_.begin(), metadata_order_.end(), key,
      [this](uint32_t i, std::string_view wanted) { return metadata_[i].first < wanted; });
  if (at == metadata_order_.end() || metadata_[*at].first != key) return nullptr;
  return &metadata_[*at].second;
}

const GgufTensor* GgufFile::find_tensor(std::string_view name) const {
  const auto at = std::lower_bound(
      tensor_order_.begin(), tensor_order_.end(), name,
      [this](uint32_t i, std::string_view wanted) { return tensors_[i].name < wanted; });
  if (at == tensor_order_.end() || tensors_[*at].name != name) return nullptr;
  return &tensors_[*at];
}

const GgufValue& GgufFile::required(std::string_view key) const {
  const GgufValue* value = find(key);
  if (!value) fail(ErrorKind::model, where_, "expected metadata key {}, found none", quoted(key));
  return *value;
}

void GgufFile::refuse(std::string_view key, std::string_view expected, int64_t got) const {
  fail(ErrorKind::format, where_, "metadata key {}: expected {}, got {}", bantam::quoted(key),
       expected, got);
}

void GgufFile::wrong_type(std::string_view key, std::string_view expected) const {
  fail(ErrorKind::model, where_, "metadata key {}: expected {}, got {}", quoted(key), expected,
       gguf_type_name(required(key)));
}

int64_t GgufFile::integer(std::string_view key) const {
  const std::optional<int64_t> value = as_integer(required(key));
  if (!value) wrong_type(key, "an integer below 2^63");
  return *value;
}

int64_t GgufFile::integer(std::string_view key, int64_t otherwise) const {
  return find(key) ? integer(key) : otherwise;
}

double GgufFile::real(std::string_view key) const {
  const std::optional<double> value = as_real(required(key));
  if (!value) wrong_type(key, "a number");
  return *value;
}

double GgufFile::real(std::string_view key, double otherwise) const {
  return find(key) ? real(key) : otherwise;
}

bool GgufFile::boolean(std::string_view key) const {
  const auto* value = std::get_if<bool>(&required(key));
  if (!value) wrong_type(key, "bool");
  return *value;
}

bool GgufFile::boolean(std::string_view key, bool otherwise) const {
  return find(key) ? boolean(key) : otherwise;
}

const std::string& GgufFile::text(std::string_view key) const {
  const auto* value = std::get_if<std::string>(&required(key));
  if (!value) wrong_type(key, "string");
  return *value;
}

std::string GgufFile::text(std::string_view key, std::string_view otherwise) const {
  return find(key) ? text(key) : std::string(otherwise);
}

std::vector<int64_t> GgufFile::integers(std::string_view key) const {
  const GgufValue& value = required(key);
  if (const std::optional<int64_t> one = as_integer(value)) return {*one};
  std::vector<int64_t> result;
  bool fits = false;
  if (const auto* array = std::get_if<GgufArray>(&value)) {
    std::visit(
        [&](const auto& items) {
          using T = typename std::remove_cvref_t<decltype(items)>::value_type;
          if constexpr (kIsInteger<T>) {
            fits = std::ranges::all_of(items, [](T v) { return std::in_range<int64_t>(v); });
            if (fits) result.assign(items.begin(), items.end());
          }
        },
        array->items);
  }
  if (!fits) wrong_type(key, "an array of integers below 2^63");
  return result;
}

std::vector<double> GgufFile::reals(std::string_view key) const {
  const GgufValue& value = required(key);
  if (const std::optional<double> one = as_real(value)) return {*one};
  std::vector<double> result;
  bool numbers = false;
  if (const auto* array = std::get_if<GgufArray>(&value)) {
    std::visit(
        [&](const auto& items) {
          using T = typename std::remove_cvref_t<decltype(items)>::value_type;
          if constexpr (kIsNumber<T>) {
            numbers = true;
            result.reserve(items.size());
            for (const T item : items) result.push_back(static_cast<double>(item));
          }
        },
        array->items);
  }
  if (!numbers) wrong_type(key, "an array of numbers");
  return result;
}

const StringTable& GgufFile::strings(std::string_view key) const {
  const auto* array = std::get_if<GgufArray>(&required(key));
  const auto* items = array ? std::get_if<StringTable>(&array->items) : nullptr;
  if (!items) wrong_type(key, "an array of string");
  return *items;
}

Tensor GgufFile::tensor(std::string_view name) const {
  const GgufTensor* found = find_tensor(name);
  if (!found) fail(ErrorKind::model, where_, "expected tensor {}, found none", quoted(name));
  if (!found->dtype) {
    const GgufTensorType* type = gguf_tensor_type(found->type);
    fail(ErrorKind::model, where_, "tensor {}: expected a supported type, got {} (GGUF type {})",
         quoted(name), type ? type->name : "an unknown one", found->type);
  }
  const Part& part = parts_[found->part];
  return Tensor::wrap(*found->dtype, found->shape, part.bytes.data() + found->offset, part.owner,
                      found->layout, part.mapped);
}

}  // namespace bantam
