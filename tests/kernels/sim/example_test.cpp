// The example of kernels/README.md compiles, runs, and is the one that the page shows.
#include <fstream>
#include <sstream>

#include "tests/kernels/support/gpu_test.h"

namespace strata::gpu {

void scale(int n, float factor, float* x);

namespace {

TEST(KernelsPage, ItsExampleRuns) {
  test::for_each_schedule([] {
    test::DeviceBuffer<float> x(std::vector<float>(1000, 3));
    scale(1000, 2, x.data());
    EXPECT_EQ(x.host(), std::vector<float>(1000, 6));
  });
}

TEST(KernelsPage, ItsExampleIsThisOne) {
  const std::string source_dir = STRATA_SOURCE_DIR;
  std::ifstream page_file(source_dir + "/kernels/README.md"),
      example(source_dir + "/tests/kernels/sim/example.cu");
  const std::string page((std::istreambuf_iterator<char>(page_file)), {});
  std::string shown;
  bool inside = false;
  for (std::string line; std::getline(example, line);) {
    if (inside) shown += line + "\n";
    inside |= line == "// README begin";
  }
  EXPECT_GT(shown.size(), 100u);
  EXPECT_NE(page.find(shown), std::string::npos) << shown;
}

}  // namespace
}  // namespace strata::gpu
