// From "mnist:DIR" and the like to a Dataset.
#include <algorithm>
#include <cstring>

#include "engine/data/cifar.h"
#include "engine/data/dataset.h"
#include "engine/data/folder.h"
#include "engine/data/idx.h"
#include "engine/data/stored_images.h"
#include "engine/data/terrace.h"

namespace strata {
namespace {

// The split of a source that can give its training records and its test records (empty: none).
// Pixels are normalised by the statistics of the training split, whichever split is asked for.
struct Source {
  ImageRecords train, test;
  std::vector<std::string> class_names;
};

std::unique_ptr<Dataset> cut(const std::string& name, const Source& source, Split split,
                             uint64_t seed, const DatasetLimits& limits, Caller at) {
  SplitChoice choice =
      choose_split(source.train.size(), source.test.size(), split, seed, limits, name, at);
  SplitChoice training =
      choose_split(source.train.size(), source.test.size(), Split::train, seed, limits, name, at);
  auto data = std::make_unique<StoredImages>(
      name, take(choice.from_test ? source.test : source.train, choice.indices), source.class_names,
      at);
  channel_statistics(take(source.train, training.indices), &data->mean, &data->deviation);
  return data;
}

ImageRecords records_of(const IdxPair& pair) {
  const Tensor& images = pair.images;
  ImageRecords records{
      images.size(1), images.size(2), images.rank() == 4 ? images.size(3) : 1, {}, {}};
  const uint8_t* pixels = images.data<uint8_t>();
  const uint8_t* labels = pair.labels.data<uint8_t>();
  records.pixels.assign(pixels, pixels + images.numel());
  records.labels.assign(labels, labels + pair.labels.numel());
  return records;
}

Source open_idx(const std::string& kind, const std::string& folder, bool with_test, Caller at) {
  Source source;
  source.train = records_of(read_idx_folder(folder, true, at));
  if (with_test) source.test = records_of(read_idx_folder(folder, false, at));
  if (kind == "fashion") {
    source.class_names = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                          "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};
  } else {
    int64_t top = 9;
    for (int64_t label : source.train.labels) top = std::max(top, label);
    for (int64_t i = 0; i <= top; ++i) source.class_names.push_back(std::to_string(i));
  }
  return source;
}

Source open_cifar(int classes, const std::string& folder, Caller at) {
  Source source;
  auto convert = [&](bool train) {
    CifarRecords records = read_cifar_folder(folder, classes, train, at);
    return ImageRecords{32, 32, 3, std::move(records.images), std::move(records.labels)};
  };
  source.train = convert(true);
  source.test = convert(false);
  if (source.train.size() == 0)
    fail("cifar", at, "'{}' has no training file ({}, plain or .gz)", folder,
         classes == 10 ? "data_batch_1.bin ..." : "train.bin");
  source.class_names = cifar_class_names(folder, classes, at);
  return source;
}

std::unique_ptr<Dataset> open_terrace(const std::string& task, Split split, uint64_t seed,
                                      const DatasetLimits& limits, Caller at) {
  constexpr int64_t sizes[] = {20000, 2000, 2000};
  int64_t asked[] = {limits.train, limits.validation, limits.test};
  int which = static_cast<int>(split);
  // Each split has image numbers of its own: 2^40 apart.
  return std::make_unique<Terrace>(terrace_task(task.empty() ? default_terrace_task : task, at),
                                   seed, asked[which] > 0 ? asked[which] : sizes[which],
                                   static_cast<uint64_t>(which) << 40);
}

}  // namespace

std::unique_ptr<Dataset> open_dataset(const std::string& spec, Split split, uint64_t seed,
                                      const DatasetLimits& limits, Caller at) {
  size_t colon = spec.find(':');
  std::string kind = spec.substr(0, colon);
  std::string rest = colon == std::string::npos ? "" : spec.substr(colon + 1);
  if (kind == "terrace") return open_terrace(rest, split, seed, limits, at);
  static constexpr const char* with_folder[] = {"mnist", "fashion", "cifar10", "cifar100",
                                                "folder"};
  if (std::find(std::begin(with_folder), std::end(with_folder), kind) == std::end(with_folder))
    fail("dataset", at,
         "'{}' is no data set: use terrace, terrace:TASK, mnist:DIR, fashion:DIR, cifar10:DIR, "
         "cifar100:DIR or folder:DIR",
         spec);
  if (rest.empty()) fail("dataset", at, "'{}' needs the folder of its files: {}:DIR", spec, kind);
  bool test = split == Split::test;
  if (kind == "mnist" || kind == "fashion") {
    Source source = open_idx(kind, rest, test, at);
    // The size of the test set matters to the cut only in being there.
    if (!test) source.test.labels.resize(1);
    return cut(kind, source, split, seed, limits, at);
  }
  if (kind == "folder") {
    FolderImages images = read_image_folder(rest, limits.image_size ? limits.image_size : 32, at);
    return cut(kind, {std::move(images.train), std::move(images.test), images.class_names}, split,
               seed, limits, at);
  }
  return cut(kind, open_cifar(kind == "cifar10" ? 10 : 100, rest, at), split, seed, limits, at);
}

}  // namespace strata
