// Safetensors files (https://huggingface.co/docs/safetensors, format section):
//   8 bytes    N, length of the header, little endian, at most 100 MB
//   N bytes    JSON: {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]},
//   ...},
//              with strings in "__metadata__"; may end in spaces
//   the rest   the tensors, row-major, little endian; offsets count from here, leave no hole and
//              do not overlap
// Written files pad the header to 8 bytes and put wide types first, so every tensor is aligned.
//
// Files are not trusted: lengths, offsets, dtypes, duplicate names and shapes are checked before
// anything is allocated, and what does not fit is an error that says so.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "engine/io/source.h"
#include "engine/nn/module.h"

namespace strata::io {

using Metadata = std::map<std::string, std::string>;

// An open file: its header has been read and checked, tensors are read when asked for.
class Safetensors {
 public:
  struct Entry {
    DType dtype = DType::f32;
    Dims shape;
    uint64_t begin = 0, end = 0;  // in the data
  };
  explicit Safetensors(std::unique_ptr<Source> source, Caller at = Caller::here());

  const std::map<std::string, Entry>& entries() const { return entries_; }
  const Metadata& metadata() const { return metadata_; }
  // An unknown name is an error.
  Tensor read(const std::string& name, Caller at = Caller::here()) const;
  // Of all entries whose names begin with `prefix`, which is taken off.
  StateDict read_all(const std::string& prefix = "", Caller at = Caller::here()) const;

 private:
  std::unique_ptr<Source> source_;
  uint64_t data_start_ = 0;
  std::map<std::string, Entry> entries_;
  Metadata metadata_;
};

StateDict load_safetensors(const std::string& path, Metadata* metadata = nullptr,
                           Caller at = Caller::here());
// Through AtomicFile. All element types; views are written row-major.
void save_safetensors(const std::string& path, const StateDict& tensors,
                      const Metadata& metadata = {}, Caller at = Caller::here());

}  // namespace strata::io
