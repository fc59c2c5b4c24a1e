#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "runtime/session.h"

namespace bantam {

// A saved session as a file: what it read and what it remembers of that, for the same model with
// the same kind of cache. Little-endian:
//
//   "BantamST", u32 version, u32 bytes of the model's description, u64 tokens, u64 logits,
//   u64 bytes of the memory, u64 hash of all that follows: the description, i32 tokens, f32 logits,
//   the memory
struct StateFile {
  std::string model;  // see describe_state
  Session::Saved saved;
};

// Says of which model and cache a state is: their names, sizes and a hash of what tells models of
// one shape apart. Restoring demands equality.
std::string describe_state(const Engine& engine);

void write_state(const std::string& path, Session& session);
// Throws ErrorKind::format if the bytes are no such file; `where` names them in messages.
StateFile parse_state(std::span<const std::byte> bytes, std::string_view where);
StateFile read_state(const std::string& path);
// Throws ErrorKind::model if the state is of another model or cache, ErrorKind::usage if the
// context is too short for it.
void restore_state(Session& session, const StateFile& state, std::string_view where);

}  // namespace bantam
