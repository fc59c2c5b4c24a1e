#include "runtime/state_file.h"

#include <bit>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"

namespace bantam {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr char kMagic[8] = {'B', 'a', 'n', 't', 'a', 'm', 'S', 'T'};
constexpr uint32_t kVersion = 1;

struct Header {
  char magic[8] = {};
  uint32_t version = kVersion, model_bytes = 0;
  uint64_t tokens = 0, logits = 0, memory_bytes = 0, hash = 0;
};
static_assert(sizeof(Header) == 48);

template <typename T>
std::string_view text_of(const T& list) {
  const auto bytes = std::as_bytes(std::span(list));
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

uint64_t hash_of(std::string_view model, const Session::Saved& s) {
  uint64_t hash = hash_bytes(model);
  for (const std::string_view part :
       {text_of(s.memory.tokens), text_of(s.logits), text_of(s.memory.bytes)})
    hash = hash_bytes(part, hash);
  return hash;
}

// Takes `count` elements off the front of the bytes, which are at least as many.
template <typename List>
void take(std::span<const std::byte>& bytes, uint64_t count, List& list) {
  list.resize(static_cast<size_t>(count));
  const auto to = std::as_writable_bytes(std::span(list));
  std::copy_n(bytes.begin(), to.size(), to.begin());
  bytes = bytes.subspan(to.size());
}

}  // namespace

std::string describe_state(const Engine& engine) {
  const Model& model = engine.model();
  uint64_t hash = 0;
  for (const auto& [name, tensor] : model.weights) {
    hash = hash_bytes(name, hash);
    hash = hash_bytes(tensor.shape().str(), hash);
    // Matrices may be packed; norms are as they were trained.
    if (tensor.shape().rank() == 1)
      hash = hash_bytes({tensor.as<char>(), static_cast<size_t>(tensor.bytes())}, hash);
  }
  const EngineOptions& o = engine.options();
  std::string text = fmt::format("{} \"{}\", {} tensors of {} bytes ({:016x}), {} cache",
                                 model.config.architecture, model.name, model.weights.size(),
                                 model.weight_bytes(), hash, dtype_info(o.cache_type).name);
  if (o.cache_window > 0) {
    text += fmt::format(" of {} tokens after {}", o.cache_window, o.cache_sinks);
  }
  if (o.cache_heavy > 0) text += fmt::format(" and {} heavy hitters", o.cache_heavy);
  return text;
}

void write_state(const std::string& path, Session& session) {
  const Session::Saved saved = session.save();
  const std::string model = describe_state(session.engine());
  Header header;
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.model_bytes = static_cast<uint32_t>(model.size());
  header.tokens = saved.memory.tokens.size();
  header.logits = saved.logits.size();
  header.memory_bytes = saved.memory.bytes.size();
  header.hash = hash_of(model, saved);
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(&header, 1)));
  file.write(model);
  file.write(std::as_bytes(std::span(saved.memory.tokens)));
  file.write(std::as_bytes(std::span(saved.logits)));
  file.write(saved.memory.bytes);
  file.commit();
}

StateFile parse_state(std::span<const std::byte> bytes, std::string_view where) {
  Header h;
  if (bytes.size() < sizeof h || std::memcmp(bytes.data(), kMagic, sizeof kMagic) != 0) {
    fail(ErrorKind::format, where, "expected a saved state, got something else");
  }
  std::memcpy(&h, bytes.data(), sizeof h);
  if (h.version != kVersion) {
    fail(ErrorKind::format, where, "version: expected {}, got {}", kVersion, h.version);
  }
  bytes = bytes.subspan(sizeof h);
  const uint64_t most = bytes.size();  // so that no sum below can wrap around
  const bool possible = h.tokens <= most / 4 && h.logits <= most / 4 && h.memory_bytes <= most;
  const uint64_t wanted = h.model_bytes + 4 * h.tokens + 4 * h.logits + h.memory_bytes;
  if (!possible || wanted != most) {
    fail(ErrorKind::format, where,
         "expected {} + 4 * {} + 4 * {} + {} bytes after the header, got {}", h.model_bytes,
         h.tokens, h.logits, h.memory_bytes, most);
  }
  StateFile state;
  take(bytes, h.model_bytes, state.model);
  take(bytes, h.tokens, state.saved.memory.tokens);
  take(bytes, h.logits, state.saved.logits);
  take(bytes, h.memory_bytes, state.saved.memory.bytes);
  if (hash_of(state.model, state.saved) != h.hash) {
    fail(ErrorKind::format, where, "expected what was saved, got bytes with another hash");
  }
  return state;
}

StateFile read_state(const std::string& path) {
  return parse_state(MappedFile::open(path)->bytes(), path);
}

void restore_state(Session& session, const StateFile& state, std::string_view where) {
  const Engine& engine = session.engine();
  const std::string model = describe_state(engine);
  if (state.model != model) {
    fail(ErrorKind::model, where, "expected a state of {}, got one of {}", model, state.model);
  }
  const std::vector<int32_t>& tokens = state.saved.memory.tokens;
  for (const int32_t token : tokens) {
    if (token >= 0 && token < engine.vocab_size()) continue;
    fail(ErrorKind::format, where, "token: expected an id from 0 to {}, got {}",
         engine.vocab_size() - 1, token);
  }
  if (static_cast<int64_t>(state.saved.logits.size()) != engine.vocab_size()) {
    fail(ErrorKind::format, where, "expected the logits of {} tokens, got {}", engine.vocab_size(),
         state.saved.logits.size());
  }
  if (static_cast<int64_t>(tokens.size()) > engine.context()) {
    fail(ErrorKind::usage, where, "expected a text that fits into the context of {} tokens, got {}",
         engine.context(), tokens.size());
  }
  session.restore(state.saved);
}

}  // namespace bantam
