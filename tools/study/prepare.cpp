// Opening a run: data, model, config.json; and whether a folder may be used for it.
#include <fmt/chrono.h>
#include <omp.h>

#include <ctime>
#include <oneapi/dnnl/dnnl.hpp>

#include "engine/io/atomic_file.h"
#include "engine/ops/random.h"
#include "models/config/configured.h"
#include "models/registry.h"
#include "tools/report/run_files.h"
#include "tools/study/random_labels.h"
#include "tools/study/study.h"
#include "tools/study/version.h"

namespace strata::study {
namespace {

using Json = nlohmann::ordered_json;

// Everything that decides the numbers of a run; two configs that differ here are different runs.
const std::vector<std::string> identity = {"seed",  "device",   "data",
                                           "model", "training", "factors"};

std::string onednn_version() {
  const dnnl_version_t* v = dnnl::version();
  return fmt::format("{}.{}.{}", v->major, v->minor, v->patch);
}

// The recipe of the data and the model, where the command line does not say otherwise.
Recipe recipe_of(const Options& o) {
  Recipe recipe = recipe_for(o.data, o.model);
  recipe.epochs = o.epochs.value_or(recipe.epochs);
  recipe.learning_rate = o.learning_rate.value_or(recipe.learning_rate);
  recipe.weight_decay = o.weight_decay.value_or(recipe.weight_decay);
  recipe.label_smoothing = o.label_smoothing.value_or(recipe.label_smoothing);
  return recipe;
}

Json factor_entries(const Dataset& data) {
  Json factors = Json::array();
  for (size_t f = 0; f < data.factors.size(); ++f) {
    const FactorInfo& info = data.factors[f];
    Json entry{{"name", info.name},
               {"level", info.level},
               {"values", info.value_names},
               {"chance", info.chance},
               {"ceiling", info.ceiling}};
    if (static_cast<int>(f) == data.label_factor) {
      entry["is_label"] = true;
      entry["title"] = info.name + " (the class)";
    }
    factors.push_back(entry);
  }
  if (data.label_factor < 0) {
    double chance = 1.0 / static_cast<double>(data.classes());
    factors.push_back({{"name", data.label_name},
                       {"title", data.label_name},
                       {"level", nullptr},
                       {"values", data.class_names},
                       {"chance", chance},
                       {"is_label", true}});
  }
  return factors;
}

Json layer_entries(const Study& study) {
  Json entries = Json::array();
  for (const std::string& layer : study.layers) {
    entries.push_back({{"name", layer}, {"kind", study.model->find(layer).kind()}});
  }
  return entries;
}

Json model_shape(const Options& options, const Dataset& data) {
  Json shape = {{"channels", data.channels},
                {"height", data.height},
                {"width", data.width},
                {"classes", data.classes()}};
  // The generated classes are relations over the whole image: see models/vision/convnet.h.
  if (options.model == "convnet" && data.name == "terrace") shape["halve"] = {1, 2, 4, 6};
  // A network described in a file goes on in runs that outlive the file.
  if (config::is_description(options.model))
    shape["description"] = model_options(options.model).at("description");
  return shape;
}

Json config_of(const Study& study) {
  const Options& o = study.options;
  const Dataset& d = *study.train;
  Json config = {
      {"format", "strata-study 1"},
      {"title", fmt::format("What each layer of {} learns on {}", o.model, d.name)},
      {"command", o.command},
      {"seed", o.seed},
      {"device", o.device},
      {"threads", omp_get_max_threads()},
      {"started", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)))},
      {"versions", {{"strata", version}, {"compiler", __VERSION__}, {"oneDNN", onednn_version()}}},
      {"data",
       {{"name", d.name},
        {"source", o.data},
        {"train", d.size()},
        {"validation", study.validation->size()},
        {"test", study.test->size()},
        {"image", {d.height, d.width, d.channels}}}},
      {"model",
       {{"name", o.model},
        {"options", model_shape(o, d)},
        {"parameters", study.model->parameter_count()},
        {"layers", layer_entries(study)}}},
      {"training",
       {{"epochs", study.recipe.epochs},
        {"batch", o.batch},
        {"optimiser", "AdamW"},
        {"learning_rate", study.recipe.learning_rate},
        {"weight_decay", study.recipe.weight_decay},
        {"label_smoothing", study.recipe.label_smoothing},
        {"augment", o.augment},
        {"schedule", "one cycle"}}},
      {"factors", factor_entries(d)}};
  if (o.random_labels) config["training"]["labels"] = "random";
  return config;
}

