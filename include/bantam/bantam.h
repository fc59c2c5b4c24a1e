/* Bantam: the C interface.
 *
 *   bantam_model* model = bantam_load("model.gguf", NULL);     // NULL path: the built-in model
 *   if (!model) { fprintf(stderr, "%s\n", bantam_error()); return 1; }
 *   bantam_generate_options options = bantam_generate_defaults();
 *   options.max_tokens = 50;
 *   bantam_generate(model, "Once upon a time", &options, on_text, NULL);
 *   bantam_free(model);
 *
 * Every function may be called from any thread; calls on one model take turns. Functions that can
 * fail return NULL or a negative number and leave a message for bantam_error() in the same thread.
 */
#ifndef BANTAM_H
#define BANTAM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bantam_model bantam_model;
typedef struct bantam_suggester bantam_suggester;

/* What went wrong; returned negated: -BANTAM_ERROR_FILE. */
enum bantam_error_kind {
  BANTAM_ERROR_USAGE = 1,
  BANTAM_ERROR_FILE,
  BANTAM_ERROR_FORMAT,
  BANTAM_ERROR_MODEL,
  BANTAM_ERROR_RESOURCE,
  BANTAM_ERROR_INTERNAL
};

typedef struct {
  int32_t threads; /* 0: one per core that is free to use */
  int32_t context; /* tokens; 0: what the model was trained for */
} bantam_load_options;

typedef struct {
  int32_t max_tokens;       /* 0: until the context is full */
  float temperature;        /* 0: always the most probable token */
  int32_t top_k;            /* 0: all */
  float top_p;              /* 1: all */
  float min_p;              /* 0: all */
  float repetition_penalty; /* 1: none */
  uint64_t seed;
  const char* const* stop; /* texts that end the output, or NULL */
  size_t stop_count;
} bantam_generate_options;

/* Gets the text as it comes, whole UTF-8 characters, not terminated. Returning 0 stops. */
typedef int (*bantam_on_text)(const char* text, size_t length, void* user);

/* The version of the library, "0.1.0". */
const char* bantam_version(void);
/* The message of this thread's last failure; "" if there was none. Valid until its next call. */
const char* bantam_error(void);

/* Opens a GGUF file (path) or, with NULL, the built-in model. options may be NULL. */
bantam_model* bantam_load(const char* path, const bantam_load_options* options);
/* Accepts NULL. */
void bantam_free(bantam_model* model);

/* Tokens of a vocabulary; positions of the context. */
int32_t bantam_vocab_size(const bantam_model* model);
int32_t bantam_context(const bantam_model* model);

/* Writes at most `capacity` token ids and returns how many the text has. `tokens` may be NULL if
 * the capacity is 0. */
int64_t bantam_tokenize(const bantam_model* model, const char* text, size_t length, int32_t* tokens,
                        size_t capacity);
/* Writes at most `capacity` bytes of the tokens' text (not terminated) and returns its length. */
int64_t bantam_detokenize(const bantam_model* model, const int32_t* tokens, size_t count,
                          char* text, size_t capacity);

bantam_generate_options bantam_generate_defaults(void);
/* Continues the prompt (UTF-8, terminated) and returns the number of tokens generated. options and
 * on_text may be NULL. */
int64_t bantam_generate(bantam_model* model, const char* prompt,
                        const bantam_generate_options* options, bantam_on_text on_text, void* user);

typedef struct {
  const char* word;   /* whole, also where its beginning is typed already; terminated */
  double probability; /* given the text so far */
  int32_t completes;  /* 1: it ends the word that the text breaks off in; 0: it follows the text */
} bantam_suggestion;

/* For keyboards: suggests the `count` most probable next words, call after call as a text is typed.
 * It keeps the model, which may be freed before it, and has caches of its own.
 *
 *   bantam_suggester* keyboard = bantam_suggester_new(model, 3);
 *   const bantam_suggestion* words;
 *   int64_t n = bantam_suggest(keyboard, "I am going to the sto", &words);
 */
bantam_suggester* bantam_suggester_new(const bantam_model* model, size_t count);
/* Accepts NULL. */
void bantam_suggester_free(bantam_suggester* suggester);
/* The words after a text (UTF-8, terminated), best first, and how many they are. They are valid
 * until the suggester's next call, so its callers must take turns themselves. */
int64_t bantam_suggest(bantam_suggester* suggester, const char* text,
                       const bantam_suggestion** words);

#ifdef __cplusplus
}
#endif

#endif /* BANTAM_H */
