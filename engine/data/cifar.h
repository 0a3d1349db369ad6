// CIFAR-10 and CIFAR-100, binary version (Krizhevsky 2009): records of one label byte (CIFAR-100:
// two, coarse and fine), then 1024 red, 1024 green and 1024 blue bytes, row by row. Plain or
// gzipped.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/error.h"

namespace strata {

struct CifarRecords {
  std::vector<uint8_t> images;  // [N, 32, 32, 3]
  std::vector<int64_t> labels;  // [N]; the fine label of CIFAR-100
  std::vector<int64_t> coarse;  // [N] for CIFAR-100, empty for CIFAR-10
};

// `classes`: 10 or 100. A size that is no whole number of records, or a label out of range, is an
// error that names the file.
CifarRecords parse_cifar(std::span<const uint8_t> bytes, int classes, const std::string& name,
                         Caller at = Caller::here());

// The records of all training (data_batch_*.bin, train.bin) or test files (test_batch.bin,
// test.bin) of a folder, .gz or not, in the order of their names. No such file: no records.
CifarRecords read_cifar_folder(const std::string& folder, int classes, bool train,
                               Caller at = Caller::here());

// Names in label order from batches.meta.txt (CIFAR-10) or fine_label_names.txt (CIFAR-100), or
// "0", "1", ... where the file is absent.
std::vector<std::string> cifar_class_names(const std::string& folder, int classes,
                                           Caller at = Caller::here());

}  // namespace strata
