// DataLoader: a data set as batches, in an order and with changes that (seed, epoch) alone decide,
// prepared ahead by threads.
//
//   DataLoader loader(*data, {.batch_size = 64, .seed = 1, .workers = 2});
//   for (int epoch = 0; epoch < 10; ++epoch)
//     while (std::optional<Batch> batch = loader.next()) step(*batch);
//
// Batch b of epoch e is a pure function of (data, options, e, b): any number of workers, and a
// loader set to a saved state, give the same bits.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "engine/data/augment.h"
#include "engine/data/dataset.h"

namespace strata {

struct LoaderOptions {
  int64_t batch_size = 64;
  bool shuffle = true;     // a new order every epoch; otherwise 0, 1, 2, ...
  bool drop_last = false;  // leave out a last batch that is not full
  uint64_t seed = 0;       // of order and augmentation
  Augment augment = {};
  int workers = 0;       // threads; 0: next() makes the batch itself, on all cores
  int64_t prefetch = 4;  // finished batches kept ready at most, at least one a worker
};

// Where a loader is: `position` batches of `epoch` were delivered.
struct LoaderState {
  int64_t epoch = 0, position = 0;
};

class DataLoader {
 public:
  // `data` must outlive the loader. Sizes below 1 are errors.
  explicit DataLoader(const Dataset& data, const LoaderOptions& options = {},
                      Caller at = Caller::here());
  ~DataLoader();  // also in the middle of an epoch: waits for the batches in work only
  DataLoader(const DataLoader&) = delete;
  DataLoader& operator=(const DataLoader&) = delete;

  int64_t batches() const { return batches_; }  // an epoch
  // The next batch, or nothing at the end of an epoch (the call after that begins the next one).
  // What was thrown while a batch was made is thrown here, again at each call.
  std::optional<Batch> next();

  LoaderState state() const { return state_; }
  void set_state(LoaderState state, Caller at = Caller::here());
  int64_t epoch() const { return state_.epoch; }

  // Indices of the images of a batch, in order.
  std::vector<int64_t> indices(int64_t epoch, int64_t position) const;

 private:
  struct Slot {
    std::optional<Batch> batch;
    std::exception_ptr error;
    bool ready = false;
  };
  Batch make(int64_t ticket, bool all_cores) const;
  void make_image(int64_t index, int64_t epoch, int64_t row, uint8_t* pixels,
                  const Batch& batch) const;
  void work();

  const Dataset& data_;
  LoaderOptions options_;
  int64_t batches_ = 0;
  LoaderState state_;

  // A ticket is epoch * batches_ + position. Workers take tickets in order, at most prefetch ahead
  // of the consumer, and leave the result in slot ticket % prefetch.
  std::mutex mutex_;
  std::condition_variable work_ready_, batch_ready_;
  std::vector<Slot> slots_;
  int64_t next_ticket_ = 0;  // the next one to be made
  int64_t consumed_ = 0;     // all before it were delivered
  uint64_t generation_ = 0;  // counts set_state(): results of older ones are dropped
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace strata
