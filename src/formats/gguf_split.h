#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "formats/gguf_writer.h"

namespace bantam {

// Models in parts, as other runtimes split them: files NAME-00001-of-00003.gguf. The first holds
// the metadata; each says with "split.no" (from 0) and "split.count" which part it is, and with
// "split.tensors.count" how many tensors the model has.

// The names of all the parts if `path` has the form of one, else `path` alone. Looks at no file.
std::vector<std::string> gguf_part_names(const std::string& path);

// Writes parts with at most `bytes` of tensor data each (a larger tensor gets a part of its own),
// or `path` itself where one file is enough. Returns the names of the files, which appear when all
// of them are complete. Throws ErrorKind::file.
std::vector<std::string> write_gguf_parts(const GgufWriter& out, const std::string& path,
                                          uint64_t bytes);

}  // namespace bantam
