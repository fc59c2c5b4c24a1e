#include "models/hf/families.h"

#include "base/error.h"
#include "formats/messages.h"

namespace bantam::hf {

const Family& find_family(const JsonField& config) {
  const std::string& type = config["model_type"].text();
  std::string known;
  for (const auto families :
       {decoder_families(), mixture_families(), hybrid_families(), encoder_families()}) {
    for (const Family& family : families) {
      const bool fits = family.fits == nullptr || family.fits(config);
      if (family.model_type == type && fits) return family;
      if (known.ends_with(family.model_type)) continue;
      known += fmt::format("{}{}", known.empty() ? "" : ", ", family.model_type);
    }
  }
  fail(ErrorKind::model, config.file(), "model_type: expected one of {}, t5, mt5, umt5, got {}",
       known, bantam::quoted(type));
}

}  // namespace bantam::hf
