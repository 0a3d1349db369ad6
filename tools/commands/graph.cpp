// strata graph: the tape of one training step, drawn, and what it keeps for the backward pass.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "engine/autograd/autograd.h"
#include "engine/io/atomic_file.h"
#include "engine/ops.h"
#include "models/registry.h"
#include "tools/commands/commands.h"

namespace strata::commands {
namespace {

struct GraphOptions {
  std::string model = "mlp", out = "tape.dot";
  int64_t batch = 8;
};

// The graph does not depend on the values, so any will do as examples and as targets.
Tensor example_of(const std::string& name, int64_t batch) {
  Generator generator(1);
  return model_entry(name).example(model_options(name), batch, generator);
}

// Of logits whose classes are the last axis.
Tensor loss_of(const Tensor& logits) {
  if (logits.rank() < 2) return sum(logits);
  Dims places = logits.shape();
  places.resize(logits.rank() - 1);
  return cross_entropy(logits, randint(0, logits.size(-1), places));
}

int graph(const GraphOptions& o) {
  manual_seed(1);
  auto model = make_model(o.model, nullptr);
  const Tensor x = example_of(o.model, o.batch);
  Tensor loss = loss_of((*model)(x));
  std::vector<std::pair<std::string, Tensor>> names;
  for (auto& [name, tensor] : model->named_parameters()) names.emplace_back(name, tensor);
  io::write_file(o.out, to_dot(loss, names));
  auto bill = saved_bytes(loss);
  std::sort(bill.begin(), bill.end(), [](auto& a, auto& b) { return a.second > b.second; });
  fmt::print("Kept for the backward pass of {}:\n", describe(x));
  size_t total = 0;
  for (auto& [op, bytes] : bill) {
    fmt::print("  {:<16} {:>10.1f} KiB\n", op, static_cast<double>(bytes) / 1024);
    total += bytes;
  }
  fmt::print("  {:<16} {:>10.1f} KiB\n\nTape: {} (draw it: dot -Tsvg {} -o tape.svg)\n", "total",
             static_cast<double>(total) / 1024, o.out, o.out);
  return 0;
}

}  // namespace

void add_graph(CLI::App& app, Command& run) {
  auto options = std::make_shared<GraphOptions>();
  auto* command = app.add_subcommand("graph", "Draw the autograd tape of a model's training step");
  command->add_option("--model", options->model, "See `strata models`")->capture_default_str();
  command->add_option("--batch", options->batch, "Examples in the batch")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command->add_option("--out", options->out, "File in Graphviz's dot language")
      ->capture_default_str();
  command->callback([options, &run] { run = [options] { return graph(*options); }; });
}

}  // namespace strata::commands
