#include <algorithm>
#include <cstring>
#include <mutex>

#include "bantam/bantam.h"
#include "base/error.h"
#include "runtime/default_model.h"
#include "runtime/session.h"
#include "runtime/suggest.h"

struct bantam_model {
  std::shared_ptr<bantam::Engine> engine;
  std::mutex mutex;  // one generation at a time: all use the engine's only sequence
};

struct bantam_suggester {
  bantam::Suggester keyboard;
  std::vector<bantam::Suggestion> words;  // of the last call
  std::vector<bantam_suggestion> views;
};

namespace {

thread_local std::string last_error;

int code(bantam::ErrorKind kind) {
  switch (kind) {
    case bantam::ErrorKind::usage:
      return -BANTAM_ERROR_USAGE;
    case bantam::ErrorKind::file:
      return -BANTAM_ERROR_FILE;
    case bantam::ErrorKind::format:
      return -BANTAM_ERROR_FORMAT;
    case bantam::ErrorKind::model:
      return -BANTAM_ERROR_MODEL;
    case bantam::ErrorKind::resource:
      return -BANTAM_ERROR_RESOURCE;
    case bantam::ErrorKind::internal:
      break;
  }
  return -BANTAM_ERROR_INTERNAL;
}

// Runs the body; an exception becomes a message and a negative number.
template <typename Body>
int64_t guarded(const Body& body) noexcept {
  try {
    last_error.clear();
    return body();
  } catch (const bantam::Error& e) {
    last_error = e.what();
    return code(e.kind());
  } catch (const std::bad_alloc&) {
    last_error = "out of memory";
    return -BANTAM_ERROR_RESOURCE;
  } catch (const std::exception& e) {
    last_error = e.what();
    return -BANTAM_ERROR_INTERNAL;
  }
}

void need(bool given, const char* what) {
  if (!given)
    bantam::fail(bantam::ErrorKind::usage, "c api", "{}: expected a pointer, got NULL", what);
}

const bantam::Tokenizer& tokenizer_of(const bantam_model* model) {
  need(model != nullptr, "model");
  const auto& tokenizer = model->engine->model().tokenizer;
  if (!tokenizer) bantam::fail_without_tokenizer(model->engine->model());
  return *tokenizer;
}

bantam::GenerateOptions convert(const bantam_generate_options& o) {
  bantam::GenerateOptions g;
  g.max_tokens = o.max_tokens;
  g.sampler.temperature = o.temperature;
  g.sampler.top_k = o.top_k;
  g.sampler.top_p = o.top_p;
  g.sampler.min_p = o.min_p;
  g.sampler.repetition_penalty = o.repetition_penalty;
  g.sampler.seed = o.seed;
  need(o.stop_count == 0 || o.stop != nullptr, "stop");
  for (size_t i = 0; i < o.stop_count; ++i) g.stop.emplace_back(o.stop[i]);
  return g;
}

}  // namespace

const char* bantam_version(void) {
  return BANTAM_VERSION;
}

const char* bantam_error(void) {
  return last_error.c_str();
}

bantam_model* bantam_load(const char* path, const bantam_load_options* options) {
  bantam_model* result = nullptr;
  guarded([&] {
    auto model = path == nullptr
                     ? bantam::default_model()
                     : std::make_shared<const bantam::Model>(bantam::load_model(std::string(path)));
    bantam::EngineOptions o;
    if (options != nullptr) {
      o.threads = options->threads;
      o.context = options->context;
    }
    auto engine = std::make_shared<bantam::Engine>(std::move(model), o);
    result = new bantam_model{std::move(engine), {}};
    return 0;
  });
  return result;
}

void bantam_free(bantam_model* model) {
  delete model;
}

int32_t bantam_vocab_size(const bantam_model* model) {
  return model == nullptr ? 0 : static_cast<int32_t>(model->engine->vocab_size());
}

int32_t bantam_context(const bantam_model* model) {
  return model == nullptr ? 0 : static_cast<int32_t>(model->engine->context());
}

int64_t bantam_tokenize(const bantam_model* model, const char* text, size_t length, int32_t* tokens,
                        size_t capacity) {
  return guarded([&] {
    need(text != nullptr || length == 0, "text");
    need(tokens != nullptr || capacity == 0, "tokens");
    const auto ids = tokenizer_of(model).encode(std::string_view(text, length));
    std::copy_n(ids.begin(), std::min(capacity, ids.size()), tokens);
    return static_cast<int64_t>(ids.size());
  });
}

int64_t bantam_detokenize(const bantam_model* model, const int32_t* tokens, size_t count,
                          char* text, size_t capacity) {
  return guarded([&] {
    need(tokens != nullptr || count == 0, "tokens");
    need(text != nullptr || capacity == 0, "text");
    const std::string s = tokenizer_of(model).decode(std::span(tokens, count));
    std::copy_n(s.begin(), std::min(capacity, s.size()), text);
    return static_cast<int64_t>(s.size());
  });
}

bantam_generate_options bantam_generate_defaults(void) {
  const bantam::GenerateOptions g;
  bantam_generate_options o;
  std::memset(&o, 0, sizeof o);
  o.max_tokens = static_cast<int32_t>(g.max_tokens);
  o.temperature = g.sampler.temperature;
  o.top_k = g.sampler.top_k;
  o.top_p = g.sampler.top_p;
  o.min_p = g.sampler.min_p;
  o.repetition_penalty = g.sampler.repetition_penalty;
  o.seed = g.sampler.seed;
  return o;
}

int64_t bantam_generate(bantam_model* model, const char* prompt,
                        const bantam_generate_options* options, bantam_on_text on_text,
                        void* user) {
  return guarded([&] {
    need(model != nullptr, "model");
    need(prompt != nullptr, "prompt");
    const std::lock_guard lock(model->mutex);
    bantam::Session session(model->engine);
    const auto show = [&](std::string_view piece) {
      return on_text == nullptr || on_text(piece.data(), piece.size(), user) != 0;
    };
    const auto o = convert(options != nullptr ? *options : bantam_generate_defaults());
    return static_cast<int64_t>(session.generate(prompt, o, show).tokens.size());
  });
}

bantam_suggester* bantam_suggester_new(const bantam_model* model, size_t count) {
  bantam_suggester* result = nullptr;
  guarded([&] {
    need(model != nullptr, "model");
    bantam::SuggestOptions o;
    o.count = count;
    o.threads = model->engine->threads();
    result = new bantam_suggester{bantam::Suggester(model->engine->shared_model(), o), {}, {}};
    return 0;
  });
  return result;
}

void bantam_suggester_free(bantam_suggester* suggester) {
  delete suggester;
}

int64_t bantam_suggest(bantam_suggester* suggester, const char* text,
                       const bantam_suggestion** words) {
  return guarded([&] {
    need(suggester != nullptr, "suggester");
    need(text != nullptr, "text");
    need(words != nullptr, "words");
    suggester->words = suggester->keyboard.suggest(text);
    suggester->views.clear();
    for (const bantam::Suggestion& s : suggester->words) {
      suggester->views.push_back({s.word.c_str(), s.probability, s.completes ? 1 : 0});
    }
    *words = suggester->views.data();
    return static_cast<int64_t>(suggester->views.size());
  });
}
