#include "tools/transfer/transfer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/data/loader.h"
#include "engine/ops.h"
#include "models/registry.h"
#include "tools/transfer/frozen.h"

namespace strata::transfer {
namespace {

constexpr int64_t epochs = 6, scored_at_once = 256;
constexpr double learning_rate = 1e-3, weight_decay = 0.01;

// A task of the head: which numbers of a batch are its labels, and which outputs are its own.
struct HeadTask {
  std::string name;
  int factor;  // -1: the class
  int64_t first, outputs;
};

std::vector<HeadTask> head_tasks(const Dataset& data, const std::vector<std::string>& names) {
  std::vector<HeadTask> tasks;
  int64_t first = 0;
  for (const std::string& name : names.empty() ? std::vector<std::string>{"class"} : names) {
    std::vector<std::string> known = {"class"};
    int factor = -1;
    int64_t outputs = name == "class" ? data.classes() : 0;
    for (size_t i = 0; i < data.factors.size(); ++i) {
      known.push_back(data.factors[i].name);
      if (name != known.back() && name + "_above" != known.back()) continue;
      factor = static_cast<int>(i);
      outputs = data.factors[i].values;
    }
    if (outputs == 0)
      fail("transfer", Caller{}, "{} knows no '{}' of its images to learn; it knows {}", data.name,
           name, listed(known));
    tasks.push_back({name, factor, first, outputs});
    first += outputs;
  }
  return tasks;
}

Tensor labels_of(const Batch& batch, const HeadTask& task) {
  return task.factor < 0 ? batch.labels : batch.factors.select(1, task.factor).contiguous();
}

// The trained network with another head.
std::unique_ptr<Model> with_new_head(const inspect::Subject& source, const TransferOptions& o,
                                     int64_t outputs, const Tensor& example, Part* copied) {
  if (!source.options.contains("classes"))
    fail("transfer", Caller{}, "{} has no option 'classes', so no head that could be replaced",
         source.name);
  const std::string head = o.head.empty() ? source.model->stages().back() : o.head;
  source.model->find(head);  // an unknown one is an error
  nlohmann::json options = source.options;
  options["classes"] = outputs;
  std::unique_ptr<Model> model = make_model(source.model_name, options);
  StateDict state = source.model->state_dict();
  if (!o.copy_to.empty()) {
    *copied = part_up_to(*source.model, o.copy_to, example);
    std::erase_if(state, [&](const auto& entry) {
      return std::count(copied->tensors.begin(), copied->tensors.end(), entry.first) == 0;
    });
  }
  std::erase_if(state, [&](const auto& entry) { return entry.first.starts_with(head + "."); });
  model->load_state_dict(state, false);
  for (const auto& [name, tensor] : state) copied->tensors.push_back(name);
  return model;
}

class TransferTask : public train::Task {
 public:
  TransferTask(const TransferOptions& o, const train::TaskOptions& run) : o_(o), run_(run) {
    const inspect::Subject source = inspect::open_subject(o.from);
    if (!source.reads_images())
      fail("transfer", Caller{}, "{} reads no images; transfer is for networks of images",
           source.name);
    const DatasetLimits limits{.train = o.train_images};
    for (Split split : {Split::train, Split::validation, Split::test}) {
      auto& data = data_.emplace_back(open_dataset(o.data, split, run.seed, limits));
      // The body knows its inputs as they were normalised for it.
      if (data->channels != source.test->channels)
        fail("transfer", Caller{}, "{} has {} channels a pixel; {} reads {}", o.data,
             data->channels, source.name, source.test->channels);
      data->mean = source.test->mean;
      data->deviation = source.test->deviation;
    }
    tasks_ = head_tasks(*data_[0], o.tasks);
    example_ = data_[0]->head(2).images;
    manual_seed(run.seed);
    Part copied;
    model_ =
        with_new_head(source, o, tasks_.back().first + tasks_.back().outputs, example_, &copied);
    if (!o.freeze_to.empty()) freeze(copied);
    loader_ = std::make_unique<DataLoader>(
        *data_[0], LoaderOptions{.batch_size = std::min(o.batch, data_[0]->size()),
                                 .drop_last = true,
                                 .seed = run.seed});
  }

  Model& model() override { return *model_; }
  int64_t total_steps() const override { return run_.steps.value_or(epochs * loader_->batches()); }
  std::unique_ptr<Optimizer> optimizer() override {
    return std::make_unique<AdamW>(
        groups_by_depth(*model_, example_.to(run_.device),
                        run_.learning_rate.value_or(learning_rate), o_.layer_decay),
        AdamOptions{.weight_decay = weight_decay});
  }
  Schedule schedule() const override {
    return one_cycle(std::max<int64_t>(2, total_steps()), 0.25);
  }

