// The conformance program's own parts: golden files come back as they were written, differences are
// found, and probes do not depend on where they run among others.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <set>

#include "tests/kernels/conformance/golden.h"

namespace strata::test {
namespace {

class Folder {
 public:
  Folder()
      : path_(std::filesystem::temp_directory_path() /
              ("strata_conformance_" + std::to_string(getpid()))) {}
  ~Folder() { std::filesystem::remove_all(path_); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

Bytes bytes_of(const std::vector<float>& values) {
  Bytes bytes(values.size() * sizeof(float));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

TEST(Conformance, GoldenFilesComeBack) {
  const Folder folder;
  const Bytes bytes{1, 2, 3, 0, 255};
  EXPECT_FALSE(read_golden(folder.path(), "a probe"));
  write_golden(folder.path() / "card", "a probe, of 3", bytes);
  EXPECT_EQ(read_golden(folder.path() / "card", "a probe, of 3"), bytes);
  EXPECT_EQ(golden_folders(folder.path()), std::vector{folder.path() / "card"});
}

TEST(Conformance, BrokenGoldenFilesAreRefused) {
  const Folder folder;
  write_golden(folder.path(), "probe", {1, 2, 3});
  const std::filesystem::path path = golden_path(folder.path(), "probe");
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
  EXPECT_THROW(read_golden(folder.path(), "probe"), std::runtime_error);
  std::ofstream(path) << "nonsense";
  EXPECT_THROW(read_golden(folder.path(), "probe"), std::runtime_error);
}

TEST(Conformance, DifferencesAreFound) {
  EXPECT_EQ(difference({{1, 2, 3}}, {1, 2, 3}), "");
  EXPECT_NE(difference({{1, 2, 3}}, {1, 2, 4}).find("byte 2"), std::string::npos);
  EXPECT_NE(difference({{1, 2, 3}}, {1, 2}), "");
  const Outcome floats{bytes_of({1, 2, NAN}), {0.1, 0.1, 0}};
  EXPECT_EQ(difference(floats, bytes_of({1.05f, 2, NAN})), "");
  EXPECT_NE(difference(floats, bytes_of({1, 2.2f, NAN})).find("float 1"), std::string::npos);
  EXPECT_NE(difference(floats, bytes_of({1, 2, 3})).find("float 2"), std::string::npos);
}

TEST(Conformance, NamesOfProbesAreUnique) {
  std::set<std::string> files;
  for (const Probe& probe : probes())
    EXPECT_TRUE(files.insert(golden_path("", probe.name).string()).second) << probe.name;
  EXPECT_GT(files.size(), 200u);
}

// A layout probe that gave the same for every place of its operand would show nothing.
TEST(Conformance, LayoutProbesTellLayoutsApart) {
  std::set<Bytes> outcomes;
  int count = 0;
  for (const Probe& probe : probes())
    if (probe.name.starts_with("wgmma bf16 B swizzle 128 mn")) {
      outcomes.insert(probe.run().bytes);
      ++count;
    }
  EXPECT_GT(count, 1);
  EXPECT_EQ(outcomes.size(), static_cast<size_t>(count));
}

}  // namespace
}  // namespace strata::test
