#include "models/interchange/guess.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "models/interchange/rules.h"
#include "models/registry.h"

namespace strata {
namespace {

using interchange::Dialect;
using interchange::Rule;
using nlohmann::json;

// Shapes of theirs under our names, in their layout.
class Found {
 public:
  Found(const Dialect& dialect, const StateDict& theirs) {
    for (auto& [name, tensor] : theirs) {
      std::string ours = translate(dialect, name);
      if (!ours.empty()) shapes_[ours] = tensor.shape();
    }
  }
  size_t size() const { return shapes_.size(); }
  bool has(const std::string& name) const { return shapes_.contains(name); }
  // 0 where there is no such axis.
  int64_t operator()(const std::string& name, int axis) const {
    auto found = shapes_.find(name);
    return found == shapes_.end() || axis >= found->second.rank() ? 0 : found->second[axis];
  }
  // The number of different first numbers of names "<prefix>.<number>...".
  int64_t count(const std::string& prefix) const {
    std::set<std::string> numbers;
    for (auto& [name, shape] : shapes_) {
      if (!name.starts_with(prefix + ".")) continue;
      numbers.insert(
          name.substr(prefix.size() + 1, name.find('.', prefix.size() + 1) - prefix.size() - 1));
    }
    return static_cast<int64_t>(numbers.size());
  }

