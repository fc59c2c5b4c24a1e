#include "train/learn_tokenizer.h"

#include "text/bpe_trainer.h"
#include "text/unigram_trainer.h"

namespace bantam {
namespace {

template <typename Add>
void for_each_source(const LearnTokenizer& what, Add add) {
  for (const SourceSpec& source : what.sources) {
    const std::vector<std::string> documents = read_documents(source);
    std::vector<std::string_view> texts;
    for (const std::string& d : documents) {
      if (!is_held_out(d, what.held_out_every)) texts.emplace_back(d);
    }
    add(texts);
  }
}

TokenizerSpec learn_bpe(const LearnTokenizer& what, ThreadPool& pool,
                        const LearnProgress& progress) {
  BpeTrainerOptions options;
  options.vocab_size = static_cast<int32_t>(what.vocabulary);
  BpeTrainer trainer(options);
  for_each_source(what, [&](const auto& texts) { trainer.add(texts, pool); });
  return trainer.train(progress);
}

TokenizerSpec learn_unigram(const LearnTokenizer& what, const LearnProgress& progress) {
  UnigramTrainerOptions options;
  options.vocab_size = static_cast<int32_t>(what.vocabulary);
  UnigramTrainer trainer(options);
  for_each_source(what, [&](const auto& texts) { trainer.add(texts); });
  return trainer.train(progress);
}

}  // namespace

TokenizerSpec learn_tokenizer(const LearnTokenizer& what, ThreadPool& pool,
                              const LearnProgress& progress) {
  TokenizerSpec spec = what.kind == LearnTokenizer::unigram ? learn_unigram(what, progress)
                                                            : learn_bpe(what, pool, progress);
  spec.add_bos = true;
  return spec;
}

}  // namespace bantam
