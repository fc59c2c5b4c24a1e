#include "train/checkpoint.h"

#include "base/error.h"
#include "formats/gguf.h"
#include "formats/gguf_writer.h"

namespace bantam {

void save_checkpoint(const std::string& path, const Trainer& trainer, const RunState& state) {
  GgufWriter out;
  out.set("general.architecture", std::string("bantam-checkpoint"));
  out.set("checkpoint.steps", static_cast<uint64_t>(state.steps));
  out.set("checkpoint.epoch", state.sampler.epoch);
  out.set("checkpoint.cursor", state.sampler.cursor);
  out.set("checkpoint.seconds", state.seconds);
  out.set("checkpoint.fingerprint", state.fingerprint);
  const std::pair<const char*, const Weights*> groups[] = {{"", &trainer.weights()},
                                                           {"m.", &trainer.first_moments()},
                                                           {"v.", &trainer.second_moments()}};
  for (const auto& [prefix, weights] : groups) {
    for (const auto& [name, t] : *weights) out.add_tensor(prefix + name, t);
  }
  out.write(path);
}

RunState load_checkpoint(const std::string& path, Trainer& trainer, uint64_t fingerprint) {
  const GgufFile file = GgufFile::open(path);
  RunState state;
  state.steps = file.integer("checkpoint.steps");
  state.sampler.epoch = static_cast<uint64_t>(file.integer("checkpoint.epoch"));
  state.sampler.cursor = static_cast<uint64_t>(file.integer("checkpoint.cursor"));
  state.seconds = file.real("checkpoint.seconds");
  const GgufValue* stored = file.find("checkpoint.fingerprint");
  const auto* value = stored == nullptr ? nullptr : std::get_if<uint64_t>(stored);
  if (value == nullptr || *value != fingerprint) {
    fail(ErrorKind::model, path,
         "the checkpoint belongs to another recipe; remove it or name another output folder");
  }
  state.fingerprint = fingerprint;
  const auto read = [&](const char* prefix) {
    Weights weights;
    for (const auto& [name, t] : trainer.weights()) {
      const Tensor stored_tensor = file.tensor(prefix + name);
      if (stored_tensor.dtype() != DType::f32 || !(stored_tensor.shape() == t.shape())) {
        fail(ErrorKind::model, path, "tensor \"{}{}\": expected f32 {}, got {}", prefix, name,
             t.shape().str(), stored_tensor.shape().str());
      }
      weights[name] = stored_tensor;
    }
    return weights;
  };
  trainer.restore(state.steps, read(""), read("m."), read("v."));
  return state;
}

}  // namespace bantam
