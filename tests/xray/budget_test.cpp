// Every kernel of the catalogue under the x-ray: no races, and no more sectors and wavefronts than
// its budget. The budget is 1.1 times the fewest sectors and 1.05 times the fewest wavefronts, save
// for those in budgets.h, which say why. Pipelines have no races at longer shapes either.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>

#include "kernels/sim/simulator.h"
#include "tests/xray/budgets.h"
#include "tools/xray/report.h"

namespace strata::xray {
namespace {

struct Case {
  const Subject* subject;
  DType dtype;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const Subject& subject : catalogue()) {
    if (subject.dtypes.empty())
      throw std::runtime_error(subject.name + " takes no type at its own shape");
    all.push_back({&subject, subject.dtypes[0]});
  }
  return all;
}

class Budget : public ::testing::TestWithParam<Case> {};

TEST_P(Budget, IsKept) {
  const auto [subject, dtype] = GetParam();
  const Examination e = examine(*subject, subject->shape, dtype, gpu::h100(), true);
  double sectors = 1, wavefronts = 1;
  for (const sim::KernelReport& kernel : e.kernels) {
    sectors = std::max(sectors, kernel.sector_excess());
    wavefronts = std::max(wavefronts, kernel.wavefront_excess());
    EXPECT_TRUE(kernel.races.empty()) << to_text(e);
  }
  const Allowed allowed = allowed_for(subject->name);
  EXPECT_LE(sectors, allowed.sectors) << to_text(e);
  EXPECT_LE(wavefronts, allowed.wavefronts) << to_text(e);
  // An exception that is no longer needed goes.
  if (allowed.exception) {
    EXPECT_TRUE(sectors > Allowed{}.sectors || wavefronts > Allowed{}.wavefronts)
        << subject->name << " keeps the common budget now: take it out of budgets.h";
  }
}

std::string identifier(std::string name) {
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return !std::isalnum(c); }, '_');
  return name;
}
std::string test_name(const ::testing::TestParamInfo<Case>& info) {
  return identifier(info.param.subject->name);
}
void PrintTo(const Case& c, std::ostream* out) { *out << c.subject->name; }
INSTANTIATE_TEST_SUITE_P(Catalogue, Budget, ::testing::ValuesIn(cases()), test_name);

// What goes round in stages of shared memory, at shapes that fill each stage again, on a device so
// small that persistent blocks have several tiles: a buffer that is written too soon shows then.
struct Pipeline {
  const char* name;
  const char* shape;
};
constexpr Pipeline pipelines[] = {
    {"gemm/03_shared_tile", "64x64x128"},
    {"gemm/07_warp_tile", "256x128x128"},
    {"gemm/08_tensor_core", "128x128x256"},
    {"gemm/09_pipelined", "256x256x512"},
    {"gemm/split_k", "64x64x2048"},
    {"gemm/stream_k", "256x384x512"},
    {"gemm/10_tma_wgmma", "512x512x448"},
    {"gemm/11_warp_specialised", "512x512x448"},
    {"gemm/12_two_consumers", "512x512x448"},
    {"gemm/13_persistent", "512x512x448"},
    {"gemm/14_ping_pong", "512x512x448"},
    {"gemm/15_cluster", "512x512x448"},
    {"gemm/16_tma_store", "512x512x448"},
    {"gemm/17_tf32", "512x512x224"},
    {"gemm/19_hopper_skinny", "16x256x2048"},
    {"conv/04_tma_im2col/forward", "1x32x32x128x128x3"},
    {"conv/04_tma_im2col/input_gradient", "1x32x32x128x128x3"},
    {"conv/04_tma_im2col/weight_gradient", "1x32x32x64x64x3"},
    {"conv/05_persistent/forward", "1x32x32x128x128x3"},
    {"conv/05_persistent/input_gradient", "1x32x32x128x128x3"},
    {"attention/03_flash2", "1x384x1x64"},
    {"attention/04_flash2_backward/gradient", "1x384x1x64"},
    {"attention/05_flash3", "1x512x2x64"},
    {"attention/06_flash3_backward/gradient", "1x512x2x64"},
};
class Stages : public ::testing::TestWithParam<Pipeline> {};
TEST_P(Stages, AreNotFilledTooSoon) {
  const Subject& kernel = subject(GetParam().name);
  gpu::DeviceInfo small = gpu::h100();
  small.multiprocessors = 4;
  for (const uint64_t seed : {0, 1}) {
    sim::Scoped scoped;
    sim::config().seed = seed;
    const Examination e =
        examine(kernel, parse_shape(GetParam().shape), kernel.dtypes[0], small, true);
    for (const sim::KernelReport& report : e.kernels)
      EXPECT_TRUE(report.races.empty()) << "seed " << seed << "\n" << to_text(e);
  }
}
std::string pipeline_name(const ::testing::TestParamInfo<Pipeline>& info) {
  return identifier(info.param.name);
}
void PrintTo(const Pipeline& p, std::ostream* out) { *out << p.name; }
INSTANTIATE_TEST_SUITE_P(Catalogue, Stages, ::testing::ValuesIn(pipelines), pipeline_name);

TEST(Catalogue, EveryFamilyIsThere) {
  std::map<std::string, int> families;
  for (const Subject& subject : catalogue())
    ++families[subject.name.substr(0, subject.name.find('/'))];
  for (const auto& folder : std::filesystem::directory_iterator(STRATA_SOURCE_DIR "/kernels")) {
    const bool family = std::filesystem::exists(folder.path() / "README.md");
    EXPECT_EQ(families.count(folder.path().filename()), family ? 1u : 0u) << folder.path();
  }
}

TEST(Catalogue, SaysWhatIsWrong) {
  EXPECT_THROW(subject("gemm/99_magic"), std::runtime_error);
  EXPECT_THROW(parse_shape("64x"), std::runtime_error);
  EXPECT_THROW(parse_shape("64x-3"), std::runtime_error);
  EXPECT_EQ(parse_shape("64x32x3"), (Shape{64, 32, 3}));
  EXPECT_THROW(device_named("B900"), std::runtime_error);
  EXPECT_EQ(device_named("rtx 4090").name, "RTX 4090");
}

TEST(Page, HoldsTheSourceAndEndsNoScript) {
  const Subject& kernel = subject("gemm/03_shared_tile");
  const Examination e = examine(kernel, kernel.shape, DType::f32, gpu::h200(), false);
  const std::string page = to_page(e);
  EXPECT_NE(page.find("gemm_shared_tile_kernel"), std::string::npos);
  EXPECT_NE(page.find("sum += shared.a[y][k]"), std::string::npos);
  EXPECT_EQ(page.find("src=\"http"), std::string::npos);
}

}  // namespace
}  // namespace strata::xray
