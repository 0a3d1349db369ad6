// The tasks of each domain, which tools/train/tasks.cpp joins.
#pragma once

#include "tools/train/task.h"

namespace strata::train {

std::vector<TaskEntry> language_tasks();
std::vector<TaskEntry> recurrent_language_tasks();
std::vector<TaskEntry> sentence_tasks();
std::vector<TaskEntry> tagging_tasks();
std::vector<TaskEntry> words_tasks();
std::vector<TaskEntry> terrace_text_tasks();
std::vector<TaskEntry> terrace_sequence_tasks();
std::vector<TaskEntry> audio_tasks();
std::vector<TaskEntry> graph_tasks();
std::vector<TaskEntry> multimodal_tasks();
std::vector<TaskEntry> generative_tasks();
std::vector<TaskEntry> dense_tasks();  // segmentation and detection

}  // namespace strata::train
