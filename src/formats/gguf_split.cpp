#include "formats/gguf_split.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "formats/gguf.h"
#include "formats/gguf_order.h"
#include "formats/messages.h"

namespace bantam {
namespace {

constexpr std::string_view kSuffix = ".gguf";
constexpr int64_t kMostParts = 65535;  // "split.no" is u16
constexpr size_t kDigits = 5;

std::string part_name(std::string_view stem, size_t part, size_t count) {
  return fmt::format("{}-{:05}-of-{:05}{}", stem, part + 1, count, kSuffix);
}

// Takes a number of five digits off the end of `text`; 0 if there is none.
size_t take_number(std::string_view& text) {
  if (text.size() < kDigits) return 0;
  const std::string_view digits = text.substr(text.size() - kDigits);
  if (!std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; })) return 0;
  text.remove_suffix(kDigits);
  return std::stoul(std::string(digits));
}

bool take_end(std::string_view& text, std::string_view end) {
  if (!text.ends_with(end)) return false;
  text.remove_suffix(end.size());
  return true;
}

void drop_split_keys(std::vector<GgufFile::Entry>& metadata) {
  std::erase_if(metadata, [](const auto& entry) { return entry.first.starts_with("split."); });
}

}  // namespace

std::vector<std::string> gguf_part_names(const std::string& path) {
  std::string_view stem = path;
  if (!take_end(stem, kSuffix)) return {path};
  const size_t count = take_number(stem);
  if (count == 0 || !take_end(stem, "-of-")) return {path};
  const size_t part = take_number(stem);
  if (part == 0 || part > count || !take_end(stem, "-")) return {path};
  std::vector<std::string> names;
  for (size_t i = 0; i < count; ++i) names.push_back(part_name(stem, i, count));
  return names;
}

// `one` is the part that `path` names.
GgufFile GgufFile::join(GgufFile one, const std::string& path) {
  const int64_t count = one.integer("split.count");
  if (count < 0 || count > kMostParts) {
    fail(ErrorKind::format, one.where_, "split.count: expected at most {} parts, got {}",
         kMostParts, count);
  }
  const std::vector<std::string> names = gguf_part_names(path);
  if (count <= 1 && names.size() > 1) {
    fail(ErrorKind::format, one.where_, "split.count: expected {}, as the name says, got {}",
         names.size(), count);
  }
  if (count <= 1) {
    drop_split_keys(one.metadata_);
    one.index();
    return one;
  }
  if (std::cmp_not_equal(names.size(), count)) {
    fail(ErrorKind::format, one.where_,
         "part {} of a model in {} parts: expected a name that ends with \"{}\"",
         one.integer("split.no") + 1, count,
         part_name("", static_cast<size_t>(one.integer("split.no")), static_cast<size_t>(count)));
  }
  GgufFile whole;
  whole.where_ = one.where_;
  for (size_t i = 0; i < names.size(); ++i) {
    if (!std::filesystem::exists(names[i])) {
      fail(ErrorKind::file, names[i], "expected part {} of {} of the model, found no such file",
           i + 1, count);
    }
    GgufFile part = names[i] == path ? one : parse(MappedFile::open(names[i]));
    const auto expect = [&](const char* key, int64_t expected) {
      const int64_t got = part.integer(key);
      if (got == expected) return;
      fail(ErrorKind::format, part.where_, "{}: expected {} in part {} of {}, got {}", key,
           expected, i + 1, count, got);
    };
    expect("split.no", static_cast<int64_t>(i));
    expect("split.count", count);
    if (one.find("split.tensors.count")) {
      expect("split.tensors.count", one.integer("split.tensors.count"));
    }
    whole.append(std::move(part));
  }
  whole.index();
  const auto tensors = static_cast<int64_t>(whole.tensors_.size());
  const int64_t expected = one.integer("split.tensors.count", tensors);
  if (tensors != expected) {
    fail(ErrorKind::format, one.where_, "split.tensors.count: expected {} in {} parts, found {}",
         expected, count, tensors);
  }
  return whole;
}

void GgufFile::append(GgufFile part) {
  const auto number = static_cast<uint32_t>(parts_.size());
  parts_.push_back(std::move(part.parts_.front()));
  for (GgufTensor& t : part.tensors_) {
    t.part = number;
    tensors_.push_back(std::move(t));
  }
  if (number > 0) return;
  version_ = part.version_;
  alignment_ = part.alignment_;
  drop_split_keys(part.metadata_);
  metadata_ = std::move(part.metadata_);
}

void GgufFile::index() {
  metadata_order_ = order_by_name(
      metadata_.size(), [this](uint32_t i) -> const std::string& { return metadata_[i].first; },
      [](uint32_t) {});
  tensor_order_ = order_by_name(
      tensors_.size(), [this](uint32_t i) -> const std::string& { return tensors_[i].name; },
      [this](uint32_t i) {
        const GgufTensor& twice = tensors_[i];
        const auto other = std::ranges::find_if(tensors_, [&](const GgufTensor& t) {
          return t.name == twice.name && t.part != twice.part;
        });
        fail(
            ErrorKind::format, where_,
            "tensor {}: expected it in one part, found it in parts {} and {}: of different models?",
            bantam::quoted(twice.name), std::min(other->part, twice.part) + 1,
            std::max(other->part, twice.part) + 1);
      });
}

std::vector<std::string> write_gguf_parts(const GgufWriter& out, const std::string& path,
                                          uint64_t bytes) {
  const std::vector<GgufWriter> parts = out.split(bytes);
  std::string_view stem = path;
  take_end(stem, kSuffix);
  std::vector<std::string> names;
  std::vector<std::unique_ptr<AtomicFile>> files;
  for (size_t i = 0; i < parts.size(); ++i) {
    names.push_back(parts.size() == 1 ? path : part_name(stem, i, parts.size()));
    files.push_back(std::make_unique<AtomicFile>(names.back()));
    parts[i].write(*files.back());
  }
  for (const auto& file : files) file->commit();
  return names;
}

}  // namespace bantam
