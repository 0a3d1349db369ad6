#include "engine/io/npy.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return strata::fuzz::run([&] {
    return strata::io::read_npz(*strata::io::open_memory({data, size}), {.bytes = 1 << 24});
  });
}
