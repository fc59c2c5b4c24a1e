#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/error.h"

namespace bantam {

namespace {

constexpr size_t kBufferBytes = size_t{1} << 20;

std::string reason() {
  return std::generic_category().message(errno);
}

// Closes the descriptor at the end of the scope.
struct Descriptor {
  int number;
  explicit Descriptor(int n) : number(n) {}
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
};

int open_regular(const std::string& path, size_t* size) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail(ErrorKind::file, path, "cannot open: {}", reason());
  struct stat info {};
  const bool known = ::fstat(descriptor, &info) == 0;
  if (!known || !S_ISREG(info.st_mode)) {
    const std::string got = known ? "something else" : reason();
    ::close(descriptor);
    fail(ErrorKind::file, path, "expected a regular file, got {}", got);
  }
  *size = static_cast<size_t>(info.st_size);
  return descriptor;
}

std::pair<std::string, std::string> split_path(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {".", path};
  return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

void sync_directory(const std::string& directory, const std::string& path) {
  const Descriptor folder(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // Some file systems cannot sync a directory and say EINVAL; the rename has happened all the same.
  if (folder.number < 0 || (::fsync(folder.number) != 0 && errno != EINVAL)) {
    fail(ErrorKind::file, path, "cannot sync its directory: {}", reason());
  }
}

std::string decompress(std::span<const std::byte> bytes, const std::string& path) {
  const std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(),
                                                                   ZSTD_freeDCtx);
  if (!context) fail(ErrorKind::resource, path, "no memory for the zstd decoder");
  std::string text;
  std::string piece(ZSTD_DStreamOutSize(), '\0');
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  size_t pending = 0;
  for (bool full = true; in.pos < in.size || full;) {
    ZSTD_outBuffer out{piece.data(), piece.size(), 0};
    pending = ZSTD_decompressStream(context.get(), &out, &in);
    if (ZSTD_isError(pending)) {
      fail(ErrorKind::file, path, "expected zstd data, got: {}", ZSTD_getErrorName(pending));
    }
    text.append(piece.data(), out.pos);
    full = out.pos == out.size && (pending != 0 || in.pos < in.size);
  }
  if (pending != 0 || bytes.empty()) {
    fail(ErrorKind::file, path, "expected complete zstd data, got a truncated file");
  }
  return text;
}

}  // namespace

void forget_pages(std::span<const std::byte> bytes) {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<uintptr_t>(bytes.data()) / page * page;
  const auto end = reinterpret_cast<uintptr_t>(bytes.data() + bytes.size());
  // Only a hint: where it is refused, the pages stay.
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

void use_large_pages(std::span<std::byte> memory) {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = (reinterpret_cast<uintptr_t>(memory.data()) + page - 1) / page * page;
  const auto end = reinterpret_cast<uintptr_t>(memory.data() + memory.size()) / page * page;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
}

MappedFile::MappedFile(std::string path, const std::byte* data, size_t size)
    : path_(std::move(path)), data_(data), size_(size) {}

std::shared_ptr<MappedFile> MappedFile::open(const std::string& path) {
  size_t size = 0;
  const Descriptor file(open_regular(path, &size));
  void* data = nullptr;
  if (size > 0) {
    data = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.number, 0);
    if (data == MAP_FAILED) fail(ErrorKind::file, path, "cannot map {} bytes: {}", size, reason());
  }
  return std::shared_ptr<MappedFile>(
      new MappedFile(path, static_cast<const std::byte*>(data), size));
}

MappedFile::~MappedFile() {
  if (data_) ::munmap(const_cast<std::byte*>(data_), size_);
}

AtomicFile::AtomicFile(std::string path)
    : path_(std::move(path)), buffer_(std::make_unique<std::byte[]>(kBufferBytes)) {
  const auto [directory, name] = split_path(path_);
  temporary_ = fmt::format("{}/.{}.tmp-{}", directory, name, ::getpid());
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail(ErrorKind::file, path_, "cannot create {}: {}", temporary_, reason());
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  BANTAM_ASSERT(descriptor_ >= 0);
  position_ += bytes.size();
  while (!bytes.empty()) {
    const size_t part = std::min(bytes.size(), kBufferBytes - buffered_);
    std::memcpy(buffer_.get() + buffered_, bytes.data(), part);
    buffered_ += part;
    bytes = bytes.subspan(part);
    if (buffered_ == kBufferBytes) flush();
  }
}

void AtomicFile::flush() {
  for (size_t at = 0; at < buffered_;) {
    const ssize_t written = ::write(descriptor_, buffer_.get() + at, buffered_ - at);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(ErrorKind::file, path_, "cannot write: {}", reason());
    at += static_cast<size_t>(written);
  }
  buffered_ = 0;
}

void AtomicFile::commit() {
  BANTAM_ASSERT(descriptor_ >= 0);
  flush();
  if (::fsync(descriptor_) != 0) fail(ErrorKind::file, path_, "cannot sync: {}", reason());
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    fail(ErrorKind::file, path_, "cannot rename {} to it: {}", temporary_, reason());
  }
  ::close(descriptor_);
  descriptor_ = -1;
  sync_directory(split_path(path_).first, path_);
}

std::string read_text_file(const std::string& path) {
  const std::shared_ptr<MappedFile> file = MappedFile::open(path);
  const std::span<const std::byte> bytes = file->bytes();
  if (path.ends_with(".zst")) return decompress(bytes, path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void write_text_file(const std::string& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

}  // namespace bantam
