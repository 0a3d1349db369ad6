#include "engine/io/checkpoint.h"

#include "engine/ops/random.h"

namespace strata::io {
namespace {

using nlohmann::json;

constexpr const char* format = "strata checkpoint 1";

void put(StateDict& all, const std::string& prefix, const StateDict& part) {
  for (auto& [name, tensor] : part) all.emplace(prefix + name, tensor);
}

json read_numbers(const Safetensors& file, const std::string& path, Caller at) {
  auto found = file.metadata().find("format"), text = file.metadata().find("state");
  if (found == file.metadata().end() || found->second != format || text == file.metadata().end()) {
    fail("load_checkpoint", at, "{}: is a safetensors file but no checkpoint ('{}')", path, format);
  }
  json numbers = json::parse(text->second, nullptr, false);
  if (!numbers.is_object()) {
    fail("load_checkpoint", at, "{}: its 'state' is not JSON; the file is damaged", path);
  }
  return numbers;
}

}  // namespace

void save_checkpoint(const std::string& path, const TrainingState& state, Caller at) {
  GeneratorState generator = default_generator().state();
  json numbers = {{"generator", {{"seed", generator.seed}, {"offset", generator.offset}}},
                  {"position", state.position},
                  {"extra", state.extra}};
  StateDict tensors;
  if (state.model) put(tensors, "model.", state.model->state_dict());
  if (state.optimizer) {
    put(tensors, "optimizer.", state.optimizer->state_dict());
    numbers["optimizer"] = state.optimizer->numbers();
  }
  if (state.scheduler) numbers["schedule_step"] = state.scheduler->current_step();
  if (state.average) {
    put(tensors, "average.", state.average->state_dict());
    numbers["average_decay"] = state.average->decay();
  }
  save_safetensors(path, tensors, {{"format", format}, {"state", numbers.dump()}}, at);
}

void load_checkpoint(const std::string& path, TrainingState& state, Caller at) {
  Safetensors file(open_file(path, at), at);
  json numbers = read_numbers(file, path, at);
  StateDict model, optimizer, average;
  std::vector<std::string> wrong;
  auto collect = [&](const char* part, const std::vector<std::string>& lines) {
    for (auto& line : lines) wrong.push_back(fmt::format("{}: {}", part, line));
  };
  if (state.model) {
    model = file.read_all("model.", at);
    collect("model", state.model->differences(model));
  }
  if (state.optimizer) {
    optimizer = file.read_all("optimizer.", at);
    if (!numbers.contains("optimizer")) numbers["optimizer"] = json::object();
    collect("optimizer", state.optimizer->differences(optimizer, numbers["optimizer"]));
  }
  if (state.average) {
    average = file.read_all("average.", at);
    collect("average", state.average->differences(average));
  }
  GeneratorState generator;
  int64_t step = 0;
  try {
    generator.seed = numbers.at("generator").at("seed").get<uint64_t>();
    generator.offset = numbers.at("generator").at("offset").get<uint64_t>();
    if (state.scheduler) step = numbers.at("schedule_step").get<int64_t>();
  } catch (const json::exception& error) {
    wrong.push_back(error.what());
  }
  if (!wrong.empty()) {
    fail("load_checkpoint", at, "{}: does not fit this run: {}", path, listed(wrong));
  }
  if (state.model) state.model->load_state_dict(model, true, at);
  if (state.optimizer) state.optimizer->load_state_dict(optimizer, numbers["optimizer"], at);
  if (state.average) state.average->load_state_dict(average, at);
  // After the optimizer, whose learning rates it sets.
  if (state.scheduler) state.scheduler->set_step(step);
  default_generator().set_state(generator);
  // Moved, and null where missing: copying recurses, and a file may nest them deeply.
  state.position = std::move(numbers["position"]);
  state.extra = std::move(numbers["extra"]);
}

void load_model(const std::string& path, Module& model, Caller at) {
  Safetensors file(open_file(path, at), at);
  bool whole_run = file.metadata().contains("format") && file.metadata().at("format") == format;
  StateDict state = file.read_all(whole_run ? "model." : "", at);
  std::vector<std::string> wrong = model.differences(state);
  if (!wrong.empty()) {
    fail("load_model", at, "{}: does not fit {}: {}", path, model.kind(), listed(wrong));
  }
  model.load_state_dict(state, true, at);
}

}  // namespace strata::io
