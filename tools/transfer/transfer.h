// strata transfer: a trained network put to work on other tasks (Donahue et al. 2014; Yosinski et
// al. 2014).
//
// The network is made again with a head for the new tasks; all but the head is copied from the
// trained one (or only what lies up to a layer; the rest starts anew). Layers up to `freeze_to`
// stay as they are (tools/transfer/frozen.h), the others go on learning, lower ones more slowly if
// asked.
//
// Several tasks share one body: the head is one linear layer whose outputs are split between the
// tasks, which is one linear head for each. The loss is the mean of their cross entropies.
//
// It is a train::Task, so run_task() (tools/train/trainer.h) gives it checkpoints, resuming,
// metrics and its run folder.
#pragma once

#include "tools/inspect/subject.h"
#include "tools/train/task.h"

namespace strata::transfer {

struct TransferOptions {
  inspect::Source from;            // the trained network
  std::string data;                // as `strata study --data` takes it
  std::string freeze_to;           // the last frozen layer; empty: all learn
  std::string copy_to;             // the last copied layer; empty: all but the head
  std::string head;                // module to replace; empty: the last of the network's stages
  double layer_decay = 1;          // learning rate of a layer over that of the one above it
  std::vector<std::string> tasks;  // factors of the data, or "class"; empty: class
  int64_t batch = 64;
  int64_t train_images = 0;  // at most; 0: all there are
};

// The entry for run_task(), called "transfer". Making its task, an unknown layer, head or factor is
// an error that lists those there are; so is a network without a head of classes, data of another
// number of channels, and nothing left to train.
train::TaskEntry transfer_task(const TransferOptions& options);

// What config.json says of the network: TaskOptions::model for run_task().
nlohmann::json describe(const TransferOptions& options);

}  // namespace strata::transfer
