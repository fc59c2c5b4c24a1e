#include "runtime/state_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "models/random_model.h"

namespace bantam {
namespace {

class State : public testing::Test {
 protected:
  State() {
    ModelConfig c = known_shape("stories15m");
    c.block_count = 2;
    c.vocab_size = 100;
    model_ =
        std::make_shared<Model>(random_model(c, [](const WeightShape&) { return DType::f32; }));
    path_ =
        (std::filesystem::path(testing::TempDir()) / ("bantam_state_" + std::to_string(getpid())))
            .string();
  }
  ~State() override { std::filesystem::remove(path_); }

  [[nodiscard]] Session session(DType cache = DType::f16) const {
    EngineOptions o;
    o.context = 200;
    o.cache_type = cache;
    return Session(std::make_shared<Engine>(model_, o));
  }
  static std::vector<int32_t> ids(int32_t first, int32_t n) {
    std::vector<int32_t> list;
    for (int32_t i = first; i < first + n; ++i) list.push_back(i * 37 % 100);
    return list;
  }
  static std::vector<float> copy(std::span<const float> x) { return {x.begin(), x.end()}; }
  [[nodiscard]] std::vector<std::byte> saved_bytes() const {
    Session s = session();
    s.feed(ids(0, 70));
    write_state(path_, s);
    const auto file = MappedFile::open(path_);
    return {file->bytes().begin(), file->bytes().end()};
  }

  std::shared_ptr<const Model> model_;
  std::string path_;
};

TEST_F(State, GoesOnFromAFileWithTheSameBits) {
  Session s = session();
  s.feed(ids(0, 70));
  write_state(path_, s);
  const std::vector<float> expected = copy(s.feed(ids(70, 30)));
  Session other = session();
  restore_state(other, read_state(path_), path_);
  EXPECT_EQ(other.tokens(), ids(0, 70));
  EXPECT_EQ(copy(other.feed(ids(70, 30))), expected);
}

TEST_F(State, RefusesEveryCutAndEveryChange) {
  const std::vector<std::byte> good = saved_bytes();
  EXPECT_NO_THROW(parse_state(good, "state"));
  for (size_t n = 0; n < good.size(); n += n < 200 ? 1 : 997) {
    EXPECT_THROW(parse_state(std::span(good).first(n), "state"), Error) << n;
  }
  for (size_t at = 0; at < good.size(); at += at < 200 ? 1 : 997) {
    std::vector<std::byte> bad = good;
    bad[at] ^= std::byte{0x41};
    EXPECT_THROW(parse_state(bad, "state"), Error) << at;
  }
}

TEST_F(State, RefusesAnotherModelAndAnotherCache) {
  const StateFile state = parse_state(saved_bytes(), "state");
  Session other = session(DType::f32);
  try {
    restore_state(other, state, "state");
    FAIL() << "expected an error";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::model);
    EXPECT_NE(std::string(e.what()).find("f32 cache"), std::string::npos) << e.what();
  }
  auto changed = std::make_shared<Model>(*model_);
  changed->weights["output_norm.weight"] = changed->weights["output_norm.weight"].clone();
  changed->weights["output_norm.weight"].as<float>()[3] += 1;
  Session elsewhere(std::make_shared<Engine>(changed));
  EXPECT_THROW(restore_state(elsewhere, state, "state"), Error);
  EngineOptions narrow;
  narrow.context = 64;
  Session small(std::make_shared<Engine>(model_, narrow));
  EXPECT_THROW(restore_state(small, state, "state"), Error);
}

}  // namespace
}  // namespace bantam
