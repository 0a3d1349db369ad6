// strata new: networks described in TOML. Writes a file to start from, or checks one and prints its
// table of layers.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "engine/io/atomic_file.h"
#include "models/config/configured.h"
#include "models/config/templates.h"
#include "tools/commands/commands.h"

namespace strata::commands {
namespace {

struct NewOptions {
  std::string file, start;
  bool types = false;
};

int list_types() {
  for (const config::LayerType& type : config::layer_types()) {
    fmt::print("{:<12} {}\n", type.name, type.about);
    if (!type.settings.empty()) fmt::print("{:<12}   {}\n", "", type.settings);
  }
  fmt::print(
      "\nEvery layer also takes name, and repeat = N: N of them one after the other. Where a "
      "whole\n"
      "number is asked for, a size of the input in quotes will do: width = \"classes\".\n");
  return 0;
}

// 1234567 -> "1,234,567".
std::string grouped(int64_t value) {
  std::string digits = std::to_string(value);
  for (size_t place = digits.size(); place > 3; place -= 3) digits.insert(place - 3, ",");
  return digits;
}

int check(const std::string& file) {
  const auto model = make_model(file, nullptr);
  const auto& rows = dynamic_cast<config::ConfiguredModel&>(*model).rows();
  size_t paths = 5, types = 4, shapes = 6;
  for (const config::Row& row : rows) {
    paths = std::max(paths, row.path.size());
    types = std::max(types, row.type.size());
    shapes = std::max(shapes, to_string(row.result).size());
  }
  auto line = [&](const std::string& path, const std::string& type, const std::string& result,
                  const std::string& parameters, const std::string& multiply_adds) {
    fmt::print("{:<{}}  {:<{}}  {:<{}}  {:>12}  {:>14}\n", path, paths, type, types, result, shapes,
               parameters, multiply_adds);
  };
  auto shown = [](int64_t value) { return value > 0 ? grouped(value) : std::string(); };
  line("layer", "type", "result", "parameters", "multiply-adds");
  int64_t multiply_adds = 0;
  for (const config::Row& row : rows) {
    line(row.path, row.type, to_string(row.result), shown(row.parameters),
         shown(row.multiply_adds));
    multiply_adds += row.multiply_adds;
  }
  line("all", "", "", grouped(model->parameter_count()), grouped(multiply_adds));
  fmt::print("\nStages that studies compare: {}\n", fmt::join(model->stages(), ", "));
  return 0;
}

int write(const std::string& file, const std::string& start) {
  io::write_file(file, config::template_named(start).text);
  fmt::print(
      "Wrote {0}. Change it, then:\n"
      "  strata new {0}\n"
      "checks it and prints its layers, and\n"
      "  strata study --data terrace --model {0} --out runs/my\n"
      "trains it.\n",
      file);
  return 0;
}

int new_network(const NewOptions& o) {
  if (o.types) return list_types();
  if (!config::is_description(o.file))
    fail("new", Caller{}, "a network is described in a file that ends in .toml; got '{}'", o.file);
  if (!std::filesystem::exists(o.file)) return write(o.file, o.start.empty() ? "convnet" : o.start);
  if (!o.start.empty())
    fail("new", Caller{},
         "{} exists and is not replaced; without --template it is checked, or give another name",
         o.file);
  return check(o.file);
}

}  // namespace

void add_new(CLI::App& app, Command& run) {
  auto options = std::make_shared<NewOptions>();
  auto* command = app.add_subcommand("new", "Describe a network of your own in a file");
  auto* file = command->add_option(
      "FILE", options->file, "my.toml: written if there is none, checked and shown if there is");
  command->add_option("--template", options->start,
                      "What to start from: mlp, convnet (the default), resnet or transformer");
  auto* types = command->add_flag("--types", options->types, "List the types of layers");
  command->callback([options, file, types, &run] {
    if (file->count() == 0 && types->count() == 0)
      throw CLI::RequiredError("FILE (my.toml), or --types");
    run = [options] { return new_network(*options); };
  });
}

}  // namespace strata::commands
