#pragma once

#include <memory>

#include "models/model.h"

namespace bantam {

// The model that is part of the program: small, 4-bit, English; models/default tells how it was
// made. Its weights are read in place. Throws ErrorKind::model if the program was built without it.
std::shared_ptr<const Model> default_model();

}  // namespace bantam
