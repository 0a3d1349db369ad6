#include "engine/data/wav.h"

#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return strata::fuzz::run([&] { return strata::parse_wav({data, size}, "fuzz").samples; });
}
