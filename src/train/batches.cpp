#include "train/batches.h"

#include "data/pair_sampler.h"

namespace bantam {

namespace {

template <typename Shards>
struct Both {
  Shards train, valid;
};

RunBatches text_batches(const PreparedData& data, const TrainerOptions& o) {
  const auto shards = std::make_shared<Both<ShardSet>>(
      Both<ShardSet>{ShardSet({data.train_path}), ShardSet(data.valid_paths)});
  const BatchShape shape{o.sequences, o.length};
  RunBatches b;
  b.shards = shards;
  b.train = std::make_unique<Sampler>(shards->train, shape, o.seed);
  b.valid = std::make_unique<SequentialBatches>(shards->valid, shape);
  b.tokens = shards->train.tokens();
  b.steps_per_epoch = static_cast<double>(b.tokens) / static_cast<double>(o.tokens_per_step());
  return b;
}

RunBatches pair_batches(const PreparedData& data, const ModelConfig& config,
                        const TrainerOptions& o) {
  const auto shards = std::make_shared<Both<PairShards>>(
      Both<PairShards>{PairShards({data.train_path}), PairShards(data.valid_paths)});
  const PairShape shape{
      {o.sequences, o.length}, o.source_rows() / o.sequences, config.decoder_start_token};
  RunBatches b;
  b.shards = shards;
  b.train = std::make_unique<PairSampler>(shards->train, shape, o.seed);
  b.valid = std::make_unique<SequentialPairs>(shards->valid, shape);
  b.tokens = shards->train.target_tokens();
  b.steps_per_epoch = static_cast<double>(shards->train.pairs()) /
                      static_cast<double>(o.sequences * o.accumulation);
  return b;
}

}  // namespace

RunBatches make_batches(const PreparedData& data, const ModelConfig& config,
                        const TrainerOptions& options) {
  return config.reads_source() ? pair_batches(data, config, options) : text_batches(data, options);
}

}  // namespace bantam
