#include <fmt/format.h>

#include <algorithm>
#include <iostream>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "runtime/pack.h"

namespace bantam::cli {
namespace {

struct Options {
  std::string in, out;
  bool undo = false;
  int threads = 0;
};

int64_t interleaved_bytes(const Model& model) {
  int64_t bytes = 0;
  for (const auto& [name, weight] : model.weights) {
    if (weight.layout() == Layout::interleaved) bytes += weight.bytes();
  }
  return bytes;
}

void pack(const Options& o) {
  const auto model = open_model(o.in);
  const int64_t before = interleaved_bytes(*model);
  if (o.undo) {
    if (before == 0) fail(ErrorKind::model, o.in, "expected a packed model, got a plain one");
    save_model(unpack_model(*model), o.out);
    std::cout << fmt::format("{}: {} of weights as GGUF has them again\n", o.out,
                             human_bytes(before));
    return;
  }
  ThreadPool pool(o.threads);
  const Model packed = pack_model(*model, pool);
  const int64_t after = interleaved_bytes(packed);
  if (after == 0) {
    fail(ErrorKind::model, o.in,
         "expected quantised matrices of at least 16 rows, found none that can be interleaved");
  }
  save_model(packed, o.out);
  std::cout << fmt::format("{}: {} of {} interleaved; only Bantam reads this file\n", o.out,
                           human_bytes(after), human_bytes(packed.weight_bytes()));
}

}  // namespace

void add_pack(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* c = app.add_subcommand("pack", "A model file that starts at once, without a copy");
  c->add_option("input", o->in, "A .gguf file")->required();
  c->add_option("output", o->out, "The .gguf file to write")->required();
  c->add_flag("--undo", o->undo, "Back to what other GGUF runtimes read, byte for byte");
  c->callback([c, o] {
    o->threads = global_threads(*c);
    pack(*o);
  });
}

}  // namespace bantam::cli
