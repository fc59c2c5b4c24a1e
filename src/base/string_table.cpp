#include "base/string_table.h"

#include <algorithm>

#include "base/error.h"

namespace bantam {
namespace {

void check_bytes(size_t bytes) {
  if (bytes > UINT32_MAX) {
    fail(ErrorKind::resource, "strings", "expected under 4 GiB of text in one list, got more");
  }
}

}  // namespace

StringTable::StringTable(std::initializer_list<std::string_view> strings) {
  for (const std::string_view s : strings) push_back(s);
}

StringTable::StringTable(const std::vector<std::string>& strings) {
  reserve(strings.size());
  for (const std::string& s : strings) push_back(s);
}

StringTable::Data& StringTable::own() {
  if (data_ == nullptr) {
    data_ = std::make_shared<Data>();
  } else if (data_.use_count() > 1) {
    data_ = std::make_shared<Data>(*data_);
  }
  return *data_;
}

void StringTable::reserve(size_t strings) {
  own().ends.reserve(strings);
}

void StringTable::push_back(std::string_view text) {
  Data& d = own();
  check_bytes(d.bytes.size() + text.size());
  d.bytes += text;
  d.ends.push_back(static_cast<uint32_t>(d.bytes.size()));
}

void StringTable::set(size_t i, std::string_view text) {
  Data& d = own();
  const size_t begin = i == 0 ? 0 : d.ends[i - 1], size = d.ends[i] - begin;
  check_bytes(d.bytes.size() - size + text.size());
  d.bytes.replace(begin, size, text);
  const auto longer = static_cast<uint32_t>(text.size()) - static_cast<uint32_t>(size);  // or less
  for (size_t j = i; longer != 0 && j < d.ends.size(); ++j) d.ends[j] += longer;
}

void StringTable::resize(size_t strings) {
  Data& d = own();
  d.ends.resize(strings, static_cast<uint32_t>(d.bytes.size()));
  d.bytes.resize(d.ends.empty() ? 0 : d.ends.back());
}

void StringTable::shrink_to_fit() {
  if (data_ == nullptr) return;
  data_->bytes.shrink_to_fit();
  data_->ends.shrink_to_fit();
}

bool operator==(const StringTable& a, const StringTable& b) {
  return a.data_ == b.data_ || std::equal(a.begin(), a.end(), b.begin(), b.end());
}

}  // namespace bantam
