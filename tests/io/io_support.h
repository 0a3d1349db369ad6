// What tests of files share: a folder that goes away, bytes, and hostile variations of a file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "engine/io/source.h"
#include "engine/ops/view.h"
#include "tests/support/expect.h"

namespace strata::test {

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "strata_io_XXXXXX").string();
    if (!mkdtemp(name.data())) throw std::runtime_error("no temporary folder");
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
inline void write_text(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

inline std::unique_ptr<io::Source> as_source(const std::string& text) {
  return io::open_memory({reinterpret_cast<const uint8_t*>(text.data()), text.size()}, "file");
}

// Calls `read` with every prefix of the file and with `count` copies that have a few bytes changed.
// What it makes of them does not matter as long as it returns or throws an Error.
inline void expect_survives(const std::string& file, int count,
                            const std::function<void(const std::string&)>& read) {
  int refused = 0;
  auto attempt = [&](const std::string& text) {
    try {
      read(text);
    } catch (const Error&) {
      ++refused;
    }
  };
  for (size_t length = 0; length < file.size(); ++length) attempt(file.substr(0, length));
  EXPECT_EQ(refused, static_cast<int>(file.size())) << "a file that is cut off was accepted";
  std::mt19937 random(1);
  for (int i = 0; i < count; ++i) {
    std::string text = file;
    for (int k = 0; k < 1 + i % 3; ++k) {
      text[random() % text.size()] = static_cast<char>(random());
    }
    attempt(text);
  }
}

// A tensor of each element type with values that the type holds exactly.
inline std::vector<std::pair<std::string, Tensor>> one_of_each_type() {
  Tensor values = from_vector(std::vector<double>{0, 1, 2, 3, 250, 0.5}, {2, 3});
  std::vector<std::pair<std::string, Tensor>> list;
  for (DType dtype : {DType::f64, DType::f32, DType::bf16, DType::f16, DType::i64, DType::i32,
                      DType::u8, DType::boolean}) {
    list.emplace_back(name_of(dtype), values.to(dtype));
  }
  return list;
}

inline void expect_same(const Tensor& got, const Tensor& want) {
  EXPECT_EQ(describe(got), describe(want));
  EXPECT_EQ(values(got), values(want));
}

}  // namespace strata::test
