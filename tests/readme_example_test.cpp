#include <gtest/gtest.h>

#include <iostream>

#include "base/error.h"
#include "runtime/default_model.h"
#include "runtime/session.h"

// The README's C++ example, compiled and run.

namespace {

TEST(Readme, TheExampleContinuesAText) {
  std::shared_ptr<const bantam::Model> model;
  try {
    model = bantam::default_model();
  } catch (const bantam::Error& e) {
    GTEST_SKIP() << "no default model: " << e.what();
  }
  auto engine = std::make_shared<bantam::Engine>(model);
  bantam::Session session(engine);
  bantam::GenerateOptions options;
  options.max_tokens = 40;
  std::string text;
  session.generate("Once upon a time", options, [&](std::string_view piece) {
    text += piece;
    return true;  // false stops
  });
  EXPECT_FALSE(text.empty());
}

}  // namespace
