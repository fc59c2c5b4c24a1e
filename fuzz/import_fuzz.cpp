// Whatever stands in a model's folder, it becomes a GGUF file or an error. Up to the first zero
// byte the input is config.json, then model.safetensors.

#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "models/import_hf.h"

namespace {

constexpr std::string_view kTokenizer = R"({"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},
"merges":["a b"]},"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false}})";

const std::string& folder() {
  static const std::string path = [] {
    const auto made =
        std::filesystem::temp_directory_path() / fmt::format("bantam-fuzz-import-{}", ::getpid());
    std::filesystem::create_directories(made);
    bantam::write_text_file(made / "tokenizer.json", kTokenizer);
    return made.string();
  }();
  return path;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const uint8_t* zero = std::find(data, data + size, 0);
  const auto text = [](const uint8_t* begin, const uint8_t* end) {
    return std::string_view(reinterpret_cast<const char*>(begin), static_cast<size_t>(end - begin));
  };
  try {
    bantam::write_text_file(folder() + "/config.json", text(data, zero));
    bantam::write_text_file(folder() + "/model.safetensors",
                            text(std::min(zero + 1, data + size), data + size));
    (void)bantam::hf_folder_to_gguf(folder(), {}).bytes();
  } catch (const bantam::Error&) {
  }
  return 0;
}
