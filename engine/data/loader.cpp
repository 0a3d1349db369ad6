#include "engine/data/loader.h"

#include <algorithm>

#include "engine/data/keyed_random.h"
#include "kernels/common/parallel.h"

namespace strata {

DataLoader::DataLoader(const Dataset& data, const LoaderOptions& options, Caller at)
    : data_(data), options_(options) {
  if (options_.batch_size < 1 || options_.workers < 0 || options_.workers > 256)
    fail("loader", at, "batch_size {} must be at least 1 and workers {} in 0..256",
         options_.batch_size, options_.workers);
  int64_t count = data.size();
  batches_ = options_.drop_last ? count / options_.batch_size
                                : (count + options_.batch_size - 1) / options_.batch_size;
  if (batches_ < 1)
    fail("loader", at, "{} has {} images, not enough for one batch of {}", data.name, count,
         options_.batch_size);
  slots_.resize(
      static_cast<size_t>(std::max<int64_t>({options_.prefetch, options_.workers, int64_t{1}})));
  for (int i = 0; i < options_.workers; ++i) threads_.emplace_back([this] { work(); });
}

DataLoader::~DataLoader() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_ready_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

std::vector<int64_t> DataLoader::indices(int64_t epoch, int64_t position) const {
  int64_t count = data_.size(), first = position * options_.batch_size;
  int64_t last = std::min(count, first + options_.batch_size);
  std::vector<int64_t> out;
  out.reserve(static_cast<size_t>(last - first));
  KeyedPermutation order(static_cast<uint64_t>(count), options_.seed, static_cast<uint64_t>(epoch));
  for (int64_t i = first; i < last; ++i)
    out.push_back(options_.shuffle ? static_cast<int64_t>(order(static_cast<uint64_t>(i))) : i);
  return out;
}

void DataLoader::make_image(int64_t index, int64_t epoch, int64_t row, uint8_t* pixels,
                            const Batch& batch) const {
  auto factor_count = static_cast<int64_t>(data_.factors.size());
  data_.read(index, pixels, batch.labels.data<int64_t>() + row,
             batch.factors.data<int64_t>() + row * factor_count);
  if (options_.augment.any())
    augment_image(options_.augment, options_.seed, static_cast<uint64_t>(epoch),
                  static_cast<uint64_t>(index), data_.height, data_.width, data_.channels, pixels);
  data_.normalise(pixels, batch.images.data<float>() + row * data_.image_bytes());
}

Batch DataLoader::make(int64_t ticket, bool all_cores) const {
  int64_t epoch = ticket / batches_;
  std::vector<int64_t> which = indices(epoch, ticket % batches_);
  auto count = static_cast<int64_t>(which.size());
  auto factor_count = static_cast<int64_t>(data_.factors.size());
  Batch batch{empty({count, data_.height, data_.width, data_.channels}), empty({count}, DType::i64),
              empty({count, factor_count}, DType::i64)};
  auto rows = [&](int64_t begin, int64_t end) {
    std::vector<uint8_t> pixels(static_cast<size_t>(data_.image_bytes()));
    for (int64_t row = begin; row < end; ++row)
      make_image(which[static_cast<size_t>(row)], epoch, row, pixels.data(), batch);
  };
  if (all_cores) {
    // An exception must not leave a parallel region: the first one is carried out of it.
    std::exception_ptr error;
    std::mutex error_mutex;
    parallel_for(count, 16, [&](int64_t begin, int64_t end) {
      try {
        rows(begin, end);
      } catch (...) {
        std::lock_guard lock(error_mutex);
        if (!error) error = std::current_exception();
      }
    });
    if (error) std::rethrow_exception(error);
  } else {
    rows(0, count);
  }
  return batch;
}

void DataLoader::work() {
  auto ahead = static_cast<int64_t>(slots_.size());
  std::unique_lock lock(mutex_);
  for (;;) {
    work_ready_.wait(lock, [&] { return stopping_ || next_ticket_ < consumed_ + ahead; });
    if (stopping_) return;
    int64_t ticket = next_ticket_++;
    uint64_t generation = generation_;
    lock.unlock();
    Slot made;
    try {
      made.batch = make(ticket, false);
    } catch (...) {
      made.error = std::current_exception();
    }
    made.ready = true;
    lock.lock();
    if (generation != generation_) continue;
    slots_[static_cast<size_t>(ticket % ahead)] = std::move(made);
    batch_ready_.notify_one();
  }
}

std::optional<Batch> DataLoader::next() {
  if (state_.position == batches_) {
    state_ = {state_.epoch + 1, 0};
    return std::nullopt;
  }
  int64_t ticket = state_.epoch * batches_ + state_.position;
  std::optional<Batch> batch;
  if (threads_.empty()) {
    batch = make(ticket, true);
  } else {
    std::unique_lock lock(mutex_);
    Slot& slot = slots_[static_cast<size_t>(ticket) % slots_.size()];
    batch_ready_.wait(lock, [&] { return slot.ready; });
    if (slot.error) std::rethrow_exception(slot.error);
    batch = std::move(slot.batch);
    slot = Slot{};
    consumed_ = ticket + 1;
    work_ready_.notify_one();
  }
  ++state_.position;
  return batch;
}

void DataLoader::set_state(LoaderState state, Caller at) {
  if (state.epoch < 0 || state.position < 0 || state.position > batches_)
    fail("loader", at, "state (epoch {}, position {}) is not of this loader, which has {} batches",
         state.epoch, state.position, batches_);
  state_ = state;
  std::lock_guard lock(mutex_);
  ++generation_;
  for (Slot& slot : slots_) slot = Slot{};
  next_ticket_ = consumed_ = state.epoch * batches_ + state.position;
  work_ready_.notify_all();
}

}  // namespace strata
