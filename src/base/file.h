#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace bantam {

// A whole file mapped read-only and shared. Pages are read when touched. An empty file gives an
// empty span. Throws ErrorKind::file when the file cannot be opened, is no regular file or cannot
// be mapped.
class MappedFile {
 public:
  static std::shared_ptr<MappedFile> open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  [[nodiscard]] std::span<const std::byte> bytes() const { return {data_, size_}; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  MappedFile(std::string path, const std::byte* data, size_t size);
  std::string path_;
  const std::byte* data_;
  size_t size_;
};

// Tells the system that the pages of a mapped file that hold these bytes are not needed in memory
// for now. They must be mapped from a file and never written: what they hold comes back from it.
void forget_pages(std::span<const std::byte> bytes);

// Asks for large pages for memory that will be used as a whole: fewer faults, fewer misses while it
// is streamed.
void use_large_pages(std::span<std::byte> memory);

// Writes a file that appears under its final name only when complete: a temporary file beside it is
// written, synced and renamed by `commit()`. Without `commit()` nothing is left behind.
//   AtomicFile out("model.gguf");
//   out.write(header);
//   out.commit();
class AtomicFile {
 public:
  explicit AtomicFile(std::string path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text.data(), text.size()))); }
  [[nodiscard]] uint64_t position() const { return position_; }
  void commit();

 private:
  void flush();
  std::string path_, temporary_;
  int descriptor_ = -1;
  uint64_t position_ = 0;
  std::unique_ptr<std::byte[]> buffer_;
  size_t buffered_ = 0;
};

// The whole file as text; a name ending in ".zst" is decompressed. Throws ErrorKind::file.
std::string read_text_file(const std::string& path);

// Atomically replaces the file with the text.
void write_text_file(const std::string& path, std::string_view text);

}  // namespace bantam
