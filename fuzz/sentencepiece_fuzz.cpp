// Whatever the bytes, a SentencePiece model either is refused with an Error or gives a tokenizer
// that takes any text.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "text/sentencepiece_model.h"
#include "text/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bantam;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try {
    const auto tokenizer = make_tokenizer(parse_sentencepiece_model(bytes, "fuzz"), "fuzz");
    for (const std::string_view text : {"the cat  ab a\n\xFF\u00E4 <0x0A><s><x>", "", " "}) {
      (void)tokenizer->decode(tokenizer->encode(text));
    }
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::format) std::abort();
  }
  return 0;
}
