// NumPy's files: .npy (one array) and .npz (a zip archive of them).
// Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, versions 1 to 3.
//
// Element types: f64 f32 f16 i64 i32 u8 bool, little endian; NumPy has no bf16. Arrays in Fortran
// order come out row-major. Archives: engine/io/zip.h. Files are not trusted: sizes are checked
// against what is there before anything is allocated, and a member that decompresses to more or
// less than it declares, or whose checksum is wrong, is refused.
#pragma once

#include <string>

#include "engine/io/source.h"
#include "engine/nn/module.h"

namespace strata::io {

Tensor load_npy(const std::string& path, Caller at = Caller::here());
Tensor read_npy(const Source& source, Caller at = Caller::here());
// Through AtomicFile. bf16 is refused: convert it to f32.
void save_npy(const std::string& path, const Tensor& tensor, Caller at = Caller::here());

struct NpzLimits {
  uint64_t bytes = uint64_t{4} << 30;  // of all members, decompressed
};
// Arrays by name, without ".npy".
StateDict load_npz(const std::string& path, NpzLimits limits = {}, Caller at = Caller::here());
StateDict read_npz(const Source& source, NpzLimits limits = {}, Caller at = Caller::here());
// As numpy.savez, or savez_compressed.
void save_npz(const std::string& path, const StateDict& tensors, bool compress = false,
              Caller at = Caller::here());

// The array a stream holds; `name` is for messages. The stream must end with the array.
Tensor read_npy(Stream& stream, const std::string& name, Caller at = Caller::here());
// The header of an array, as written before its bytes.
std::string npy_header(const Tensor& tensor, Caller at = Caller::here());

}  // namespace strata::io
