// Tasks over graphs: Cora with its public split (Yang, Cohen and Salakhutdinov 2016), each network
// with the hyper-parameters of its paper, and the class of generated graphs. The weights that are
// kept are those of the smallest validation loss.
#include "engine/data/citation_graph.h"
#include "engine/data/terrace_graph.h"
#include "engine/ops.h"
#include "engine/optim.h"
#include "models/graph/gat.h"
#include "models/graph/gcn.h"
#include "models/graph/gin.h"
#include "models/graph/graph_sage.h"
#include "models/graph/neighbour_sampler.h"
#include "models/registry.h"
#include "tools/introspect/attribution/target.h"
#include "tools/train/domains.h"
#include "tools/train/view_graph.h"

namespace strata::train {
namespace {

using nlohmann::json;

std::unique_ptr<Model> model_of(const std::string& name, json options, const TaskOptions& task) {
  if (task.model.is_object()) options.update(task.model);
  return make_model(name, options);
}

double accuracy_of(const Tensor& logits, const Tensor& labels) {
  return 100 * mean(equal(argmax(logits, -1), labels).to(DType::f64)).item();
}

Score score(std::string name, double value, std::string unit) {
  Score s;
  s.name = std::move(name);
  s.value = value;
  s.unit = std::move(unit);
  return s;
}

// How a network is trained on Cora.
struct Recipe {
  std::string model;
  int64_t steps;
  double learning_rate, weight_decay;
  bool decay_first_layer_only = false;
  bool sampled = false;  // each step sees a few neighbours of each node
  double yardstick;      // %, of the paper
  std::string paper;
};

class CoraTask : public Task {
 public:
  CoraTask(Recipe recipe, const TaskOptions& options)
      : recipe_(std::move(recipe)),
        options_(options),
        data_(read_citation_graph(options.data, "cora")) {
    if (data_.train.empty() || data_.validation.empty() || data_.test.empty())
      fail("train", Caller{}, "{} has no cora.split with the nodes of train, val and test",
           options.data);
    // Rows that add up to 1, as the papers have it.
    Tensor x = data_.feature_matrix();
    features_ = (x / clamp(sum(x, {1}, true), 1, 1e9)).to(options.device);
    labels_ = from_vector(data_.labels, {data_.nodes});
    graph_ = Graph::undirected(data_.nodes, data_.edges);
    model_ =
        model_of(recipe_.model,
                 {{"features", data_.features}, {"classes", data_.class_names.size()}}, options);
    over_all();
  }

  Model& model() override { return *model_; }
  int64_t total_steps() const override { return options_.steps.value_or(recipe_.steps); }
  int64_t evaluate_every() const override { return 1; }
  bool keep_best() const override { return true; }

  std::unique_ptr<Optimizer> optimizer() override {
    ParameterGroup decayed, free;
    decayed.weight_decay = recipe_.weight_decay;
    free.weight_decay = 0;
    for (const NamedTensor& p : model_->named_parameters()) {
      const bool first = p.name.find("1.") != std::string::npos;
      (recipe_.decay_first_layer_only && !first ? free : decayed).parameters.push_back(p);
    }
    std::vector<ParameterGroup> groups = {decayed};
    if (!free.parameters.empty()) groups.push_back(free);
    return std::make_unique<Adam>(
        groups,
        AdamOptions{.learning_rate = options_.learning_rate.value_or(recipe_.learning_rate)});
  }

  Tensor loss(int64_t step) override {
    if (recipe_.sampled) return sampled_loss(step);
    return cross_entropy(rows((*model_)(features_), data_.train), labels_of(data_.train));
  }

  // The weights that are kept are those of the smallest validation loss: accuracies of 500 nodes
  // are equal too often.
  std::vector<Score> evaluate(bool final) override {
    over_all();
    const auto& nodes = final ? data_.test : data_.validation;
    Tensor logits = rows((*model_)(features_), nodes), labels = labels_of(nodes);
    const std::string split = final ? "test " : "validation ";
    Score accuracy = score(split + "accuracy", accuracy_of(logits, labels), "%");
    Score loss = score(split + "loss", cross_entropy(logits, labels).item(), "nats");
    loss.higher_is_better = false;
    if (!final) return {loss, accuracy};
    accuracy.yardstick = recipe_.yardstick;
    accuracy.yardstick_name = recipe_.paper;
    return {accuracy, loss};
  }

