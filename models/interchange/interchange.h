// Checkpoints of other libraries, in and out: the names of torchvision, timm, Hugging Face's
// transformers and OpenAI's CLIP for the networks of the registry, layouts converted at the door.
//
//   model            dialects                          converted
//   resnet18..152    torchvision, timm, huggingface    convolutions OIHW <-> OHWI
//   alexnet          torchvision                       and columns of fc6 (C, H, W) <-> (H, W, C)
//   vgg11..19, _bn   torchvision, timm                 and those of fc1
//   vit_*            timm, torchvision, huggingface    and separate q, k, v <-> one product
//   gpt2 and gpt     huggingface                       transposed weights
//   bert*            huggingface                       separate q, k, v
//   clip             huggingface, openai               transposed projections; q, k, v
//   every model      strata                            nothing: our own names
//
// huggingface names are those of files; vit has "huggingface5" for what transformers 5 calls its
// parameters in memory.
// Networks for small images that share the structure (cifar_resnet's resnet20) have the same names.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/nn/module.h"

namespace strata {

struct ImportedState {
  StateDict state;      // our names and layouts; element types as they came
  std::string dialect;  // "torchvision"
  // What kept the two from fitting exactly, a line each.
  std::vector<std::string> missing;     // "fc.weight (head.weight)": ours, and nothing of theirs
  std::vector<std::string> unexpected;  // theirs, and no place for it
  std::vector<std::string> misfits;     // of another shape or type; these are not in `state`
  bool complete() const { return missing.empty() && unexpected.empty() && misfits.empty(); }
};

// Converts `theirs` for the registered model with these options (as make_model takes them). The
// dialect is the one whose names fit best; prefixes of wrappers (module., model., _orig_mod.) are
// taken off. Names of no dialect at all are an error that shows some of both sides. Views of
// `theirs` where the layout allows, otherwise copies.
ImportedState import_state(const std::string& model, const nlohmann::json& options,
                           const StateDict& theirs, Caller at = Caller::here());

// The lists of `imported` as an error's message, or "" when it is complete.
std::string explain(const ImportedState& imported);

// The way back, for PyTorch's load_state_dict(strict=True): with counts of batches and tied copies.
// `ours` must fit the model; an unknown dialect is an error that lists those there are.
StateDict export_state(const std::string& model, const nlohmann::json& options,
                       const std::string& dialect, const StateDict& ours,
                       Caller at = Caller::here());

// "torchvision", ..., "strata".
std::vector<std::string> dialect_names(const std::string& model, const nlohmann::json& options,
                                       Caller at = Caller::here());

}  // namespace strata
