#include "tools/inspect/subject.h"

#include <algorithm>
#include <cctype>
#include <limits>

#include "engine/autograd/autograd.h"
#include "engine/data/image_file.h"
#include "engine/data/terrace.h"
#include "engine/io/checkpoint.h"
#include "engine/io/safetensors.h"
#include "engine/ops.h"
#include "models/multimodal/clip.h"
#include "models/registry.h"
#include "tools/report/run_files.h"
#include "tools/train/task.h"

namespace strata::inspect {
namespace {

namespace fs = std::filesystem;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// What a run's files say besides what a Source holds.
struct Origin {
  uint64_t seed = 1;
  int64_t first_byte = 0;  // of networks that read bytes: token t is the byte first_byte + t
};

// Fills what the command line left open from the config.json of a run of `strata train`.
void complete_from_task(Source& source, const nlohmann::json& run, Subject& subject) {
  const train::TaskEntry& task = train::task_named(run.at("task"));
  if (source.model.empty()) {
    if (task.network.empty())
      fail("inspect", Caller{},
           "{} is a run of `strata train {}`, whose network is not opened here; those of `strata "
           "study`, `strata train clip` and `strata induction` are",
           source.checkpoint.string(), task.name);
    source.model = task.network;
    if (source.options.is_null()) source.options = run.at("model");
  }
  if (source.data.empty()) source.data = task.images;
  subject.reads_captions = source.model == "clip";
}

// The same from what `strata import` writes into its files.
void complete_from_file(Source& source, const fs::path& file) {
  const io::Metadata metadata = io::Safetensors(io::open_file(file.string())).metadata();
  if (!metadata.contains("model")) {
    fail("inspect", Caller{},
         "{} does not say which network it is, nor does a config.json beside it: --model NAME "
         "(`strata models` lists them) and --model-options JSON",
         source.checkpoint.string());
  }
  source.model = metadata.at("model");
  if (!source.options.is_null() || !metadata.contains("options")) return;
  source.options = nlohmann::json::parse(metadata.at("options"), nullptr, false);
  if (!source.options.is_object()) {
    fail("inspect", Caller{},
         "the header of {} says it is a {}, with options that are no JSON object; give --model and "
         "--model-options",
         source.checkpoint.string(), source.model);
  }
}

// The same from the config.json of any run, if there is one, or from the file.
Origin complete(Source& source, const fs::path& file, Subject& subject) {
  const fs::path config = file.parent_path() / "config.json";
  nlohmann::json run;
  if (fs::exists(config)) run = report::read_json(config);
  if (run.contains("task")) {
    complete_from_task(source, run, subject);
    return {.seed = run.value("seed", uint64_t{1})};
  }
  // Another library's config.json names its model otherwise, if at all.
  if (!run.contains("model") || !run["model"].is_object()) {
    if (source.model.empty()) complete_from_file(source, file);
    return {};
  }
  if (source.model.empty()) {
    source.model = run.at("model").at("name");
    if (source.options.is_null() && run["model"].contains("options")) {
      source.options = run["model"]["options"];
    }
  }
  Origin origin{.seed = run.value("seed", uint64_t{1})};
  if (run.contains("text")) origin.first_byte = run["text"].value("first_byte", int64_t{0});
  if (source.data.empty() && run.contains("data")) source.data = run["data"].value("source", "");
  return origin;
}

void load(Subject& subject, const Source& source, const fs::path& file, uint64_t seed) {
  manual_seed(seed);  // the twin starts where training did
  subject.model = make_model(source.model, source.options);
  manual_seed(seed);
  subject.untrained = make_model(source.model, source.options);
  io::load_model(file.string(), *subject.model);
  subject.model->eval();
  subject.untrained->eval();
}

// The object's place, where the data are made here and know it.
Tensor object_of(const Dataset& data, const std::vector<int64_t>& indices) {
  auto terrace = dynamic_cast<const Terrace*>(&data);
  if (!terrace) return {};
  std::vector<uint8_t> inside, pixels(terrace::image_bytes);
  for (int64_t index : indices) {
    terrace::Masks masks;
    terrace::render(terrace->scene(index), pixels.data(), &masks);
    for (size_t p = 0; p < terrace::pixel_count; ++p) {
      inside.push_back(std::max(masks.part_above[p], masks.part_below[p]) > 127);
    }
  }
  return from_vector(inside, {static_cast<int64_t>(indices.size()), data.height, data.width})
      .to(DType::boolean);
}

std::vector<int64_t> covering_classes(const Dataset& data, int64_t count) {
  int64_t seen = std::min<int64_t>(data.size(), 50 * std::max(count, data.classes()));
  auto labels = data.head(seen).labels.to_vector<int64_t>();
  std::vector<int64_t> taken(static_cast<size_t>(data.classes()), 0), chosen;
  int64_t each = (count + data.classes() - 1) / data.classes();
  for (size_t i = 0; i < labels.size() && static_cast<int64_t>(chosen.size()) < count; ++i) {
    if (taken[static_cast<size_t>(labels[i])]++ < each) chosen.push_back(static_cast<int64_t>(i));
  }
  return chosen;
}

// A picture as the network takes it, [1, H, W, C], and its pixels.
std::pair<Tensor, Tensor> picture_input(const Dataset& data, const std::string& path) {
  Picture picture = crop_square(read_picture(path));
  picture = resize(picture, data.height, data.width);
  if (picture.channels != data.channels) {
    Picture rgb = to_rgb(picture);
    Picture fitted{rgb.height, rgb.width, data.channels, {}};
    for (int64_t p = 0; p < rgb.height * rgb.width; ++p) {
      const uint8_t* c = rgb.pixels.data() + 3 * p;
      if (data.channels == 3) fitted.pixels.insert(fitted.pixels.end(), c, c + 3);
      // ITU-R BT.601 luma.
      if (data.channels == 1) {
        fitted.pixels.push_back(static_cast<uint8_t>(0.299 * c[0] + 0.587 * c[1] + 0.114 * c[2]));
      }
    }
    picture = fitted;
  }
  Dims shape{1, data.height, data.width, data.channels};
  Tensor x = empty(shape);
  data.normalise(picture.pixels.data(), x.data<float>());
  return {x, from_vector(picture.pixels, shape).to(DType::f32) / 255.0};
}

Inputs read_images(const Dataset& data, const std::vector<std::string>& given) {
  std::vector<Inputs> parts;
  for (const std::string& name : given) {
    if (name.starts_with("test:")) {
      char* end = nullptr;
      int64_t index = std::strtoll(name.c_str() + 5, &end, 10);
      if (name.size() == 5 || *end != 0 || index < 0 || index >= data.size()) {
        fail("inspect", Caller{}, "'{}' is not test:NUMBER with a number below {}", name,
             data.size());
      }
      parts.push_back(inputs_of(data, {index}, "test"));
      continue;
    }
    auto [x, pixels] = picture_input(data, name);
    parts.push_back({x, pixels, {fs::path(name).filename().string()}, {-1}, {}, {}});
  }
  Inputs all;
  std::vector<Tensor> x, pixels, objects;
  for (auto& part : parts) {
    x.push_back(part.x);
    pixels.push_back(part.pixels);
    if (part.object.defined()) objects.push_back(part.object);
    all.names.push_back(part.names[0]);
    all.labels.push_back(part.labels[0]);
  }
  all.x = concatenate(x, 0);
  all.pixels = concatenate(pixels, 0);
  if (objects.size() == parts.size()) all.object = concatenate(objects, 0);
  return all;
}

Inputs read_text(const Subject& subject, const std::vector<std::string>& given) {
  // A network that keeps a state reads texts of any length.
  const int64_t context = subject.options.value("context", std::numeric_limits<int64_t>::max());
  if (given.size() != 1) {
    fail("inspect", Caller{}, "a network of tokens takes one text: --input \"some text\"");
  }
  if (given[0].empty()) fail("inspect", Caller{}, "the text is empty; give at least one byte");
  const std::vector<int64_t> tokens = subject.spelling->encode(given[0]);
  const auto length = static_cast<int64_t>(tokens.size());
  if (length > context) {
    fail("inspect", Caller{}, "the text has {} tokens; this network reads 1 to {}", length,
         context);
  }
  Inputs inputs;
  inputs.tokens.emplace_back();
  for (int64_t token : tokens) inputs.tokens[0].push_back(subject.spelling->shown(token));
  inputs.x = from_vector(tokens, {1, length});
  inputs.names = {given[0]};
  inputs.labels = {-1};
  return inputs;
}

}  // namespace

std::string Subject::class_name(int64_t index) const {
  if (index >= 0 && index < static_cast<int64_t>(class_names.size())) {
    return class_names[static_cast<size_t>(index)];
  }
  return spelling ? spelling->shown(index) : fmt::format("{}", index);
}

introspect::Scores Subject::scores_of(Model& which) const {
  if (reads_images()) return [&which](const Tensor& x) { return which(x); };
  return [&which](const Tensor& x) {
    Tensor logits = which(x);
    return logits.rank() == 2 ? logits : logits.select(1, logits.size(1) - 1);
  };
}

int64_t Subject::class_of(const std::string& target) const {
  for (size_t i = 0; i < class_names.size(); ++i) {
    if (lower(class_names[i]) == lower(target)) return static_cast<int64_t>(i);
  }
  char* end = nullptr;
  int64_t index = std::strtoll(target.c_str(), &end, 10);
  bool number = !target.empty() && *end == 0;
  int64_t classes = class_names.empty() ? INT64_MAX : static_cast<int64_t>(class_names.size());
  if (number && index >= 0 && index < classes) return index;
  fail("inspect", Caller{}, "there is no class '{}'; there are {}", target,
       fmt::join(class_names, ", "));
}

Subject open_subject(const Source& given) {
  Source source = given;
  if (!fs::exists(source.checkpoint)) {
    fail("inspect", Caller{},
         "there is no {}; give the folder of a run (strata study --out) or a "
         "safetensors file",
         source.checkpoint.string());
  }
  bool folder = fs::is_directory(source.checkpoint);
  fs::path home = folder ? source.checkpoint : source.checkpoint.parent_path();
  fs::path file = folder ? home / "checkpoint.safetensors" : source.checkpoint;
  if (!fs::exists(file)) {
    fail("inspect", Caller{}, "{} holds no checkpoint.safetensors; has the run saved one yet?",
         home.string());
  }
  Subject subject;
  const auto [seed, first_byte] = complete(source, file, subject);
  subject.model_name = source.model;
  subject.name = fmt::format("{}, {}", source.model, source.checkpoint.string());
  subject.options = complete_options(source.model, source.options);
  load(subject, source, file, seed);
  // CLIP has a vocabulary and reads images nevertheless.
  const bool reads_tokens =
      subject.options.contains("vocabulary") && model_entry(source.model).domain != Domain::image;
  if (reads_tokens) {
    const int64_t vocabulary = subject.options.at("vocabulary");
    subject.spelling = source.vocabulary.empty() ? bytes_from(first_byte, vocabulary)
                                                 : read_spelling(source.vocabulary, vocabulary);
  }
  if (!source.data.empty() && !reads_tokens) {
    subject.train = open_dataset(source.data, Split::train, seed);
    subject.validation = open_dataset(source.data, Split::validation, seed);
    subject.test = open_dataset(source.data, Split::test, seed);
    if (!dynamic_cast<Clip*>(subject.model.get())) subject.class_names = subject.test->class_names;
  } else if (!reads_tokens) {
    fail("inspect", Caller{},
         "it is not known which data {} was trained on, so not how its input is normalised: give "
         "--data as `strata study` takes it",
         source.checkpoint.string());
  }
  return subject;
}

Inputs inputs_of(const Dataset& data, const std::vector<int64_t>& indices,
                 const std::string& name) {
  Batch batch = data.fill(indices);
  Inputs inputs;
  inputs.x = batch.images;
  Tensor mean = from_vector(data.mean, {data.channels});
  Tensor deviation = from_vector(data.deviation, {data.channels});
  inputs.pixels = batch.images * deviation + mean;
  inputs.labels = batch.labels.to_vector<int64_t>();
  for (int64_t index : indices) inputs.names.push_back(fmt::format("{} {}", name, index));
  inputs.object = object_of(data, indices);
  return inputs;
}

Inputs read_inputs(const Subject& subject, const std::vector<std::string>& given, int64_t count) {
  if (!subject.reads_images()) return read_text(subject, given);
  if (given.empty()) {
    return inputs_of(*subject.test, covering_classes(*subject.test, count), "test");
  }
  return read_images(*subject.test, given);
}

}  // namespace strata::inspect
