// Whatever the bytes, a tokenizer.json either is refused with an Error, or gives tokenizers (as it
// stands, and in GGUF's terms) that take any text and give ids within the vocabulary.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "text/hf/tokenizer_json.h"

namespace {

using namespace bantam;

void use(const Tokenizer& tokenizer) {
  for (const std::string_view text :
       {"the cat  sat\n\xFF\u00E4 <0x0A><s> 123-q", "", " ", "\u00E9\u4E2D\uAC00 aba unaffable"}) {
    for (const bool parse_special : {true, false}) {
      const auto ids = tokenizer.encode(text, {.parse_special = parse_special});
      (void)tokenizer.decode(ids, {.special = parse_special});
    }
  }
  for (int32_t id = 0; id < tokenizer.vocab_size() && id < 64; ++id) (void)tokenizer.piece(id);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view json(reinterpret_cast<const char*>(data), size);
  try {
    use(*make_tokenizer(parse_tokenizer_json(json, "fuzz"), "fuzz"));
    use(*make_tokenizer(tokenizer_json_for_gguf(json, "fuzz"), "fuzz"));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::format && error.kind() != ErrorKind::resource) std::abort();
  }
  return 0;
}
