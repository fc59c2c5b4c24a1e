#include "cpu/quant/lanes_256_vnni.h"
#include "cpu/quant/panels/dot_products.h"
#include "cpu/quant/panels/every_format.h"

namespace bantam::cpu::x86_avxvnni {

namespace {

struct Lanes : quant::CentredLanes<quant::Lanes256Vnni> {
  static constexpr bool kKeepsWeights = false;
  static constexpr int kSums = 8;
};

}  // namespace

extern const PanelKernels panel_kernels;
constinit const PanelKernels panel_kernels =
    quant::panels_of_every_format<Lanes, quant::DotPanelKernels<Lanes>>(
        quant::kPanelRows, 1, sizeof(quant::PanelBlock), quant::pack_unsigned, {48, 24});

}  // namespace bantam::cpu::x86_avxvnni
