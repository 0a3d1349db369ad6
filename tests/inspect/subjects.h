// Small subjects for tests of `strata inspect`: networks with random weights, and twins with
// others.
#pragma once

#include "engine/data/terrace.h"
#include "engine/ops.h"
#include "models/registry.h"
#include "tools/inspect/method.h"

namespace strata::inspect::test {

inline void make_pair(Subject& subject, const char* model, const nlohmann::json& options) {
  subject.model_name = model;
  subject.options = model_options(model);
  subject.options.update(options);
  manual_seed(5);
  subject.model = make_model(model, subject.options);
  manual_seed(6);
  subject.untrained = make_model(model, subject.options);
  subject.model->eval();
  subject.untrained->eval();
}

// Three convolutions over `images` images of the outline task.
inline Subject image_subject(int64_t images = 240) {
  Subject subject;
  subject.name = "convnet, test";
  TerraceOptions task = terrace_task("outline");
  subject.train = std::make_unique<Terrace>(task, 1, images, 0);
  subject.validation = std::make_unique<Terrace>(task, 1, images, 10000);
  subject.test = std::make_unique<Terrace>(task, 1, images, 20000);
  subject.class_names = subject.test->class_names;
  make_pair(subject, "convnet",
            {{"classes", subject.test->classes()}, {"widths", {6, 8, 10}}, {"halve", {1, 2}}});
  return subject;
}

inline Subject token_subject() {
  Subject subject;
  subject.name = "gpt, test";
  make_pair(subject, "gpt",
            {{"vocabulary", 128}, {"context", 16}, {"width", 16}, {"heads", 2}, {"layers", 2}});
  subject.spelling = bytes_from(0, 128);
  return subject;
}

}  // namespace strata::inspect::test
