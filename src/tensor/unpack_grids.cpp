// Formats whose levels come from a grid.

#include "base/half.h"
#include "tensor/unpack.h"

namespace bantam {

namespace {

// Eight elements from a grid entry, negative where `signs` has a bit.
void signed_octet(uint64_t entry, uint32_t signs, int8_t* q) {
  for (int i = 0; i < 8; ++i) {
    const auto magnitude = static_cast<int8_t>(entry >> (8 * i));
    q[i] = static_cast<int8_t>((signs >> i) & 1 ? -magnitude : magnitude);
  }
}

uint64_t two_quartets(uint32_t first, uint32_t second) {
  return first | (static_cast<uint64_t>(second) << 32);
}

// Seven signs and the eighth that makes their number even.
uint32_t eight_signs(uint32_t seven) {
  const auto odd = static_cast<uint32_t>(__builtin_popcount(seven & 127u)) & 1u;
  return (seven & 127u) | (odd << 7);
}

int8_t odd_scale(uint32_t bits) {
  return static_cast<int8_t>(2 * bits + 1);
}

template <typename Word>
Word word(const uint8_t* bytes) {
  Word value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

// Four bits for each half of 16 of 32.
void half_scales(const uint8_t* packed, UnpackedBlock& out) {
  for (int s = 0; s < 16; ++s) out.scale[s] = odd_scale((packed[s / 2] >> (s % 2 * 4)) & 15u);
}

// Entries of kGridIq1 are eighths, and so is the delta.
void shifted_octet(uint32_t index, bool minus, int8_t* q) {
  const uint64_t entry = kGridIq1.entry[index];
  for (int i = 0; i < 8; ++i) {
    q[i] = static_cast<int8_t>(static_cast<int8_t>(entry >> (8 * i)) + (minus ? -1 : 1));
  }
}

}  // namespace

void unpack(const BlockIQ2_XXS& block, UnpackedBlock& out) {
  out.d = f16_to_float(block.d) * 0.125f;
  for (int g = 0; g < 8; ++g) {
    const uint8_t* indices = block.q + 8 * g;
    const auto rest = word<uint32_t>(indices + 4);
    out.scale[2 * g] = out.scale[2 * g + 1] = odd_scale(rest >> 28);
    for (int l = 0; l < 4; ++l) {
      signed_octet(kGridIq2Xxs.entry[indices[l]], eight_signs(rest >> (7 * l)),
                   out.q + 32 * g + 8 * l);
    }
  }
}

void unpack(const BlockIQ2_XS& block, UnpackedBlock& out) {
  out.d = f16_to_float(block.d) * 0.125f;
  half_scales(block.scales, out);
  for (int l = 0; l < 32; ++l) {
    const uint32_t w = word<uint16_t>(block.q + 2 * l);
    signed_octet(kGridIq2Xs.entry[w & 511], eight_signs(w >> 9), out.q + 8 * l);
  }
}

void unpack(const BlockIQ2_S& block, UnpackedBlock& out) {
  out.d = f16_to_float(block.d) * 0.125f;
  half_scales(block.scales, out);
  for (int l = 0; l < 32; ++l) {
    const int high = (block.high[l / 4] >> (l % 4 * 2)) & 3;
    signed_octet(kGridIq2S.entry[block.q[l] | (high << 8)], block.signs[l], out.q + 8 * l);
  }
}

void unpack(const BlockIQ3_XXS& block, UnpackedBlock& out) {
  out.d = f16_to_float(block.d) * 0.25f;
  for (int g = 0; g < 8; ++g) {
    const auto rest = word<uint32_t>(block.signs + 4 * g);
    out.scale[2 * g] = out.scale[2 * g + 1] = odd_scale(rest >> 28);
    for (int l = 0; l < 4; ++l) {
      const uint8_t* indices = block.q + 8 * g + 2 * l;
      signed_octet(two_quartets(kGridIq3Xxs.entry[indices[0]], kGridIq3Xxs.entry[indices[1]]),
                   eight_signs(rest >> (7 * l)), out.q + 32 * g + 8 * l);
    }
  }
}

void unpack(const BlockIQ3_S& block, UnpackedBlock& out) {
  out.d = f16_to_float(block.d);
  for (int g = 0; g < 8; ++g) {
    out.scale[2 * g] = out.scale[2 * g + 1] = odd_scale((block.scales[g / 2] >> (g % 2 * 4)) & 15u);
  }
  const auto quartet = [&](int i) {
    return kGridIq3S.entry[block.q[i] | (((block.high[i / 8] >> (i % 8)) & 1) << 8)];
  };
  for (int l = 0; l < 32; ++l) {
    signed_octet(two_quartets(quartet(2 * l), quartet(2 * l + 1)), block.signs[l], out.q + 8 * l);
  }
}

void unpack(const BlockIQ1_S& block, UnpackedBlock& out) {
  out.d = f16_to_float(block.d) * 0.125f;
  for (int g = 0; g < 8; ++g) {
    const uint32_t high = block.high[g];
    out.scale[2 * g] = out.scale[2 * g + 1] = odd_scale((high >> 12) & 7);
    for (int l = 0; l < 4; ++l) {
      shifted_octet(block.q[4 * g + l] | (((high >> (3 * l)) & 7) << 8), (high & 0x8000u) != 0,
                    out.q + 32 * g + 8 * l);
    }
  }
}

void unpack(const BlockIQ1_M& block, UnpackedBlock& out) {
  uint32_t d = 0;
  for (int w = 0; w < 4; ++w) {
    const uint32_t scales = word<uint16_t>(block.scales + 2 * w);
    d |= (scales >> 12) << (4 * w);
    for (int s = 0; s < 4; ++s) out.scale[4 * w + s] = odd_scale((scales >> (3 * s)) & 7);
  }
  out.d = f16_to_float(static_cast<uint16_t>(d)) * 0.125f;
  for (int l = 0; l < 32; ++l) {
    const uint32_t high = static_cast<uint32_t>(block.high[l / 2] >> (l % 2 * 4));
    shifted_octet(block.q[l] | ((high & 7) << 8), (high & 8) != 0, out.q + 8 * l);
  }
}

}  // namespace bantam
