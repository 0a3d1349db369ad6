#include "engine/data/citation_graph.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "engine/data/files.h"
#include "engine/data/lines.h"

namespace strata {
namespace {

class Parser {
 public:
  Parser(const std::string& name, Caller at) : name_(name), at_(at) {}

  CitationGraph parse(const CitationFiles& files) {
    classes(files.classes);
    content(files.content);
    cites(files.cites);
    split(files.split);
    return std::move(graph_);
  }

 private:
  template <class... Args>
  [[noreturn]] void wrong(const char* file, const Lines& lines, fmt::format_string<Args...> format,
                          Args&&... args) {
    fail("graph", at_, "{}.{} line {}: {}", name_, file, lines.number(),
         fmt::format(format, std::forward<Args>(args)...));
  }

  void classes(std::span<const uint8_t> bytes) {
    Lines lines(bytes);
    while (auto line = lines.next()) {
      if (line->empty()) continue;
      std::vector<std::string_view> field = fields_of(*line, '\t');
      if (field.size() != 2 || number_of(field[0]) != static_cast<int64_t>(class_of_.size()))
        wrong("classes", lines, "'{}'; expected class {} and its name", excerpt(*line),
              class_of_.size());
      if (!class_of_.emplace(field[1], static_cast<int64_t>(class_of_.size())).second)
        wrong("classes", lines, "class '{}' appears twice", excerpt(field[1]));
      graph_.class_names.emplace_back(field[1]);
    }
  }

  void content(std::span<const uint8_t> bytes) {
    bool known = !class_of_.empty();
    std::vector<std::string> label_names;
    Lines lines(bytes);
    graph_.feature_rows.push_back(0);
    while (auto line = lines.next()) {
      if (line->empty()) continue;
      std::vector<std::string_view> field = fields_of(*line, '\t');
      auto width = static_cast<int64_t>(field.size()) - 2;
      if (graph_.nodes == 0) graph_.features = width;
      if (width < 1 || width != graph_.features)
        wrong("content", lines, "has {} fields; expected {}: id, features and class", field.size(),
              std::max<int64_t>(graph_.features, 1) + 2);
      if (!node_of_.emplace(field[0], graph_.nodes).second)
        wrong("content", lines, "node '{}' appears twice", excerpt(field[0]));
      for (int64_t i = 0; i < width; ++i) {
        std::string_view value = field[static_cast<size_t>(i + 1)];
        if (value == "1")
          graph_.feature_columns.push_back(i);
        else if (value != "0")
          wrong("content", lines, "feature {} is '{}'; expected 0 or 1", i, excerpt(value));
      }
      graph_.feature_rows.push_back(static_cast<int64_t>(graph_.feature_columns.size()));
      std::string label(field.back());
      if (known && !class_of_.count(label))
        wrong("content", lines, "class '{}' is not in {}.classes", excerpt(label), name_);
      class_of_.emplace(label, 0);
      label_names.push_back(label);
      ++graph_.nodes;
    }
    if (graph_.nodes == 0) fail("graph", at_, "{}.content: has no node", name_);
    if (!known) {
      for (auto& [label, index] : class_of_) {
        index = static_cast<int64_t>(graph_.class_names.size());
        graph_.class_names.push_back(label);
      }
    }
    for (const std::string& label : label_names) graph_.labels.push_back(class_of_[label]);
  }

  int64_t node(const char* file, const Lines& lines, std::string_view id) {
    auto found = node_of_.find(std::string(id));
    if (found == node_of_.end())
      wrong(file, lines, "node '{}' is not in {}.content", excerpt(id), name_);
    return found->second;
  }

  void cites(std::span<const uint8_t> bytes) {
    Lines lines(bytes);
    while (auto line = lines.next()) {
      if (line->empty()) continue;
      std::vector<std::string_view> field = fields_of(*line, '\t');
      if (field.size() != 2)
        wrong("cites", lines, "has {} fields; expected two node ids", field.size());
      int64_t a = node("cites", lines, field[0]), b = node("cites", lines, field[1]);
      if (a != b) graph_.edges.emplace_back(std::min(a, b), std::max(a, b));
    }
    std::sort(graph_.edges.begin(), graph_.edges.end());
    graph_.edges.erase(std::unique(graph_.edges.begin(), graph_.edges.end()), graph_.edges.end());
  }

  void split(std::span<const uint8_t> bytes) {
    std::vector<bool> used(static_cast<size_t>(graph_.nodes), false);
    Lines lines(bytes);
    while (auto line = lines.next()) {
      if (line->empty()) continue;
      std::vector<std::string_view> field = fields_of(*line, '\t');
      std::vector<int64_t>* part = field[0] == "train"  ? &graph_.train
                                   : field[0] == "val"  ? &graph_.validation
                                   : field[0] == "test" ? &graph_.test
                                                        : nullptr;
      if (!part || field.size() != 2 || !part->empty())
        wrong("split", lines, "'{}'; expected train, val or test, once each, and node ids",
              excerpt(*line));
      for (std::string_view id : fields_of(field[1], ' ')) {
        if (id.empty()) continue;
        int64_t n = node("split", lines, id);
        if (used[static_cast<size_t>(n)])
          wrong("split", lines, "node '{}' appears twice", excerpt(id));
        used[static_cast<size_t>(n)] = true;
        part->push_back(n);
      }
    }
  }

  std::string name_;
  Caller at_;
  CitationGraph graph_;
  std::map<std::string, int64_t> class_of_;
  std::unordered_map<std::string, int64_t> node_of_;
};

}  // namespace

Tensor CitationGraph::feature_matrix() const {
  Tensor out = empty({nodes, features});
  float* values = out.data<float>();
  std::fill(values, values + nodes * features, 0.0f);
  for (int64_t n = 0; n < nodes; ++n)
    for (int64_t i = feature_rows[static_cast<size_t>(n)];
         i < feature_rows[static_cast<size_t>(n) + 1]; ++i)
      values[n * features + feature_columns[static_cast<size_t>(i)]] = 1;
  return out;
}

CitationGraph parse_citation_graph(const CitationFiles& files, const std::string& name, Caller at) {
  return Parser(name, at).parse(files);
}

CitationGraph read_citation_graph(const std::string& folder, const std::string& name, Caller at) {
  std::vector<std::string> present = files_in("graph", folder, at);
  auto load = [&](const char* ending, bool needed) {
    for (const char* packed : {"", ".gz"}) {
      std::string file = name + "." + ending + packed;
      if (std::find(present.begin(), present.end(), file) != present.end())
        return read_bytes("graph", join_path(folder, file), file_limit, at);
    }
    if (needed) fail("graph", at, "'{}' has no {}.{}, plain or .gz", folder, name, ending);
    return Bytes{};
  };
  Bytes content = load("content", true), cites = load("cites", true);
  Bytes classes = load("classes", false), split = load("split", false);
  return parse_citation_graph({content, cites, classes, split}, join_path(folder, name), at);
}

}  // namespace strata
