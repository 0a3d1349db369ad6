// Subject: what `strata inspect` looks at. A trained network with its never trained twin (the
// control), the data it was trained on, and the inputs it is asked about.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/data/dataset.h"
#include "models/model.h"
#include "tools/inspect/spelling.h"
#include "tools/introspect/edit.h"

namespace strata::inspect {

// Where the network comes from. `checkpoint`: the folder of a run (of `strata study`, or of a task
// of `strata train` that says which network it has), or a safetensors file; what a config.json
// beside it says may be overridden by the other fields.
struct Source {
  std::filesystem::path checkpoint;
  std::string model;                 // a name of the registry
  nlohmann::json options;            // of the model
  std::string data;                  // as `strata study --data` takes it
  std::filesystem::path vocabulary;  // of a network of tokens that are not bytes: read_spelling()
};

struct Subject {
  std::string name;  // for titles: "convnet, runs/first"
  std::string model_name;
  nlohmann::json options;
  std::unique_ptr<Model> model, untrained;           // both in evaluation mode
  std::unique_ptr<Dataset> train, validation, test;  // null where the network reads no images
  std::vector<std::string> class_names;      // of the scores; empty when unknown, or there are none
  std::shared_ptr<const Spelling> spelling;  // of networks of tokens
  bool reads_captions = false;  // a CLIP that was trained on sentences of engine/data/captions.h

  bool reads_images() const { return test != nullptr; }
  std::string class_name(int64_t index) const;
  // [N, classes]; of a network of tokens, what it says of the text or, where it says something of
  // every token, of the last: the logits of what follows.
  introspect::Scores scores() const { return scores_of(*model); }
  introspect::Scores untrained_scores() const { return scores_of(*untrained); }
  // A class by its name (upper and lower case alike) or its number; an unknown one is an error that
  // lists the classes.
  int64_t class_of(const std::string& target) const;

 private:
  introspect::Scores scores_of(Model& which) const;
};

// Errors name the file and what it lacks.
Subject open_subject(const Source& source);

struct Inputs {
  Tensor x;                        // as the network takes it: [N, H, W, C], or tokens i64 [N, T]
  Tensor pixels;                   // [N, H, W, C] in [0, 1]; undefined for tokens
  std::vector<std::string> names;  // "test 17", "photo.jpg"
  std::vector<int64_t> labels;     // -1 where not known
  Tensor object;                   // bool [N, H, W]: where the object is, where the data say
  std::vector<std::vector<std::string>> tokens;  // as shown, for tokens
};

// `given`: pictures (PNG, JPEG, cut to a square and brought to the network's size), "test:17" for
// an image of the test set, or text for a network of tokens. Nothing given: `count` test images
// that cover the classes evenly.
Inputs read_inputs(const Subject& subject, const std::vector<std::string>& given, int64_t count);
// Images of a data set by number.
Inputs inputs_of(const Dataset& data, const std::vector<int64_t>& indices, const std::string& name);

}  // namespace strata::inspect
