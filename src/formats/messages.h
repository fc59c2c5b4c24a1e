#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace bantam {

// A name from an untrusted file, made fit for a message: in quotes, unprintable bytes as \xNN, and
// cut after 80 bytes.
std::string quoted(std::string_view name);

// 412316860 -> "412,316,860"
std::string grouped(uint64_t number);

}  // namespace bantam
