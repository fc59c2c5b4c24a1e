#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace bantam {

// Many short strings in one piece of memory, as vocabularies are: four bytes each besides their
// text. Copies share it until one of them changes; views hold until their table does. At most 4 GiB
// of text: more throws ErrorKind::resource.
class StringTable {
 public:
  class Iterator {
   public:
    using iterator_category = std::random_access_iterator_tag;
    using value_type = std::string_view;
    using difference_type = std::ptrdiff_t;
    using pointer = const std::string_view*;
    using reference = std::string_view;

    Iterator() = default;
    Iterator(const StringTable* table, difference_type at) : table_(table), at_(at) {}
    std::string_view operator*() const { return (*table_)[static_cast<size_t>(at_)]; }
    std::string_view operator[](difference_type n) const { return *(*this + n); }
    Iterator& operator+=(difference_type n) {
      at_ += n;
      return *this;
    }
    Iterator& operator-=(difference_type n) { return *this += -n; }
    Iterator& operator++() { return *this += 1; }
    Iterator& operator--() { return *this += -1; }
    Iterator operator++(int) {
      const Iterator before = *this;
      ++*this;
      return before;
    }
    Iterator operator--(int) {
      const Iterator before = *this;
      --*this;
      return before;
    }
    friend Iterator operator+(Iterator i, difference_type n) { return i += n; }
    friend Iterator operator+(difference_type n, Iterator i) { return i += n; }
    friend Iterator operator-(Iterator i, difference_type n) { return i -= n; }
    friend difference_type operator-(const Iterator& a, const Iterator& b) { return a.at_ - b.at_; }
    friend bool operator==(const Iterator& a, const Iterator& b) { return a.at_ == b.at_; }
    friend auto operator<=>(const Iterator& a, const Iterator& b) { return a.at_ <=> b.at_; }

   private:
    const StringTable* table_ = nullptr;
    difference_type at_ = 0;
  };
  using value_type = std::string_view;
  using iterator = Iterator;
  using const_iterator = Iterator;

  StringTable() = default;
  StringTable(std::initializer_list<std::string_view> strings);
  // NOLINTNEXTLINE(google-explicit-constructor): the same strings
  StringTable(const std::vector<std::string>& strings);

  [[nodiscard]] size_t size() const { return data_ == nullptr ? 0 : data_->ends.size(); }
  [[nodiscard]] bool empty() const { return size() == 0; }
  std::string_view operator[](size_t i) const {
    const uint32_t begin = i == 0 ? 0 : data_->ends[i - 1];
    return {data_->bytes.data() + begin, data_->ends[i] - begin};
  }
  [[nodiscard]] Iterator begin() const { return {this, 0}; }
  [[nodiscard]] Iterator end() const { return {this, static_cast<std::ptrdiff_t>(size())}; }

  void reserve(size_t strings);
  void push_back(std::string_view text);
  void set(size_t i, std::string_view text);  // moves what follows if the length differs
  void resize(size_t strings);                // adds empty ones at the end, or drops some
  void clear() { data_ = nullptr; }
  void shrink_to_fit();

  friend bool operator==(const StringTable& a, const StringTable& b);

 private:
  struct Data {
    std::string bytes;
    std::vector<uint32_t> ends;
  };
  Data& own();
  std::shared_ptr<Data> data_;
};

}  // namespace bantam