  int64_t evaluate_every() const override { return std::max<int64_t>(50, total_steps() / 10); }

  Tensor loss(int64_t step) override {
    frozen_.hold();
    const LoaderState place{step / loader_->batches(), step % loader_->batches()};
    if (loader_->state().epoch != place.epoch || loader_->state().position != place.position)
      loader_->set_state(place);
    const Batch batch = *loader_->next();
    const Tensor logits = (*model_)(batch.images.to(run_.device));
    Tensor total;
    for (const HeadTask& task : tasks_) {
      const Tensor own = cross_entropy(logits.slice(1, task.first, task.first + task.outputs),
                                       labels_of(batch, task).to(run_.device));
      total = total.defined() ? total + own : own;
    }
    return total / static_cast<double>(tasks_.size());
  }

  std::vector<train::Score> evaluate(bool final) override {
    frozen_.check();
    const Dataset& data = *data_[final ? 2 : 1];
    std::vector<int64_t> right(tasks_.size(), 0);
    std::vector<std::vector<int64_t>> counts;
    for (const HeadTask& task : tasks_) counts.emplace_back(static_cast<size_t>(task.outputs), 0);
    for (int64_t first = 0; first < data.size(); first += scored_at_once) {
      std::vector<int64_t> indices(
          static_cast<size_t>(std::min(scored_at_once, data.size() - first)));
      std::iota(indices.begin(), indices.end(), first);
      const Batch batch = data.fill(indices);
      const Tensor logits = (*model_)(batch.images.to(run_.device)).to(Device::cpu);
      for (size_t t = 0; t < tasks_.size(); ++t) {
        const HeadTask& task = tasks_[t];
        const auto found =
            argmax(logits.slice(1, task.first, task.first + task.outputs), 1).to_vector<int64_t>();
        const auto truth = labels_of(batch, task).to_vector<int64_t>();
        for (size_t i = 0; i < truth.size(); ++i) {
          right[t] += found[i] == truth[i];
          ++counts[t][static_cast<size_t>(truth[i])];
        }
      }
    }
    return scores(right, counts, static_cast<double>(data.size()));
  }

  std::vector<std::string> finish(const std::filesystem::path&) override {
    if (frozen_.size() == 0) return {"nothing was frozen"};
    return {fmt::format("up to {}: {} tensors frozen, each the same to the bit", o_.freeze_to,
                        frozen_.size())};
  }

 private:
  void freeze(const Part& copied) {
    const Part part = part_up_to(*model_, o_.freeze_to, example_);
    for (const std::string& name : part.tensors)
      if (std::count(copied.tensors.begin(), copied.tensors.end(), name) == 0)
        fail("transfer", Caller{},
             "freezing up to {} would freeze {}, which is not copied from the trained network but "
             "starts at random; freeze fewer layers or copy more",
             o_.freeze_to, name);
    frozen_ = Frozen(*model_, part);
  }

  // The mean first where there are several tasks. Yardstick: always the most frequent answer.
  std::vector<train::Score> scores(const std::vector<int64_t>& right,
                                   const std::vector<std::vector<int64_t>>& counts,
                                   double images) const {
    std::vector<train::Score> list;
    double mean = 0;
    for (size_t t = 0; t < tasks_.size(); ++t) {
      const double most =
          static_cast<double>(*std::max_element(counts[t].begin(), counts[t].end()));
      list.push_back({.name = tasks_[t].name + " accuracy",
                      .value = 100 * static_cast<double>(right[t]) / images,
                      .unit = "%",
                      .yardstick_name = "the most frequent answer",
                      .yardstick = 100 * most / images});
      mean += list.back().value / static_cast<double>(tasks_.size());
    }
    if (list.size() > 1) list.insert(list.begin(), {"mean accuracy", mean, "%", true, "", NAN});
    return list;
  }

  TransferOptions o_;
  train::TaskOptions run_;
  std::vector<std::unique_ptr<Dataset>> data_;  // train, validation, test
  std::vector<HeadTask> tasks_;
  Tensor example_;
  std::unique_ptr<Model> model_;
  Frozen frozen_;
  std::unique_ptr<DataLoader> loader_;
};

}  // namespace

train::TaskEntry transfer_task(const TransferOptions& options) {
  return {"transfer", "a trained network on other tasks", "",
          [options](const train::TaskOptions& run) {
            return std::make_unique<TransferTask>(options, run);
          }};
}

nlohmann::json describe(const TransferOptions& o) {
  return {{"from", o.from.checkpoint.string()}, {"name", o.from.model}, {"options", o.from.options},
          {"freeze_to", o.freeze_to},           {"copy_to", o.copy_to}, {"head", o.head},
          {"layer_decay", o.layer_decay},       {"tasks", o.tasks},     {"batch", o.batch},
          {"train_images", o.train_images}};
}

}  // namespace strata::transfer
