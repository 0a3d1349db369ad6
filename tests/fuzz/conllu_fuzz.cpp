#include "engine/data/conllu.h"

#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return strata::fuzz::run([&] {
    strata::Treebank bank = strata::parse_conllu({data, size}, "fuzz");
    if (bank.sentences.empty() || bank.words() == 0) std::abort();
    return strata::empty({0});
  });
}