std::unique_ptr<Model> new_model(const Options& options, const Dataset& data) {
  manual_seed(options.seed);
  return make_model(options.model, model_shape(options, data));
}

// Refuses to mix two runs in a folder; says how to go on.
void claim_folder(const Options& options) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (fs::exists(options.out) && !fs::is_directory(options.out)) {
    fail("study", Caller{}, "--out {} is a file, not a folder", options.out.string());
  }
  fs::create_directories(options.out, error);
  if (error) {
    fail("study", Caller{}, "cannot make the folder {}: {}", options.out.string(), error.message());
  }
  if (!fs::exists(options.out / "config.json")) return;
  if (options.force) {
    for (const char* name : {"config.json", "metrics.jsonl", "report.json", "report.html",
                             "checkpoint.safetensors", "monitor", "events"}) {
      fs::remove_all(options.out / name, error);
    }
    return;
  }
  if (!options.resume) {
    fail("study", Caller{},
         "{} already holds a run. Go on with it by --resume, replace it by --force, or choose "
         "another "
         "--out",
         options.out.string());
  }
}

void check_same_run(const nlohmann::json& before, const nlohmann::json& now,
                    const std::filesystem::path& folder) {
  for (const std::string& key : identity) {
    if (before.contains(key) && before[key] == now[key]) continue;
    fail("study", Caller{},
         "{} holds another run: its {} is {}, this command's is {}. Use the command in its "
         "config.json, "
         "or another --out",
         folder.string(), key, before.contains(key) ? before[key].dump() : "missing",
         now[key].dump());
  }
}

}  // namespace

int64_t Study::steps_per_epoch() const {
  return std::max<int64_t>(1, train->size() / options.batch);
}
int64_t Study::total_steps() const { return recipe.epochs * steps_per_epoch(); }
std::vector<int64_t> Study::film() const {
  constexpr int64_t most_bytes = int64_t{2} << 30;
  int64_t each = std::max<int64_t>(1, 4 * model->parameter_count());
  return film_steps(total_steps(), std::clamp<int64_t>(most_bytes / each, 2, 12));
}
std::unique_ptr<Model> Study::untrained() const { return new_model(options, *train); }

Study prepare(const Options& given) {
  Study study;
  study.options = given;
  Options& o = study.options;
  if (!is_available(device_from(o.device))) {
    fail("study", Caller{}, "--device gpu: CUDA finds none on this machine; use --device cpu");
  }
  study.recipe = recipe_of(o);
  if (o.batch < 2)
    fail("study", Caller{}, "--batch {} is too small for batch norm; give at least 2", o.batch);
  DatasetLimits limits{.train = o.train_images, .validation = o.probe_images, .test = 2000};
  if (!o.data.starts_with("terrace")) limits.test = 0;  // all there is
  study.train = open_dataset(o.data, Split::train, o.seed, limits);
  if (o.random_labels) study.train = std::make_unique<RandomLabels>(std::move(study.train), o.seed);
  study.validation = open_dataset(o.data, Split::validation, o.seed, limits);
  study.test = open_dataset(o.data, Split::test, o.seed, limits);
  study.model = new_model(o, *study.train);
  study.layers = study.model->stages();
  study.layers.pop_back();  // the logits are the answer, not a representation of it
  claim_folder(o);
  study.config = config_of(study);
  auto path = study.file("config.json");
  if (std::filesystem::exists(path)) {
    // Compared as sets of keys: the order in a file that was read is not kept.
    nlohmann::json before = report::read_json(path);
    check_same_run(before, nlohmann::json(study.config), o.out);
    study.config = before;
  } else {
    io::write_file(path.string(), study.config.dump(2) + "\n");
  }
  return study;
}

}  // namespace strata::study
