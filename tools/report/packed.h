// Long lists of numbers inside JSON, small and quick to read: {"u8": base64 of the bytes,
// little-endian}. 100,000 positions are 0.5 MB where digits would take 0.9, and the page reads them
// in milliseconds. CONTRACT.md says where a list may be packed.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include "engine/error.h"

namespace strata::report {

// {"f32": ...}; what is not finite stays so.
nlohmann::json pack(std::span<const float> values);
// {"u8": ...}, "u16" or "u32", the smallest that holds them all. A number below 0 or above 2^32 - 1
// is an error.
nlohmann::json pack(std::span<const int64_t> values, Caller at = Caller::here());

// How many numbers a list or a packed list holds; -1 for what is neither.
int64_t packed_count(const nlohmann::json& list);
// The numbers of a list or a packed list. What is neither, a null, or text that is no base64 is an
// error.
std::vector<double> unpack(const nlohmann::json& list, Caller at = Caller::here());

}  // namespace strata::report
