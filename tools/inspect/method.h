// The methods of `strata inspect`: one table, a line a method, each with the paper it comes from.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tools/draw/figure.h"
#include "tools/inspect/subject.h"

namespace strata::inspect {

using Json = nlohmann::ordered_json;

// What is asked. Empty fields are filled in by the method.
struct Request {
  const Subject& subject;
  Inputs inputs;
  std::vector<int64_t> target = {};  // one an input: the class explained
  std::string target_from = {};      // "predicted", "label" or as given
  std::string layer = {};            // a named activation
  std::vector<int64_t> units = {};   // of the layer
  int64_t samples = 0, steps = 0;    // 0: the method's own
  uint64_t seed = 1;
  // The same network trained on labels that mean nothing, where there is one: another control.
  const Subject* random_labels = nullptr;
  std::string rule = {};  // of relevance propagation
};

// What is answered: a picture, the raw arrays, every number.
struct Answer {
  draw::Figure figure;
  std::map<std::string, Tensor> arrays;
  Json numbers;
  std::vector<std::string> lines;  // for the terminal
};

enum class Reads : uint8_t { anything, images, tokens };

struct Method {
  std::string name;   // as on the command line
  std::string group;  // "attribution", "units", ...
  std::string about;  // one line
  std::string paper;
  Reads reads = Reads::anything;
  bool needs_layer = false;
  std::function<Answer(const Request&)> run;
};

// All of them, by group.
const std::vector<Method>& methods();
// By name; an unknown one is an error that lists those with a similar name.
const Method& find_method(const std::string& name);

// Parts of the table, a file each.
std::vector<Method> attribution_methods();
std::vector<Method> explanation_methods();
std::vector<Method> unit_methods();
std::vector<Method> population_methods();
std::vector<Method> representation_methods();
std::vector<Method> map_methods();
std::vector<Method> curvature_methods();
std::vector<Method> language_methods();

// Fills in what a request leaves open, checks that the method applies, and runs it. A method that
// does not apply is an error that says why.
Answer run_method(const Method& method, Request request);

// The layer of the request, or the last one whose activation is a map [N, H, W, C]; an error that
// lists the layers where it is not known.
std::string layer_of(const Request& request, bool map);
}  // namespace strata::inspect
