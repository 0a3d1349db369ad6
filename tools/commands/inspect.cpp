// strata inspect: one method of introspection on a trained network; strata gallery: all of them;
// strata scores: how well attributions find what they should; strata induction: a small language
// network to look into.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "engine/io/atomic_file.h"
#include "tools/commands/commands.h"
#include "tools/inspect/gallery.h"
#include "tools/inspect/induction.h"
#include "tools/inspect/output.h"
#include "tools/inspect/score_table.h"

namespace strata::commands {
namespace {

struct InspectOptions {
  inspect::Source source, random_labels;
  std::string model_options;
  std::string method, layer, target = "predicted", rule;
  std::vector<std::string> inputs;
  std::vector<int64_t> units;
  int64_t count = 4, samples = 0, steps = 0;
  uint64_t seed = 1;
  std::filesystem::path out;
  bool list = false;
};

int list_methods() {
  std::string group;
  for (auto& method : inspect::methods()) {
    if (method.group != group) fmt::print("{}{}\n", group.empty() ? "" : "\n", method.group);
    group = method.group;
    fmt::print("  {:<22} {}. {}\n", method.name, method.about, method.paper);
  }
  return 0;
}

std::vector<int64_t> targets_of(const InspectOptions& o, const inspect::Request& request) {
  if (o.target == "predicted") return {};
  size_t count = request.inputs.names.size();
  if (o.target != "label") {
    return std::vector<int64_t>(count, request.subject.class_of(o.target));
  }
  for (size_t i = 0; i < count; ++i) {
    if (request.inputs.labels[i] < 0) {
      throw std::runtime_error(
          fmt::format("the class of '{}' is not known; use --target with a class, or predicted",
                      request.inputs.names[i]));
    }
  }
  return request.inputs.labels;
}

std::string command_of(const InspectOptions& o) {
  std::string command =
      fmt::format("strata inspect {} --method {}", o.source.checkpoint.string(), o.method);
  for (auto& input : o.inputs) command += fmt::format(" --input \"{}\"", input);
  if (!o.layer.empty()) command += " --layer " + o.layer;
  if (!o.units.empty()) command += fmt::format(" --unit {}", fmt::join(o.units, ","));
  if (o.target != "predicted") command += fmt::format(" --target \"{}\"", o.target);
  if (!o.rule.empty()) command += " --rule " + o.rule;
  if (o.samples) command += fmt::format(" --samples {}", o.samples);
  if (o.steps) command += fmt::format(" --steps {}", o.steps);
  if (!o.random_labels.checkpoint.empty()) {
    command += " --random-labels " + o.random_labels.checkpoint.string();
  }
  if (!o.source.vocabulary.empty()) command += " --vocabulary " + o.source.vocabulary.string();
  if (o.count != 4) command += fmt::format(" --count {}", o.count);
  return command + fmt::format(" --seed {} -o {}", o.seed, o.out.string());
}

// The twin trained on random labels: the one that was named, or the one a study leaves in its
// folder.
std::optional<inspect::Subject> open_twin(const inspect::Source& named,
                                          const inspect::Source& network) {
  inspect::Source source = named;
  if (source.checkpoint.empty()) {
    source.checkpoint = network.checkpoint / "random_labels";
    if (!std::filesystem::exists(source.checkpoint / "checkpoint.safetensors")) return {};
  }
  return inspect::open_subject(source);
}

int inspect_network(const InspectOptions& o) {
  if (o.list) return list_methods();
  if (o.source.checkpoint.empty()) {
    throw std::runtime_error(
        "say which network: strata inspect RUN --method NAME (--list shows the methods)");
  }
  if (o.method.empty()) throw std::runtime_error("say which --method; --list shows them");
  const inspect::Method& method = inspect::find_method(o.method);
  inspect::Source source = o.source;
  if (!o.model_options.empty()) source.options = nlohmann::json::parse(o.model_options);
  inspect::Subject subject = inspect::open_subject(source);
  inspect::Request request{subject, inspect::read_inputs(subject, o.inputs, o.count)};
  request.layer = o.layer;
  request.units = o.units;
  request.samples = o.samples;
  request.steps = o.steps;
  request.seed = o.seed;
  request.rule = o.rule;
  request.target = targets_of(o, request);
  request.target_from = o.target;
  const std::optional<inspect::Subject> twin = open_twin(o.random_labels, o.source);
  if (twin) request.random_labels = &*twin;
  inspect::Answer answer = inspect::run_method(method, request);
  std::filesystem::path out = o.out.empty() ? std::filesystem::path(o.method + ".png") : o.out;
  InspectOptions said = o;
  said.out = out;
  inspect::Json made = {{"method", method.name},
                        {"about", method.about},
                        {"paper", method.paper},
                        {"network", subject.name},
                        {"command", command_of(said)}};
  for (auto& line : answer.lines) fmt::print("{}\n", line);
  for (auto& file : inspect::write_answer(answer, made, out)) fmt::print("{}\n", file.string());
  return 0;
}

struct GalleryOptions {
  inspect::Source source;
  inspect::GalleryOptions gallery;
};

// A line that is written over, on a terminal; nothing where output goes to a file.
void show_progress(const std::string& what) {
  if (isatty(STDERR_FILENO)) fmt::print(stderr, "\r\033[K{}", what);
}

int gallery(GalleryOptions o) {
  auto subject = inspect::open_subject(o.source);
  o.gallery.progress = [](const std::string& method, size_t done, size_t of) {
    show_progress(fmt::format("{} of {}: {}", done + 1, of, method));
  };
  auto page = inspect::write_gallery(subject, o.source.checkpoint.string(), o.gallery);
  show_progress("");
  fmt::print("{}\n", page.string());
  return 0;
}

struct ScoresOptions {
  inspect::Source source, random_labels;
  inspect::ScoreOptions scores;
  std::filesystem::path out;
};

int scores(ScoresOptions o) {
  auto subject = inspect::open_subject(o.source);
  o.scores.progress = show_progress;
  const std::optional<inspect::Subject> twin = open_twin(o.random_labels, o.source);
  if (twin) o.scores.random_labels = &*twin;
  auto rows = inspect::score_methods(subject, o.scores);
  show_progress("");
  std::string command =
      fmt::format("strata scores {}{} --images {} --seed {}", o.source.checkpoint.string(),
                  o.random_labels.checkpoint.empty()
                      ? ""
                      : " --random-labels " + o.random_labels.checkpoint.string(),
                  o.scores.images, o.scores.seed);
  std::string table = inspect::to_markdown(rows);
  fmt::print("{}", table);
  if (o.out.empty()) return 0;
  inspect::Json json = {
      {"command", command}, {"network", subject.name}, {"rows", inspect::to_json(rows)}};
  io::write_file(o.out.string(), json.dump(2) + "\n");
  fmt::print("{}\n", o.out.string());
  return 0;
}

int induction(const std::filesystem::path& out, inspect::InductionOptions o) {
  o.progress = [&](int64_t step, double loss) {
    show_progress(fmt::format("step {} of {}, loss {:.3f}", step, o.steps, loss));
  };
  auto result = inspect::train_induction(out, o);
  show_progress("");
  fmt::print(
      "letters that were seen before: {:.1f} % right, {:.3f} nats; strata inspect {} --input "
      "\"quickquick\" --method attention\n",
      100 * result.accuracy, result.loss, out.string());
  return 0;
}

}  // namespace

void add_inspect(CLI::App& app, Command& run) {
  auto o = std::make_shared<InspectOptions>();
  auto* command = app.add_subcommand(
      "inspect", "Run one method of introspection on a trained network (--list shows them)");
  command->add_option("CHECKPOINT", o->source.checkpoint, "Folder of a run, or a safetensors file");
  command->add_flag("--list", o->list, "List the methods, with a line and the paper of each");
  command->add_option("--method", o->method, "What to run");
  command->add_option("--layer", o->layer,
                      "A named activation, as conv3; `strata models` has more");
  command->add_option("--unit", o->units, "Units (channels) of the layer")->delimiter(',');
  command
      ->add_option("--input", o->inputs,
                   "Picture, test:NUMBER, or text; by default test images of every class")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_option("--count", o->count, "Test images, where no input is given")
      ->capture_default_str()
      ->check(CLI::Range(1, 256));
  command
      ->add_option("--target", o->target, "Class to explain: its name or number, predicted, label")
      ->capture_default_str();
  command->add_option("--random-labels", o->random_labels.checkpoint,
                      "A run of the same network on labels that mean nothing: another control of "
                      "attributions");
  command->add_option("--rule", o->rule, "Rules of relevance propagation, for --method lrp");
  command->add_option("--samples", o->samples, "Random samples, where a method draws some")
      ->check(CLI::PositiveNumber);
  command->add_option("--steps", o->steps, "Steps, where a method takes some")
      ->check(CLI::PositiveNumber);
  command->add_option("--seed", o->seed, "Of everything random")->capture_default_str();
  command->add_option("-o,--out", o->out,
                      "PNG to write; arrays (npy) and numbers (json) beside it");
  command->add_option("--model", o->source.model, "Name of the network, without a config.json");
  command->add_option("--model-options", o->model_options, "Its options, as JSON");
  command->add_option("--data", o->source.data, "Its data, as `strata study` takes it");
  command->add_option("--vocabulary", o->source.vocabulary,
                      "Of a network of tokens: vocab.txt (WordPiece) or vocab.json with merges.txt "
                      "beside it (byte pairs); without it tokens are bytes");
  command->callback([o, &run] { run = [o] { return inspect_network(*o); }; });
}

void add_gallery(CLI::App& app, Command& run) {
  auto o = std::make_shared<GalleryOptions>();
  auto* command =
      app.add_subcommand("gallery", "A page of every method of introspection on one network");
  command->add_option("CHECKPOINT", o->source.checkpoint, "Folder of a run")->required();
  command->add_option("-o,--out", o->gallery.out, "Folder of the page")->required();
  command->add_option("--input", o->gallery.inputs, "As strata inspect takes it")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_option("--skip", o->gallery.skip, "Methods to leave out")->delimiter(',');
  command->add_option("--count", o->gallery.count, "Test images, where no input is given")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  command->add_option("--seed", o->gallery.seed, "Of everything random")->capture_default_str();
  command->callback([o, &run] { run = [o] { return gallery(*o); }; });
}

void add_scores(CLI::App& app, Command& run) {
  auto o = std::make_shared<ScoresOptions>();
  auto* command = app.add_subcommand(
      "scores", "Score every attribution method against the true places of generated images");
  command->add_option("CHECKPOINT", o->source.checkpoint, "Folder of a run on terrace")->required();
  command->add_option("--images", o->scores.images, "Test images")
      ->capture_default_str()
      ->check(CLI::Range(4, 2000));
  command->add_option("--random-labels", o->random_labels.checkpoint,
                      "A run of the same network on labels that mean nothing (strata study "
                      "--random-labels): another control");
  command->add_option("--methods", o->scores.methods, "Only these")->delimiter(',');
  command->add_option("--seed", o->scores.seed, "Of everything random")->capture_default_str();
  command->add_option("-o,--out", o->out, "JSON to write; the table is printed");
  command->callback([o, &run] { run = [o] { return scores(*o); }; });
}

void add_induction(CLI::App& app, Command& run) {
  auto o = std::make_shared<inspect::InductionOptions>();
  auto out = std::make_shared<std::string>();
  auto* command = app.add_subcommand(
      "induction", "Train a small transformer that learns to copy, to look into (half a minute)");
  command->add_option("-o,--out", *out, "Folder of the run")->required();
  command->add_option("--layers", o->layers, "Blocks; one is too few to learn it")
      ->capture_default_str()
      ->check(CLI::Range(1, 12));
  command->add_option("--steps", o->steps, "Of training")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command->add_option("--seed", o->seed, "The same seed gives the same run")->capture_default_str();
  command->callback([o, out, &run] { run = [o, out] { return induction(*out, *o); }; });
}

}  // namespace strata::commands