 private:
  // Our name for one of theirs, "" if there is none; of parts that are joined, the first.
  static std::string translate(const Dialect& dialect, std::string name) {
    for (const char* wrapper : {"module.", "model.", "_orig_mod."}) {
      if (name.starts_with(wrapper)) name = name.substr(std::string(wrapper).size());
    }
    for (auto& [part, other] : dialect.spellings) {
      if (size_t place = name.find(other); place != name.npos) {
        name.replace(place, other.size(), part);
      }
    }
    std::vector<std::string> numbers;
    for (const Rule& rule : dialect.rules) {
      const size_t open = rule.theirs.find('{'), close = rule.theirs.find('}');
      std::string pattern = rule.theirs;
      if (open != pattern.npos) {
        const size_t word = pattern.find(',', open);
        pattern = pattern.substr(0, open) + pattern.substr(open + 1, word - open - 1) +
                  pattern.substr(close + 1);
      }
      for (const std::string& full : {name, dialect.root + name}) {
        if (interchange::match(pattern, full, &numbers))
          return interchange::fill(rule.ours, numbers)[0];
      }
    }
    return "";
  }
  std::map<std::string, Dims> shapes_;
};

// The side of a square map of so many positions, one of which is a class token or a mean.
int64_t side_of(int64_t positions) {
  return std::lround(std::sqrt(static_cast<double>(std::max<int64_t>(positions - 1, 0))));
}
int64_t heads(int64_t width) { return std::max<int64_t>(1, width / 64); }

json photo(const Found& f, const std::string& first) {
  return {{"classes", f("head.weight", 0)},
          {"channels", f(first + ".weight", 1)},
          {"base_width", f(first + ".weight", 0)}};
}

std::optional<ModelGuess> resnet(const Found& f) {
  std::vector<int64_t> blocks;
  for (int stage = 1; stage <= 4; ++stage) blocks.push_back(f.count(fmt::format("layer{}", stage)));
  json options = photo(f, "conv1.conv");
  if (blocks[3] == 0) return ModelGuess{fmt::format("resnet{}", 6 * blocks[0] + 2), options};
  options["small_images"] = f("conv1.conv.weight", 2) == 3;
  const bool bottleneck = f.has("layer1.0.conv3.conv.weight");
  const std::map<std::vector<int64_t>, std::pair<int, int>> depths = {{{2, 2, 2, 2}, {18, 26}},
                                                                      {{3, 4, 6, 3}, {34, 50}},
                                                                      {{3, 4, 23, 3}, {0, 101}},
                                                                      {{3, 8, 36, 3}, {0, 152}}};
  auto found = depths.find(blocks);
  if (found == depths.end()) return {};
  const int depth = bottleneck ? found->second.second : found->second.first;
  return ModelGuess{fmt::format("resnet{}", depth), options};
}

std::optional<ModelGuess> alexnet(const Found& f) {
  json options = photo(f, "conv1");
  options["hidden"] = f("fc6.weight", 0);
  return ModelGuess{"alexnet", options};
}

std::optional<ModelGuess> vgg(const std::string& model, const Found& f) {
  json options = photo(f, f.has("conv1_1.norm.weight") ? "conv1_1.conv" : "conv1_1");
  options["hidden"] = f("fc1.weight", 0);
  return ModelGuess{model, options};
}

std::optional<ModelGuess> vit(const Found& f) {
  const int64_t width = f("class_token", 2), patch = f("patch.weight", 2);
  const int64_t side = side_of(f("position", 1));
  const std::string size = width == 768 ? "b" : width == 384 ? "s" : "ti";
  return ModelGuess{fmt::format("vit_{}16", size),
                    {{"classes", f("head.weight", 0)},
                     {"channels", f("patch.weight", 1)},
                     {"height", side * patch},
                     {"width", side * patch},
                     {"patch", patch},
                     {"embedding", width},
                     {"layers", f.count("blocks")},
                     {"heads", heads(width)}}};
}

std::optional<ModelGuess> gpt(const Found& f) {
  const int64_t width = f("token.weight", 1);
  const std::string name = width == 1024   ? "gpt2-medium"
                           : width == 1280 ? "gpt2-large"
                           : width == 1600 ? "gpt2-xl"
                                           : "gpt2";
  return ModelGuess{name,
                    {{"vocabulary", f("token.weight", 0)},
                     {"context", f("position", 0)},
                     {"width", width},
                     {"layers", f.count("blocks")},
                     {"heads", heads(width)}}};
}

std::optional<ModelGuess> bert(const Found& f) {
  const char* head = f.has("head.transform.weight") ? "masked"
                     : !f.has("head.weight")        ? "sentence"
                     : f.has("pooler.weight")       ? "classes"
                                                    : "tags";
  const int64_t width = f("encoder.token.weight", 1);
  json options = {{"vocabulary", f("encoder.token.weight", 0)},
                  {"context", f("encoder.position.weight", 0)},
                  {"types", f("encoder.type.weight", 0)},
                  {"width", width},
                  {"layers", f.count("encoder.blocks")},
                  {"heads", heads(width)},
                  {"head", head}};
  options["classes"] = f("head.weight", 0);
  return ModelGuess{width == 1024 ? "bert-large" : "bert-base", options};
}

std::optional<ModelGuess> clip(const Found& f, const std::string& tower) {
  json options = {{"tower", tower},
                  {"vocabulary", f("text.token.weight", 0)},
                  {"context", f("text.position", 0)},
                  {"text_width", f("text.token.weight", 1)},
                  {"text_layers", f.count("text.blocks")},
                  {"text_heads", heads(f("text.token.weight", 1))}};
  // One side of the projection is the width, the other the embedding, in either order.
  const int64_t rows = f("text.projection.weight", 0), columns = f("text.projection.weight", 1);
  options["embedding"] = rows == f("text.token.weight", 1) ? columns : rows;
  int64_t side = 0;
  if (tower == "vit") {
    const int64_t width = f("image.patch.weight", 0), patch = f("image.patch.weight", 2);
    side = patch * side_of(f("image.position", 0));
    options.update({{"patch", patch},
                    {"image_width", width},
                    {"image_layers", f.count("image.blocks")},
                    {"image_heads", heads(width)}});
  } else {
    std::vector<int64_t> blocks;
    while (int64_t count = f.count(fmt::format("image.layer{}", blocks.size() + 1))) {
      blocks.push_back(count);
    }
    side = side_of(f("image.pool.position", 0)) * (int64_t{2} << blocks.size());
    options.update({{"blocks", blocks},
                    {"stem_stride", 2},
                    {"image_width", f("image.conv3.conv.weight", 0)},
                    {"image_heads", heads(f("image.pool.position", 1))}});
  }
  options["height"] = options["width"] = side;
  return ModelGuess{"clip", options};
}

// A name whose dialects are to be tried, with the options that change them.
struct Candidate {
  std::string model;
  json options;
  std::function<std::optional<ModelGuess>(const Found&)> read;
};

std::vector<Candidate> candidates() {
  std::vector<Candidate> list = {
      {"resnet50", {}, resnet}, {"alexnet", {}, alexnet}, {"vit_b16", {}, vit}, {"gpt2", {}, gpt}};
  for (const char* head : {"masked", "classes"}) {
    list.push_back({"bert-base", {{"head", head}}, bert});
  }
  for (const char* tower : {"vit", "resnet"}) {
    list.push_back(
        {"clip", {{"tower", tower}}, [tower](const Found& f) { return clip(f, tower); }});
  }
  for (const char* depth : {"11", "13", "16", "19"}) {
    for (const char* norm : {"", "_bn"}) {
      const std::string name = fmt::format("vgg{}{}", depth, norm);
      list.push_back({name, {}, [name](const Found& f) { return vgg(name, f); }});
    }
  }
  return list;
}

}  // namespace

std::optional<ModelGuess> guess_model(const StateDict& theirs) {
  size_t most = theirs.size() / 2;  // joined tensors and counts have no name of their own
  std::optional<ModelGuess> best;
  for (const Candidate& candidate : candidates()) {
    json options = model_options(candidate.model);
    options.update(candidate.options.is_null() ? json::object() : candidate.options);
    for (const Dialect& dialect : interchange::dialects_of(candidate.model, options)) {
      const Found found(dialect, theirs);
      if (found.size() <= most) continue;
      most = found.size();
      best = candidate.read(found);
    }
  }
  const auto& entries = model_entries();
  if (!best || std::none_of(entries.begin(), entries.end(),
                            [&](const ModelEntry& entry) { return entry.name == best->model; })) {
    return {};
  }
  const json defaults = model_options(best->model);
  json different = json::object();
  for (auto& [key, value] : best->options.items())
    if (defaults.at(key) != value && value != 0) different[key] = value;  // 0: not in the file
  best->options = different;
  return best;
}

std::vector<std::string> read_heads(const json& config, ModelGuess& guess) {
  const std::map<std::string, std::vector<const char*>> places = {
      {"heads", {"/num_attention_heads", "/n_head"}},
      {"text_heads", {"/text_config/num_attention_heads"}},
      {"image_heads", {"/vision_config/num_attention_heads"}}};
  const json known = model_options(guess.model);
  std::vector<std::string> silent;
  for (auto& [option, pointers] : places) {
    if (!known.contains(option)) continue;
    bool found = false;
    for (const char* pointer : pointers) {
      const json::json_pointer place(pointer);
      if (!config.contains(place) || !config.at(place).is_number_integer()) continue;
      guess.options[option] = config.at(place);
      found = true;
    }
    if (!found) silent.push_back(option);
  }
  return silent;
}

}  // namespace strata
