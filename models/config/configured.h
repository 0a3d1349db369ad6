// ConfiguredModel: a network made from a description in TOML (models/config/description.h), for
// those who do not write C++. Wherever the name of a model goes, the path of a description does:
//   strata study --model my.toml
//   make_model("my.toml", {{"classes", 5}})
// The options of such a model are the sizes of its input and "description", the text of the file,
// which travels with them in the config.json of a run: a run can be opened where the file is gone,
// and a file that changed since is another network.
//
// The stages are the layers with parameters of the outermost list, each together with the norm and
// the nonlinearity right behind it (and shown as the last of these), and whatever is last.
#pragma once

#include <vector>

#include "models/config/layer_types.h"
#include "models/registry.h"

namespace strata::config {

// A line of the table of layers.
struct Row {
  std::string path, type;
  Shape result;
  int64_t parameters = 0;     // without those of layers inside it
  int64_t multiply_adds = 0;  // of one example
};

class ConfiguredModel : public Model {
 public:
  // A layer that does not fit what arrives is an error that names its line.
  explicit ConfiguredModel(const Description& description);
  std::string kind() const override { return "ConfiguredModel"; }
  // [N, ...] as [input] says -> [N, ...] as the last layer does.
  Tensor forward(const Tensor& x) override;
  std::vector<std::string> stages() const override { return stages_; }

  // In the order of the file.
  const std::vector<Row>& rows() const { return rows_; }

 private:
  std::vector<Layer*> layers_;
  std::vector<std::string> stages_;
  std::vector<Row> rows_;
};

// Whether `model` is the path of a description ("my.toml") and not a name of the registry.
bool is_description(const std::string& model);

// The entry of a description, which is read from `path` when `text` is empty. It lives as long as
// the program.
const ModelEntry& described_entry(const std::string& path, const std::string& text = "",
                                  Caller at = Caller::here());

}  // namespace strata::config
