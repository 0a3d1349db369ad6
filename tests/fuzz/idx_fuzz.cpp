// IDX, as it is and unpacked when it begins as gzip does.
#include "engine/data/idx.h"

#include "engine/data/files.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return strata::fuzz::run([&] {
    return strata::parse_idx(strata::unpack("idx", {data, size}, "fuzz", 16 << 20), "fuzz");
  });
}
