#include "formats/llama2c.h"

#include <array>
#include <cstring>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "formats/messages.h"

namespace bantam {
namespace {

constexpr uint32_t kMagic = 0x616b3432;  // "ak42"
constexpr size_t kFields = 7;
constexpr uint64_t kLegacyHeaderBytes = kFields * 4;
constexpr uint64_t kVersion1HeaderBytes = 256;

enum class Version { legacy, version1 };

// The kinds of weights; each is stored for all layers together.
enum class Part {
  token_embd,
  attn_norm,
  attn_q,
  attn_k,
  attn_v,
  attn_output,
  ffn_norm,
  ffn_gate,
  ffn_down,
  ffn_up,
  output_norm,
  rope_tables,
  output,
};

constexpr std::array kLegacyOrder = {
    Part::token_embd,  Part::attn_norm,   Part::attn_q,   Part::attn_k,   Part::attn_v,
    Part::attn_output, Part::ffn_norm,    Part::ffn_gate, Part::ffn_down, Part::ffn_up,
    Part::output_norm, Part::rope_tables, Part::output};
constexpr std::array kVersion1Order = {Part::attn_norm,  Part::ffn_norm,    Part::output_norm,
                                       Part::token_embd, Part::attn_q,      Part::attn_k,
                                       Part::attn_v,     Part::attn_output, Part::ffn_gate,
                                       Part::ffn_down,   Part::ffn_up,      Part::output};

// Where a part stands and how large it is, in floats.
struct Extent {
  Shape shape;          // of one layer
  uint64_t copies = 0;  // layers, 1, or 0 if absent
  uint64_t start = 0;
  uint64_t stride = 0;
};
using Extents = std::array<Extent, static_cast<size_t>(Part::output) + 1>;

struct Header {
  Llama2cConfig config;
  Version version;
  uint64_t bytes;
};

template <typename T>
T read_at(std::span<const std::byte> bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

void check(const Llama2cConfig& c, const std::string& where) {
  const std::pair<const char*, int64_t> fields[] = {
      {"dim", c.dim},         {"hidden_dim", c.hidden_dim}, {"n_layers", c.n_layers},
      {"n_heads", c.n_heads}, {"n_kv_heads", c.n_kv_heads}, {"vocab_size", c.vocab_size},
      {"seq_len", c.seq_len},
  };
  for (const auto& [name, value] : fields)
    if (value < 1) fail(ErrorKind::format, where, "{}: expected at least 1, got {}", name, value);
  if (c.dim % c.n_heads != 0 || c.dim / c.n_heads % 2 != 0)
    fail(ErrorKind::format, where, "dim: expected an even multiple of the {} heads, got {}",
         c.n_heads, c.dim);
  if (c.n_heads % c.n_kv_heads != 0)
    fail(ErrorKind::format, where, "n_kv_heads: expected a divisor of {}, got {}", c.n_heads,
         c.n_kv_heads);
}

Header read_header(std::span<const std::byte> bytes, const std::string& where) {
  const bool magic = bytes.size() >= 4 && read_at<uint32_t>(bytes, 0) == kMagic;
  const uint64_t size = magic ? kVersion1HeaderBytes : kLegacyHeaderBytes;
  if (bytes.size() < size)
    fail(ErrorKind::format, where, "expected a header of {} bytes, got a file of {}", size,
         bytes.size());
  if (magic && read_at<int32_t>(bytes, 4) != 1)
    fail(ErrorKind::format, where,
         "expected version 1 (float32), got version {}; export the model with --version 0 or 1",
         read_at<int32_t>(bytes, 4));

  std::array<int64_t, kFields> f{};
  for (size_t i = 0; i < kFields; ++i) f[i] = read_at<int32_t>(bytes, (magic ? 8 : 0) + i * 4);
  Llama2cConfig config{f[0], f[1], f[2], f[3], f[4], f[5], f[6], true};
  if (magic) {
    const auto flag = read_at<uint8_t>(bytes, 8 + kFields * 4);
    if (flag > 1)
      fail(ErrorKind::format, where, "shared classifier: expected 0 or 1, got {}", flag);
    config.shared_classifier = flag == 1;
  } else if (config.vocab_size < 0) {  // the legacy mark of a classifier of its own
    config.vocab_size = -config.vocab_size;
    config.shared_classifier = false;
  }
  check(config, where);
  return {config, magic ? Version::version1 : Version::legacy, size};
}

Extent& at(Extents& extents, Part part) {
  return extents[static_cast<size_t>(part)];
}

Extents shapes(const Llama2cConfig& c) {
  const auto layers = static_cast<uint64_t>(c.n_layers);
  Extents extents;
  at(extents, Part::token_embd) = {{c.vocab_size, c.dim}, 1};
  at(extents, Part::attn_norm) = {{c.dim}, layers};
  at(extents, Part::attn_q) = {{c.dim, c.dim}, layers};
  at(extents, Part::attn_k) = {{c.kv_dim(), c.dim}, layers};
  at(extents, Part::attn_v) = {{c.kv_dim(), c.dim}, layers};
  at(extents, Part::attn_output) = {{c.dim, c.dim}, layers};
  at(extents, Part::ffn_norm) = {{c.dim}, layers};
  at(extents, Part::ffn_gate) = {{c.hidden_dim, c.dim}, layers};
  at(extents, Part::ffn_down) = {{c.dim, c.hidden_dim}, layers};
  at(extents, Part::ffn_up) = {{c.hidden_dim, c.dim}, layers};
  at(extents, Part::output_norm) = {{c.dim}, 1};
  // Cosines and sines of all positions; recomputed by whoever runs the model.
  at(extents, Part::rope_tables) = {{c.seq_len, c.dim / c.n_heads}, 1};
  at(extents, Part::output) = {{c.vocab_size, c.dim}, c.shared_classifier ? 0u : 1u};
  return extents;
}

// Places the parts one after another; the number of floats in all, or nothing if that overflows.
std::optional<uint64_t> place(Extents& extents, std::span<const Part> order) {
  uint64_t position = 0;
  for (const Part part : order) {
    Extent& extent = at(extents, part);
    extent.start = position;
    // Two extents below 2^31 each: the product fits.
    extent.stride = static_cast<uint64_t>(extent.shape.elements());
    uint64_t total = 0;
    if (__builtin_mul_overflow(extent.stride, extent.copies, &total) ||
        __builtin_add_overflow(position, total, &position))
      return std::nullopt;
  }
  return position;
}

}  // namespace

Llama2cModel read_llama2c(const std::string& path) {
  const std::shared_ptr<MappedFile> file = MappedFile::open(path);
  return parse_llama2c(file->bytes(), file, path);
}

Llama2cModel parse_llama2c(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                           const std::string& name) {
  const std::string where = "llama2.c " + name;
  if (reinterpret_cast<uintptr_t>(bytes.data()) % 4 != 0)
    fail(ErrorKind::usage, where, "expected memory that starts at a multiple of 4 bytes");
  const Header header = read_header(bytes, where);
  const bool legacy = header.version == Version::legacy;

  Extents extents = shapes(header.config);
  const std::optional<uint64_t> floats =
      place(extents, legacy ? std::span<const Part>(kLegacyOrder) : kVersion1Order);
  const uint64_t available = bytes.size() - header.bytes;
  if (!floats || *floats > UINT64_MAX / 4)
    fail(ErrorKind::format, where, "the sizes in the header describe more than any file");
  if (*floats * 4 != available)
    fail(ErrorKind::format, where, "expected {} bytes of weights after the header, got {}",
         grouped(*floats * 4), grouped(available));

  Llama2cModel model{header.config, {}};
  const auto add = [&](std::string tensor_name, Part part, uint64_t layer) {
    const Extent& extent = at(extents, part);
    const std::byte* data =
        bytes.data() + header.bytes + (extent.start + layer * extent.stride) * 4;
    model.tensors.emplace_back(std::move(tensor_name),
                               Tensor::wrap(DType::f32, extent.shape, data, owner));
  };
  constexpr std::pair<Part, const char*> kLayerParts[] = {
      {Part::attn_norm, "attn_norm"},     {Part::attn_q, "attn_q"},
      {Part::attn_k, "attn_k"},           {Part::attn_v, "attn_v"},
      {Part::attn_output, "attn_output"}, {Part::ffn_norm, "ffn_norm"},
      {Part::ffn_gate, "ffn_gate"},       {Part::ffn_up, "ffn_up"},
      {Part::ffn_down, "ffn_down"},
  };
  add("token_embd.weight", Part::token_embd, 0);
  for (uint64_t layer = 0; layer < static_cast<uint64_t>(header.config.n_layers); ++layer)
    for (const auto& [part, part_name] : kLayerParts)
      add(fmt::format("blk.{}.{}.weight", layer, part_name), part, layer);
  add("output_norm.weight", Part::output_norm, 0);
  if (!header.config.shared_classifier) add("output.weight", Part::output, 0);
  return model;
}

}  // namespace bantam
