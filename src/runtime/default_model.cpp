#include "runtime/default_model.h"

#include <cstddef>
#include <span>

#include "base/error.h"

#ifdef BANTAM_DEFAULT_MODEL
__asm__(
    ".pushsection .rodata\n"
    ".balign 64\n"
    "bantam_default_model_begin:\n"
    ".incbin \"" BANTAM_DEFAULT_MODEL
    "\"\n"
    "bantam_default_model_end:\n"
    ".byte 0\n"
    ".popsection\n");
extern "C" {
extern const std::byte bantam_default_model_begin[], bantam_default_model_end[];
}
#endif

namespace bantam {

std::shared_ptr<const Model> default_model() {
#ifdef BANTAM_DEFAULT_MODEL
  // The bytes belong to the program's file, so there is nothing to keep alive.
  const std::shared_ptr<const void> program(bantam_default_model_begin, [](const void*) {});
  const std::span<const std::byte> bytes(bantam_default_model_begin, bantam_default_model_end);
  return std::make_shared<const Model>(
      load_model(GgufFile::parse(bytes, program, "built-in model", true), "built-in model"));
#else
  fail(ErrorKind::model, "default model",
       "this program was built without one; name a GGUF file instead");
#endif
}

}  // namespace bantam
