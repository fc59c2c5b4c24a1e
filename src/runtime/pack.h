#pragma once

#include "base/thread_pool.h"
#include "models/model.h"

namespace bantam {

// The same model with the weights that products read interleaved (tensor/layout.h). Saved, such a
// file is mapped and used without the copy that an engine makes otherwise, so that it starts at
// once and processes share its memory; other GGUF runtimes refuse it.
Model pack_model(const Model& model, ThreadPool& pool);

// Whether any weight is interleaved.
bool is_packed(const Model& model);

// The same model with all weights as GGUF has them, byte for byte what they were before packing.
Model unpack_model(const Model& model);

}  // namespace bantam
