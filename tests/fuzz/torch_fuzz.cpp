#include "engine/io/torch_file.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return strata::fuzz::run([&] {
    return strata::io::read_torch(*strata::io::open_memory({data, size}));
  });
}
