/* The C interface, used from C: compiled by a C compiler, and run. */
#include <bantam/bantam.h>
#include <stdio.h>
#include <string.h>

static int failures = 0;

static void expect(int condition, const char* what) {
  if (condition) return;
  fprintf(stderr, "expected: %s (bantam_error: \"%s\")\n", what, bantam_error());
  ++failures;
}

static int count_bytes(const char* text, size_t length, void* user) {
  (void)text;
  *(size_t*)user += length;
  return 1;
}

static void use(bantam_model* model) {
  const char* text = "The little dog";
  int32_t ids[64];
  char back[256] = "";
  size_t bytes = 0;
  int64_t n = bantam_tokenize(model, text, strlen(text), ids, 64);
  expect(n > 0 && n <= 64, "a few tokens");
  expect(bantam_tokenize(model, text, strlen(text), NULL, 0) == n, "the same count without room");
  int64_t length = bantam_detokenize(model, ids, (size_t)n, back, sizeof back - 1);
  expect(length == (int64_t)strlen(text) && strcmp(back, text) == 0, "the same text back");
  expect(bantam_vocab_size(model) > 256 && bantam_context(model) > 0, "a vocabulary and a context");

  bantam_generate_options options = bantam_generate_defaults();
  options.max_tokens = 8;
  options.temperature = 0;
  n = bantam_generate(model, text, &options, count_bytes, &bytes);
  expect(n > 0 && n <= 8 && bytes > 0, "up to 8 tokens of text");
  options.top_p = 2;
  expect(bantam_generate(model, text, &options, NULL, NULL) == -BANTAM_ERROR_USAGE,
         "a usage error for top_p = 2");
  expect(strstr(bantam_error(), "top-p") != NULL, "a message that names top-p");
}

static void type(const bantam_model* model) {
  const bantam_suggestion* words = NULL;
  bantam_suggester* keyboard = bantam_suggester_new(model, 3);
  expect(keyboard != NULL, "a keyboard");
  expect(bantam_suggest(keyboard, "I am going to the ", &words) == 3, "3 next words");
  expect(words[0].completes == 0 && words[0].probability >= words[2].probability, "best first");
  expect(bantam_suggest(keyboard, "I am going to the sto", &words) == 3, "3 words that complete");
  expect(words[0].completes == 1 && strncmp(words[0].word, "sto", 3) == 0, "a word with sto");
  expect(bantam_suggest(keyboard, NULL, &words) == -BANTAM_ERROR_USAGE, "a usage error");
  bantam_suggester_free(keyboard);
}

int main(void) {
  expect(bantam_load("no/such/file.gguf", NULL) == NULL, "no model from a missing file");
  expect(strstr(bantam_error(), "no/such/file.gguf") != NULL, "a message that names the file");
  bantam_free(NULL);
  expect(bantam_generate(NULL, "x", NULL, NULL, NULL) == -BANTAM_ERROR_USAGE, "a usage error");
  expect(bantam_suggester_new(NULL, 3) == NULL, "no keyboard without a model");
  bantam_suggester_free(NULL);
  expect(strlen(bantam_version()) > 0, "a version");

  bantam_model* model = bantam_load(NULL, NULL);
  if (model == NULL) {
    fprintf(stderr, "SKIPPED the rest: %s\n", bantam_error());
  } else {
    use(model);
    type(model);
    bantam_free(model);
  }
  return failures == 0 ? 0 : 1;
}
