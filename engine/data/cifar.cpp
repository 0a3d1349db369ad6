#include "engine/data/cifar.h"

#include <algorithm>
#include <sstream>

#include "engine/data/files.h"

namespace strata {
namespace {

constexpr int64_t plane = 32 * 32;

}  // namespace

CifarRecords parse_cifar(std::span<const uint8_t> bytes, int classes, const std::string& name,
                         Caller at) {
  if (classes != 10 && classes != 100)
    fail("cifar", at, "CIFAR has 10 or 100 classes; asked for {}", classes);
  int64_t label_bytes = classes == 100 ? 2 : 1, record = label_bytes + 3 * plane;
  auto size = static_cast<int64_t>(bytes.size());
  if (size == 0 || size % record != 0)
    fail("cifar", at, "{}: has {} bytes, which is no whole number of CIFAR-{} records of {} bytes",
         name, size, classes, record);
  int64_t count = size / record;
  CifarRecords out;
  out.images.resize(static_cast<size_t>(count * 3 * plane));
  for (int64_t i = 0; i < count; ++i) {
    const uint8_t* from = bytes.data() + i * record;
    uint8_t* to = out.images.data() + i * 3 * plane;
    int64_t label = from[label_bytes - 1];
    if (label >= classes || (classes == 100 && from[0] >= 20))
      fail("cifar", at, "{}: record {} has label {}, outside [0, {}): is this CIFAR-{}?", name, i,
           label, classes, classes == 10 ? 100 : 10);
    out.labels.push_back(label);
    if (classes == 100) out.coarse.push_back(from[0]);
    for (int64_t channel = 0; channel < 3; ++channel)
      for (int64_t p = 0; p < plane; ++p)
        to[p * 3 + channel] = from[label_bytes + channel * plane + p];
  }
  return out;
}

CifarRecords read_cifar_folder(const std::string& folder, int classes, bool train, Caller at) {
  CifarRecords all;
  for (const std::string& name : files_in("cifar", folder, at)) {
    bool wanted = train ? name.rfind("data_batch", 0) == 0 || name.rfind("train.bin", 0) == 0
                        : name.rfind("test_batch", 0) == 0 || name.rfind("test.bin", 0) == 0;
    if (!wanted) continue;
    std::string path = join_path(folder, name);
    CifarRecords some = parse_cifar(read_bytes("cifar", path, file_limit, at), classes, path, at);
    all.images.insert(all.images.end(), some.images.begin(), some.images.end());
    all.labels.insert(all.labels.end(), some.labels.begin(), some.labels.end());
    all.coarse.insert(all.coarse.end(), some.coarse.begin(), some.coarse.end());
  }
  return all;
}

std::vector<std::string> cifar_class_names(const std::string& folder, int classes, Caller at) {
  std::vector<std::string> names;
  const char* wanted = classes == 100 ? "fine_label_names.txt" : "batches.meta.txt";
  std::vector<std::string> files = files_in("cifar", folder, at);
  if (std::find(files.begin(), files.end(), wanted) != files.end()) {
    Bytes bytes = read_bytes("cifar", join_path(folder, wanted), 1 << 20, at);
    std::istringstream text(std::string(bytes.begin(), bytes.end()));
    for (std::string line; std::getline(text, line);) {
      if (!line.empty() && line.back() == '\r') line.pop_back();
      if (!line.empty()) names.push_back(line);
    }
    if (static_cast<int>(names.size()) != classes)
      fail("cifar", at, "{}: has {} class names; expected {}", join_path(folder, wanted),
           names.size(), classes);
  }
  for (int i = static_cast<int>(names.size()); i < classes; ++i) names.push_back(std::to_string(i));
  return names;
}

}  // namespace strata
