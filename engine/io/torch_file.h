// PyTorch's files of tensors (.pt, .pth, .bin), as torch.save has written them since 1.6: a zip
// archive of a pickle (<name>/data.pkl) and of one member a storage (<name>/data/<key>).
//
// Reading runs nothing of the pickle (engine/io/unpickle.h): it may name the classes of storages
// and the functions that rebuild tensors, and those are understood here. Whole models
// (torch.save(model)) name classes of the program that wrote them and are refused, as are
// TorchScript programs and the format before 1.6. Members are stored, never compressed, so a file
// holds no more than its own size.
//
// Element types: f64 f32 bf16 f16 i64 i32 u8 bool.
#pragma once

#include <string>

#include "engine/io/source.h"
#include "engine/nn/module.h"

namespace strata::io {

// The tensors of a state dict by name. Those that share a storage in the file share it here; a
// tensor may be a view with strides. Entries that are no tensors are left out; dictionaries in
// dictionaries give names joined with dots.
//
// `key` says where in the file the dictionary is ("model.state_dict"). Without it: the outermost
// one if it has a tensor, else the one under state_dict, model_state_dict, model, module, network,
// net or weights, else the only one with a tensor; anything else is an error that lists the keys.
StateDict load_torch(const std::string& path, const std::string& key = "",
                     Caller at = Caller::here());
StateDict read_torch(const Source& source, const std::string& key = "", Caller at = Caller::here());

// As torch.save(state_dict, path): an OrderedDict that torch.load reads, also with
// weights_only=True. Each tensor gets a storage of its own. Over 4 GiB is an error.
void save_torch(const std::string& path, const StateDict& tensors, Caller at = Caller::here());

}  // namespace strata::io
