#include "cpu/quant/lanes_512.h"
#include "cpu/quant/panels/dot_products.h"
#include "cpu/quant/panels/every_format.h"

namespace bantam::cpu::x86_vnni {

namespace {

struct Lanes : quant::CentredLanes<quant::Lanes512> {
  static constexpr bool kKeepsWeights = true;
  static constexpr int kSums = 4;
};

}  // namespace

extern const PanelKernels panel_kernels;
constinit const PanelKernels panel_kernels =
    quant::panels_of_every_format<Lanes, quant::DotPanelKernels<Lanes>>(
        quant::kPanelRows, 1, sizeof(quant::PanelBlock), quant::pack_unsigned, {24, 24});

}  // namespace bantam::cpu::x86_vnni
