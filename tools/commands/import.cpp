// strata import and strata export: checkpoints of other libraries in and out.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "engine/io/npy.h"
#include "engine/io/safetensors.h"
#include "engine/io/torch_file.h"
#include "models/interchange/guess.h"
#include "models/interchange/interchange.h"
#include "models/registry.h"
#include "tools/commands/commands.h"

namespace strata::commands {
namespace {

struct InterchangeOptions {
  std::string file, model, options = "{}", key, dialect, out;
  bool partial = false;
};

nlohmann::json parsed(const std::string& text) {
  nlohmann::json options = nlohmann::json::parse(text, nullptr, false);
  if (!options.is_object()) {
    fail("import", Caller{},
         "--options must be a JSON object such as '{{\"classes\": 10}}'; got {}", text);
  }
  return options;
}

StateDict read(const std::string& path, const std::string& key) {
  if (path.ends_with(".npz")) return io::load_npz(path);
  if (path.ends_with(".safetensors")) return io::load_safetensors(path);
  for (const char* ending : {".pt", ".pth", ".bin", ".ckpt"})
    if (path.ends_with(ending)) return io::load_torch(path, key);
  fail("import", Caller{}, "{}: the file must end in .safetensors, .pt, .pth, .bin, .ckpt or .npz",
       path);
}

void write(const std::string& path, const StateDict& tensors, const io::Metadata& metadata) {
  if (path.ends_with(".npz")) {
    io::save_npz(path, tensors);
  } else if (path.ends_with(".pt") || path.ends_with(".pth")) {
    io::save_torch(path, tensors);
  } else if (path.ends_with(".safetensors")) {
    io::save_safetensors(path, tensors, metadata);
  } else {
    fail("export", Caller{}, "{}: the file must end in .safetensors, .pt, .pth or .npz", path);
  }
}

void print_list(const char* what, const std::vector<std::string>& names) {
  if (names.empty()) return;
  fmt::print("{} ({}):\n", what, names.size());
  for (const std::string& name : names) fmt::print("  {}\n", name);
}

// What transformers writes beside its files, or an empty object.
nlohmann::json config_beside(const std::string& file) {
  const std::filesystem::path path = std::filesystem::path(file).parent_path() / "config.json";
  std::ifstream in(path);
  if (!in) return nlohmann::json::object();
  const nlohmann::json config = nlohmann::json::parse(in, nullptr, false);
  if (!config.is_object()) {
    fail("import", Caller{}, "{} is not a JSON object; mend it or move it away", path.string());
  }
  return config;
}

// Heads from the config.json beside the file; where nobody tells, says what is assumed.
void set_heads(const std::string& file, const nlohmann::json& asked, ModelGuess& guess) {
  for (const std::string& option : read_heads(config_beside(file), guess)) {
    if (asked.contains(option)) continue;
    nlohmann::json options = model_options(guess.model);
    options.update(guess.options);
    fmt::print(
        "Assumed: {} {}, which shapes do not show; a config.json beside the file would tell, "
        "or --options '{{\"{}\": ...}}'\n",
        option, options.at(option).dump(), option);
  }
}

// The model to import as: the one asked for, or the one the file looks like with the options asked
// for on top.
ModelGuess target(const InterchangeOptions& o, const StateDict& theirs) {
  const nlohmann::json asked = parsed(o.options);
  if (!o.model.empty()) return {o.model, asked};
  std::optional<ModelGuess> guess = guess_model(theirs);
  if (!guess) fail("import", Caller{}, "{} looks like no model known; give --model", o.file);
  set_heads(o.file, asked, *guess);
  fmt::print("{} looks like {} {}\n", o.file, guess->model, guess->options.dump());
  guess->options.update(asked);
  return *guess;
}

int run_import(const InterchangeOptions& o) {
  const StateDict theirs = read(o.file, o.key);
  const auto [model_name, options] = target(o, theirs);
  const ImportedState imported = import_state(model_name, options, theirs);
  int64_t elements = 0;
  for (auto& [name, tensor] : imported.state) elements += tensor.numel();
  fmt::print("{}: {} with the names of {}, {} tensors of {} elements\n", o.file, model_name,
             imported.dialect, imported.state.size(), elements);
  print_list("Missing", imported.missing);
  print_list("Unexpected", imported.unexpected);
  print_list("Do not fit", imported.misfits);
  if (!imported.complete() && !o.partial) {
    fail("import", Caller{},
         "nothing was written: the file does not fit {} {}; set --options to what it was made "
         "with, or give --partial to keep what fits",
         model_name, options.dump());
  }
  // What the file lacks stays as the model begins, drawn with seed 1.
  manual_seed(1);
  auto model = make_model(model_name, options);
  StateDict state = model->state_dict();
  for (auto& [name, tensor] : imported.state) state[name] = tensor;
  write(o.out, state, {{"model", model_name}, {"options", options.dump()}});
  fmt::print("{} parameters -> {}\n", model->parameter_count(), o.out);
  return 0;
}

int run_export(const InterchangeOptions& o) {
  const nlohmann::json options = parsed(o.options);
  const StateDict theirs = export_state(o.model, options, o.dialect, read(o.file, o.key));
  write(o.out, theirs, {{"format", "pt"}});  // what transformers asks of a file
  fmt::print("{} tensors with the names of {} -> {}\n", theirs.size(), o.dialect, o.out);
  return 0;
}

void add_common(CLI::App* command, InterchangeOptions& o) {
  command->add_option("file", o.file, ".safetensors, .pt, .pth or .npz")->required();
  command->add_option("--options", o.options, "Of the model, as a JSON object")
      ->capture_default_str();
  command->add_option("--key", o.key, "Where in a .pt file the state dict is (\"ema.model\")");
  command->add_option("--out", o.out, "File to write, of the kind its ending says")->required();
}

}  // namespace

void add_import(CLI::App& app, Command& run) {
  auto o = std::make_shared<InterchangeOptions>();
  auto* command = app.add_subcommand(
      "import", "Read a checkpoint of torchvision, timm, transformers or OpenAI's CLIP");
  add_common(command, *o);
  command->add_option("--model", o->model,
                      "See `strata models`; without it, what the file looks like");
  command->add_flag("--partial", o->partial,
                    "Keep what fits (a backbone under another head), the rest as it begins");
  command->callback([o, &run] { run = [o] { return run_import(*o); }; });
}

void add_export(CLI::App& app, Command& run) {
  auto o = std::make_shared<InterchangeOptions>();
  auto* command =
      app.add_subcommand("export", "Write a model's weights so that other libraries load them");
  add_common(command, *o);
  command->add_option("--model", o->model, "See `strata models`")->required();
  command->add_option("--as", o->dialect, "torchvision, timm, huggingface, openai or strata")
      ->required();
  command->callback([o, &run] { run = [o] { return run_export(*o); }; });
}

}  // namespace strata::commands
