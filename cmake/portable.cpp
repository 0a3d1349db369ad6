// arc4random for programs of STRATA_PORTABLE: the C++ library's std::random_device asks for it,
// glibc has it since 2.36, and it is all that would keep them off Ubuntu 22.04 (2.35).
#include <sys/random.h>

#include <cstdint>
#include <cstdlib>

extern "C" uint32_t arc4random() {
  uint32_t bits = 0;
  if (getrandom(&bits, sizeof bits, 0) != static_cast<ssize_t>(sizeof bits)) std::abort();
  return bits;
}
