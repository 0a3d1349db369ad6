#include <iterator>

#include "tools/train/domains.h"

namespace strata::train {

const std::vector<TaskEntry>& tasks() {
  static const std::vector<TaskEntry> all = [] {
    std::vector<TaskEntry> list;
    for (auto domain : {dense_tasks, generative_tasks, multimodal_tasks, language_tasks,
                        recurrent_language_tasks, sentence_tasks, tagging_tasks, words_tasks,
                        terrace_text_tasks, terrace_sequence_tasks, audio_tasks, graph_tasks}) {
      std::vector<TaskEntry> part = domain();
      std::move(part.begin(), part.end(), std::back_inserter(list));
    }
    return list;
  }();
  return all;
}

const TaskEntry& task_named(const std::string& name, Caller at) {
  std::string names;
  for (const TaskEntry& entry : tasks()) {
    if (entry.name == name) return entry;
    names += (names.empty() ? "" : ", ") + entry.name;
  }
  fail("train", at, "there is no task '{}'; there are {}", name, names);
}

std::vector<ParameterGroup> only_matrices_decay(Model& model) {
  ParameterGroup matrices, rest;
  for (NamedTensor& p : model.named_parameters())
    (p.tensor.rank() >= 2 ? matrices : rest).parameters.push_back(std::move(p));
  rest.weight_decay = 0;
  return {std::move(matrices), std::move(rest)};
}

}  // namespace strata::train
