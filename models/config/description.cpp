#include "models/config/description.h"

#include <toml++/toml.h>
#include <algorithm>
#include <set>

#include "engine/io/source.h"

namespace strata::config {
namespace {

int line_of(const toml::node& node) { return static_cast<int>(node.source().begin.line); }

// One file being read.
struct Reader {
  const std::string& file;

  [[noreturn]] void refuse(int line, const std::string& message) const {
    fail_at(file, line, message);
  }
  std::string text(const toml::node& node, std::string_view what) const {
    if (auto value = node.value_exact<std::string>()) return *value;
    refuse(line_of(node), fmt::format("{} must be a text in quotes", what));
  }
  int64_t count(const toml::node& node, std::string_view what) const {
    auto value = node.value_exact<int64_t>();
    if (value && *value > 0) return *value;
    refuse(line_of(node), fmt::format("{} must be a whole number above 0", what));
  }

  Setting setting(std::string_view key, const toml::node& node) const {
    const int line = line_of(node);
    if (auto number = node.value_exact<int64_t>()) return {*number, line};
    if (auto number = node.value_exact<double>()) return {*number, line};
    if (auto flag = node.value_exact<bool>()) return {*flag, line};
    if (auto word = node.value_exact<std::string>()) return {*word, line};
    refuse(line, fmt::format("{} must be a number, a text in quotes, true or false", key));
  }

  LayerText layer(const toml::table& table) const;
  std::vector<LayerText> layers(const toml::node& node) const;
  void input(const toml::table& table, Description& result) const;
};

// Names are parts of dotted paths.
bool is_name(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == '-';
  });
}

LayerText Reader::layer(const toml::table& table) const {
  LayerText result;
  result.line = line_of(table);
  for (auto&& [key, node] : table) {
    const std::string_view name = key.str();
    if (name == "type") {
      result.type = text(node, "type");
    } else if (name == "name") {
      result.name = text(node, "name");
      if (!is_name(result.name))
        refuse(line_of(node),
               fmt::format("'{}' cannot be a name: letters, digits, _ and - only", result.name));
    } else if (name == "repeat") {
      result.repeat = count(node, "repeat");
    } else if (name == "layer") {
      result.layers = layers(node);
    } else {
      result.settings.emplace(name, setting(name, node));
    }
  }
  if (result.type.empty()) refuse(result.line, "a layer needs a type: type = \"conv\"");
  return result;
}

std::vector<LayerText> Reader::layers(const toml::node& node) const {
  const toml::array* list = node.as_array();
  if (!list) refuse(line_of(node), "layers are a list: [[layer]], or layer = [{type = ...}, ...]");
  std::vector<LayerText> result;
  for (const toml::node& entry : *list) {
    const toml::table* table = entry.as_table();
    if (!table) refuse(line_of(entry), "a layer is a table: {type = \"conv\", width = 16}");
    result.push_back(layer(*table));
  }
  std::map<std::string, int> seen;
  std::set<std::string> names;
  for (LayerText& each : result) {
    const int number = ++seen[each.type];
    if (each.name.empty()) each.name = fmt::format("{}{}", each.type, number);
    if (!names.insert(each.name).second)
      refuse(
          each.line,
          fmt::format("the name '{}' is taken by a layer above; give this one another", each.name));
  }
  return result;
}

struct KindOfInput {
  const char* name;
  InputKind kind;
  std::map<std::string, int64_t> sizes;  // those that must be given are -1
};
const std::vector<KindOfInput>& kinds() {
  static const std::vector<KindOfInput> all = {
      {"image", InputKind::image, {{"height", 32}, {"width", 32}, {"channels", 3}, {"classes", 0}}},
      {"sequence", InputKind::sequence, {{"length", -1}, {"width", -1}, {"classes", 0}}},
      {"vectors", InputKind::vectors, {{"width", -1}, {"classes", 0}}},
      {"tokens", InputKind::tokens, {{"vocabulary", -1}, {"context", -1}, {"classes", 0}}}};
  return all;
}

void Reader::input(const toml::table& table, Description& result) const {
  const toml::node* given = table.get("kind");
  const std::string name = given ? text(*given, "kind") : "image";
  auto kind = std::find_if(kinds().begin(), kinds().end(),
                           [&](const KindOfInput& k) { return name == k.name; });
  if (kind == kinds().end())
    refuse(line_of(*given),
           fmt::format("there is no kind of input '{}'; there are image, sequence, vectors, tokens",
                       name));
  result.kind = kind->kind;
  result.sizes = kind->sizes;
  std::vector<std::string> known;
  for (auto& [key, value] : kind->sizes) known.push_back(key);
  for (auto&& [key, node] : table) {
    const std::string size(key.str());
    if (size == "kind") continue;
    if (!result.sizes.contains(size))
      refuse(line_of(node), fmt::format("an input of kind {} has no '{}'; it has {}", name, size,
                                        fmt::join(known, ", ")));
    result.sizes[size] = count(node, size);
  }
  for (auto& [size, value] : result.sizes)
    if (value < 0)
      refuse(line_of(table), fmt::format("an input of kind {} needs its {}", name, size));
}

}  // namespace

void fail_at(const std::string& file, int line, const std::string& message) {
  throw_error(fmt::format("{}:{}", file, line).c_str(), Caller{}, message);
}

std::string read_description(const std::string& path, Caller at) {
  auto source = io::open_file(path, at);
  std::string text(source->size(), '\0');
  source->read(0, text.data(), text.size(), at);
  return text;
}

Description parse_description(const std::string& text, const std::string& file) {
  toml::table root;
  try {
    root = toml::parse(text);
  } catch (const toml::parse_error& error) {
    fail_at(file, static_cast<int>(error.source().begin.line),
            fmt::format("this is not TOML: {}", error.description()));
  }
  const Reader reader{file};
  Description result;
  result.file = file;
  const toml::node *input = root.get("input"), *layers = root.get("layer");
  for (auto&& [key, node] : root)
    if (&node != input && &node != layers)
      reader.refuse(
          line_of(node),
          fmt::format("there is no '{}' here; a network has [input] and [[layer]]", key.str()));
  if (!input || !input->is_table())
    fail_at(file, 1, "what goes in is not said: [input] with kind = \"image\" and its sizes");
  reader.input(*input->as_table(), result);
  if (layers) result.layers = reader.layers(*layers);
  if (result.layers.empty()) fail_at(file, 1, "there is no layer: add [[layer]] with type = ...");
  return result;
}

}  // namespace strata::config