  // The whole graph, with what each network says of every node.
  json panels(const Untrained& untrained) override {
    over_all();
    Model& twin = untrained();
    GraphView view{.title = "Cora", .nodes = data_.nodes, .edges = data_.edges};
    view.columns = {data_column("class", data_.class_names, data_.labels),
                    data_column("part", {"not used", "trained on", "validation", "test"}, parts()),
                    predicted_column("prediction", "class", data_.class_names, said_by(*model_),
                                     said_by(twin))};
    const auto stages = model_->stages();
    if (stages.size() > 1) {
      const std::string& layer = stages[stages.size() - 2];
      view.columns.push_back(embedding_column(
          layer,
          introspect::activation_of([&](const Tensor& x) { return (*model_)(x); }, features_,
                                    layer),
          introspect::activation_of([&](const Tensor& x) { return twin(x); }, features_, layer)));
    }
    return graph_panels({view});
  }

 private:
  std::vector<int64_t> said_by(Model& model) const {
    return argmax(model(features_), 1).to(Device::cpu).to_vector<int64_t>();
  }
  std::vector<int64_t> parts() const {
    std::vector<int64_t> part(static_cast<size_t>(data_.nodes), 0);
    int64_t number = 0;
    for (const auto* nodes : {&data_.train, &data_.validation, &data_.test}) {
      ++number;
      for (int64_t node : *nodes) part[static_cast<size_t>(node)] = number;
    }
    return part;
  }
  void over_all() { dynamic_cast<GraphModel&>(*model_).set_graph(graph_); }

  Tensor index(const std::vector<int64_t>& nodes) const {
    return from_vector(nodes, {static_cast<int64_t>(nodes.size())}).to(options_.device);
  }
  Tensor rows(const Tensor& x, const std::vector<int64_t>& nodes) const {
    return index_select(x, 0, index(nodes));
  }
  Tensor labels_of(const std::vector<int64_t>& nodes) const {
    return rows(labels_.to(options_.device), nodes);
  }

  // All training nodes, at most 25 of their neighbours and 10 of theirs (the paper's numbers).
  Tensor sampled_loss(int64_t step) {
    const uint64_t seed = options_.seed * 1'000'003 + static_cast<uint64_t>(step);
    const SampledBlocks s = sample_neighbours(graph_, data_.train, {10, 25}, seed);
    dynamic_cast<GraphSage&>(*model_).set_blocks(s.blocks);
    return cross_entropy((*model_)(rows(features_, s.nodes)), labels_of(data_.train));
  }

  Recipe recipe_;
  TaskOptions options_;
  CitationGraph data_;
  Tensor features_, labels_;
  Graph graph_;
  std::unique_ptr<Model> model_;
};

// Which factor of generated graphs is the class, and how it is learned.
struct TerraceRecipe {
  int target;
  int64_t steps, batch;
  double learning_rate;
};

// A factor of generated graphs, by a network that reads constant features.
class TerraceGraphTask : public Task {
 public:
  TerraceGraphTask(const TerraceRecipe& recipe, const TaskOptions& options)
      : recipe_(recipe), options_(options), data_({}, options.seed) {
    model_ = model_of("gin",
                      {{"features", 1}, {"classes", terrace::kinds}, {"width", 32}, {"layers", 5}},
                      options);
  }

  Model& model() override { return *model_; }
  int64_t total_steps() const override { return options_.steps.value_or(recipe_.steps); }
  std::unique_ptr<Optimizer> optimizer() override {
    return std::make_unique<AdamW>(
        model_->named_parameters(),
        AdamOptions{.learning_rate = options_.learning_rate.value_or(recipe_.learning_rate),
                    .weight_decay = 1e-2});
  }
  Schedule schedule() const override { return one_cycle(total_steps()); }

  Tensor loss(int64_t step) override {
    auto [logits, labels] = read(static_cast<uint64_t>(step * recipe_.batch), recipe_.batch);
    return cross_entropy(logits, labels);
  }

  // Graphs that no step of training can have reached.
  std::vector<Score> evaluate(bool final) override {
    double right = 0;
    constexpr int64_t count = 16, size = 64;
    for (int64_t i = 0; i < count; ++i) {
      auto [logits, labels] =
          read((final ? test_first : validation_first) + static_cast<uint64_t>(i * size), size);
      right += accuracy_of(logits, labels) / count;
    }
    Score accuracy = score(final ? "test accuracy" : "validation accuracy", right, "%");
    accuracy.yardstick = 25;
    accuracy.yardstick_name = "raw degrees (chance)";
    return {accuracy};
  }

  // A few test graphs: what their nodes are, and what the last layer of each network makes of them.
  json panels(const Untrained& untrained) override {
    std::vector<GraphView> views;
    for (uint64_t i = 0; i < 6; ++i) views.push_back(view_of(test_first + i, untrained()));
    return graph_panels(views);
  }

 private:
  static constexpr uint64_t validation_first = uint64_t{1} << 40, test_first = uint64_t{1} << 41;

