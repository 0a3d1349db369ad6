#include "tools/inspect/output.h"

#include "engine/io/atomic_file.h"
#include "engine/io/npy.h"
#include "engine/ops.h"

namespace strata::inspect {

namespace fs = std::filesystem;

std::vector<fs::path> write_answer(const Answer& answer, const Json& made, const fs::path& out) {
  if (out.extension() != ".png") {
    fail("inspect", Caller{},
         "--out {} must be the name of a .png; the arrays and numbers get "
         "names beside it",
         out.string());
  }
  std::error_code error;
  if (out.has_parent_path()) fs::create_directories(out.parent_path(), error);
  std::vector<fs::path> files;
  Json arrays = Json::object();
  fs::path base = out;
  base.replace_extension();
  for (auto& [name, tensor] : answer.arrays) {
    fs::path file = base.string() + "." + name + ".npy";
    bool narrow = tensor.dtype() == DType::bf16;  // which NumPy does not have
    io::save_npy(file.string(), narrow ? tensor.to(DType::f32) : tensor);
    arrays[name] = {{"file", file.filename().string()},
                    {"shape", std::vector<int64_t>(tensor.shape().begin(), tensor.shape().end())},
                    {"type", name_of(tensor.dtype())}};
    files.push_back(file);
  }
  Json json = made;
  json["numbers"] = answer.numbers;
  json["arrays"] = arrays;
  fs::path numbers = base.string() + ".json";
  io::write_file(numbers.string(), json.dump(2) + "\n");
  files.push_back(numbers);
  if (!answer.figure.rows.empty()) {
    draw::write_figure(out.string(), answer.figure);
    files.insert(files.begin(), out);
  }
  return files;
}

}  // namespace strata::inspect
