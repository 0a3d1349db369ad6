// CIFAR-10 when the first byte is even, CIFAR-100 otherwise.
#include "engine/data/cifar.h"

#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return strata::fuzz::run([&] {
    bool hundred = size > 0 && data[0] % 2 == 1;
    std::span<const uint8_t> rest(data + (size > 0), size - (size > 0));
    strata::CifarRecords records = strata::parse_cifar(rest, hundred ? 100 : 10, "fuzz");
    return strata::from_vector(records.labels, {static_cast<int64_t>(records.labels.size())});
  });
}
