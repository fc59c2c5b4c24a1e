#include <string_view>

#include "base/error.h"
#include "data/pairs.h"

// Whatever the text, it is pairs of texts that say something, or bantam::Error is thrown. The first
// byte chooses between lines with tabs and records of JSON.

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    for (const bantam::TextPair& pair :
         bantam::parse_pairs(text, data[0] % 2 == 0 ? "fuzz.tsv" : "fuzz.jsonl")) {
      if (pair.source.empty() || pair.target.empty()) __builtin_trap();
      if (pair.source.size() + pair.target.size() > 6 * size) __builtin_trap();
    }
  } catch (const bantam::Error&) {
  }
  return 0;
}
