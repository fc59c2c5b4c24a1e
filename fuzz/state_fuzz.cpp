#include <span>

#include "base/error.h"
#include "runtime/state_file.h"

// Whatever the bytes, a saved state either parses or throws bantam::Error.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    bantam::parse_state(std::as_bytes(std::span(data, size)), "fuzz");
  } catch (const bantam::Error&) {
  }
  return 0;
}
