// IDX, the format of MNIST and its family (LeCun, Cortes and Burges): big-endian
//   0 0 TYPE RANK, RANK sizes of 32 bits, then the elements.
// TYPE 8: u8, 9: i8, 11: i16, 12: i32, 13: f32, 14: f64. Plain or gzipped.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "engine/data/dataset.h"

namespace strata {

// u8, i32 (also for i8 and i16), f32 or f64 tensor of the file's shape. Anything that is not
// exactly one well-formed array is an error that names the file, what was found and what was
// expected.
Tensor read_idx(const std::string& path, Caller at = Caller::here());
Tensor parse_idx(std::span<const uint8_t> bytes, const std::string& name,
                 Caller at = Caller::here());

// Images u8 [N, H, W] or [N, H, W, C] and labels u8 [N] of a folder: the files whose names begin
// with train, t10k or test, contain "images" and "idx3" (for the labels "labels" and "idx1"), such
// as train-images-idx3-ubyte.gz or train20k-images-idx3-ubyte.
struct IdxPair {
  Tensor images, labels;
};
IdxPair read_idx_folder(const std::string& folder, bool train, Caller at = Caller::here());

}  // namespace strata
