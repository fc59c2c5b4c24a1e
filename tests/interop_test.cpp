// Files that Bantam writes, in another GGUF runtime (npm's node-llama-cpp).
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "base/error.h"
#include "compress/quantize.h"
#include "program.h"
#include "runtime/default_model.h"
#include "runtime/session.h"

namespace bantam {
namespace {

constexpr int kTokens = 40;

std::vector<int32_t> numbers(const std::string& line) {
  std::istringstream in(line);
  std::vector<int32_t> ids;
  for (int32_t id = 0; in >> id;) ids.push_back(id);
  return ids;
}

std::vector<int32_t> ours(const std::shared_ptr<const Model>& model,
                          const std::vector<int32_t>& prompt) {
  Session session(std::make_shared<Engine>(model));
  GenerateOptions options;
  options.max_tokens = kTokens;
  options.sampler.temperature = 0;
  return session.generate(prompt, options).tokens;
}

size_t agreement(const std::vector<int32_t>& a, const std::vector<int32_t>& b) {
  const size_t n = std::min(a.size(), b.size());
  return static_cast<size_t>(
      std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(n), b.begin()).first -
      a.begin());
}

// Goes with the test, however that ends.
class TemporaryFolder {
 public:
  TemporaryFolder()
      : path_(std::filesystem::path(testing::TempDir()) /
              ("bantam_interop_" + std::to_string(getpid()))) {
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] std::string file(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// A float file and Q8_0 are followed to the end. In 4 bits the two runtimes round activations
// differently, which turns a near tie sooner or later: the beginning must agree.
TEST(AnotherRuntime, LoadsOurFilesAndSaysTheSame) {
  if (std::getenv("BANTAM_NPM") == nullptr) {
    GTEST_SKIP() << "BANTAM_NPM names no folder where npm has installed node-llama-cpp";
  }
  std::shared_ptr<const Model> built_in;
  try {
    built_in = default_model();
  } catch (const Error& e) {
    GTEST_SKIP() << "no default model: " << e.what();
  }
  const TemporaryFolder folder;
  const std::vector<int32_t> prompt =
      built_in->tokenizer->encode("The little dog was happy because");
  std::string ids;
  for (const int32_t id : prompt) ids += fmt::format(" {}", id);
  const std::pair<DType, size_t> cases[] = {
      {DType::f16, kTokens}, {DType::q8_0, kTokens}, {DType::q4_0, 8}};
  for (const auto& [type, least] : cases) {
    QuantizeOptions options;
    options.type = type;
    const auto model = std::make_shared<const Model>(quantize(*built_in, options).model);
    const std::string path = folder.file("model.gguf");
    save_model(*model, path);
    const Outcome other = run_command("node '" BANTAM_SOURCE_DIR "/tests/gguf_reference.mjs' '" +
                                      path + "' " + std::to_string(kTokens) + ids + " 2>/dev/null");
    if (other.code == 77 || other.code == 127) {
      GTEST_SKIP() << "node or node-llama-cpp is missing below BANTAM_NPM";
    }
    ASSERT_EQ(other.code, 0) << other.output;
    EXPECT_GE(agreement(ours(model, prompt), numbers(other.output)), least)
        << dtype_info(type).name << ": " << other.output;
  }
}

}  // namespace
}  // namespace bantam
