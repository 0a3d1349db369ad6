// Every kernel of the catalogue under the x-ray: no races, and no more sectors and wavefronts than
// its budget. The budget is 1.1 times the fewest sectors and 1.05 times the fewest wavefronts, save
// for the kernels below, which say why.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>

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

std::string test_name(const ::testing::TestParamInfo<Case>& info) {
  std::string name = info.param.subject->name;
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return !std::isalnum(c); }, '_');
  return name;
}
void PrintTo(const Case& c, std::ostream* out) { *out << c.subject->name; }
INSTANTIATE_TEST_SUITE_P(Catalogue, Budget, ::testing::ValuesIn(cases()), test_name);

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