  GraphView view_of(uint64_t number, Model& twin) {
    const terrace_graph::Example example = data_.example(number);
    const terrace_graph::GraphBatch batch = terrace_graph::batch_of(data_, number, 1);
    const std::string layer = last_convolution();
    auto look = [&](Model& model) {
      dynamic_cast<Gin&>(model).set_graphs(batch.graph, batch.sizes);
      int64_t said = 0;
      Tensor nodes = introspect::activation_of(
          [&](const Tensor& x) {
            Tensor logits = model(x);
            said = static_cast<int64_t>(argmax(logits, 1).item());
            return logits;
          },
          batch.features.to(options_.device), layer);
      return std::pair{said, nodes};
    };
    const auto [after, embedded] = look(*model_);
    const auto [before, embedded_before] = look(twin);
    auto in_words = [&](int64_t value) {
      return fmt::format("{} {}", terrace_graph::name_of(recipe_.target), value);
    };
    auto shifted = [](const std::vector<int8_t>& values) {  // -1: none
      std::vector<int64_t> numbers;
      for (int8_t value : values) numbers.push_back(value + 1);
      return numbers;
    };
    GraphView view{.title = fmt::format("test graph {}", number - test_first),
                   .nodes = example.nodes,
                   .edges = example.edges};
    view.label = in_words(example.factors[static_cast<size_t>(recipe_.target)]);
    view.predicted = in_words(after);
    view.untrained_predicted = in_words(before);
    view.columns = {
        embedding_column(layer, embedded, embedded_before),
        data_column("motif",
                    {"none", "triangle with a path", "square, leaves at neighbours",
                     "square, leaves at corners", "triangle with a fork"},
                    shifted(example.motif)),
        data_column("position", {"none", "core", "inner", "leaf", "anchor"},
                    shifted(example.position)),
        data_column("community", {"none", "0", "1", "2", "3"}, shifted(example.community))};
    return view;
  }

  // Of the stages gin1, gin2, ..., readout, ...: the last before the readout.
  std::string last_convolution() const {
    std::string last;
    for (const std::string& stage : model_->stages())
      if (stage.starts_with("gin")) last = stage;
    return last;
  }

  std::pair<Tensor, Tensor> read(uint64_t first, int64_t count) {
    const terrace_graph::GraphBatch b = terrace_graph::batch_of(data_, first, count);
    dynamic_cast<Gin&>(*model_).set_graphs(b.graph, b.sizes);
    return {(*model_)(b.features.to(options_.device)),
            b.factors.select(1, recipe_.target).contiguous().to(options_.device)};
  }

  TerraceRecipe recipe_;
  TaskOptions options_;
  terrace_graph::TerraceGraph data_;
  std::unique_ptr<Model> model_;
};

TaskEntry cora(std::string name, std::string about, Recipe recipe) {
  return {std::move(name), std::move(about), "the folder of cora.content, cora.cites, cora.split",
          [recipe](const TaskOptions& o) { return std::make_unique<CoraTask>(recipe, o); }};
}

TaskEntry terrace(std::string name, std::string about, const TerraceRecipe& recipe) {
  return {std::move(name), std::move(about), "",
          [recipe](const TaskOptions& o) { return std::make_unique<TerraceGraphTask>(recipe, o); }};
}

}  // namespace

std::vector<TaskEntry> graph_tasks() {
  return {
      cora("cora-gcn", "GCN on Cora, public split; test accuracy",
           {.model = "gcn",
            .steps = 200,
            .learning_rate = 0.01,
            .weight_decay = 5e-4,
            .decay_first_layer_only = true,
            .yardstick = 81.5,
            .paper = "Kipf and Welling 2017"}),
      cora("cora-gat", "GAT on Cora, public split; test accuracy",
           {.model = "gat",
            .steps = 300,
            .learning_rate = 0.005,
            .weight_decay = 5e-4,
            .yardstick = 83.0,
            .paper = "Velickovic et al. 2018"}),
      cora("cora-sage", "GraphSAGE on Cora by sampled neighbourhoods, public split; test accuracy",
           {.model = "graphsage",
            .steps = 200,
            .learning_rate = 0.01,
            .weight_decay = 5e-4,
            .sampled = true,
            .yardstick = 55.1,
            .paper = "without edges, in Velickovic et al. 2018"}),
      cora("cora-mlp", "GCN without edges on Cora, the control; test accuracy",
           {.model = "node_mlp",
            .steps = 200,
            .learning_rate = 0.01,
            .weight_decay = 5e-4,
            .decay_first_layer_only = true,
            .yardstick = 55.1,
            .paper = "MLP in Velickovic et al. 2018"}),
      terrace("terrace-graph", "GIN on generated graphs: the class, of five levels; test accuracy",
              {terrace_graph::graph_class, 3000, 64, 5e-3}),
      terrace("terrace-community",
              "GIN on generated graphs: the community of four levels; test accuracy",
              {terrace_graph::hub_community, 400, 32, 1e-2})};
}

}  // namespace strata::train
