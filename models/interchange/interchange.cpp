#include "models/interchange/interchange.h"

#include <fnmatch.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "engine/autograd/autograd.h"
#include "engine/ops/create.h"
#include "engine/ops/join.h"
#include "engine/ops/view.h"
#include "models/interchange/dialects.h"
#include "models/registry.h"

namespace strata {
namespace interchange {

using nlohmann::json;

std::vector<Dialect> dialects_of(const std::string& model, const json& options) {
  for (auto list : {vision_dialects, language_dialects, clip_dialects}) {
    std::vector<Dialect> dialects = list(model, options);
    if (!dialects.empty()) return dialects;
  }
  return {};
}

namespace {

constexpr const char* op = "interchange";

json all_options(const std::string& model, const json& options, Caller at) {
  json all = model_options(model, at);
  if (options.is_object()) all.update(options);
  return all;
}

// The dialects of the model, and our own names last.
std::vector<Dialect> dialects_and_ours(const std::string& model, const json& options,
                                       const StateDict& ours, Caller at) {
  std::vector<Dialect> dialects = dialects_of(model, all_options(model, options, at));
  Dialect own("strata");
  for (auto& [name, tensor] : ours) own.tensor(name, name);
  dialects.push_back(own);
  return dialects;
}

// The rule for a name of ours, and their names for it; null when the dialect has none.
const Rule* rule_for(const Dialect& dialect, const std::string& ours,
                     std::vector<std::string>* theirs) {
  std::vector<std::string> numbers;
  for (const Rule& rule : dialect.rules) {
    if (!match(rule.ours, ours, &numbers)) continue;
    *theirs = fill(rule.theirs, numbers);
    return &rule;
  }
  return nullptr;
}

bool ignored(const Dialect& dialect, const std::string& name) {
  if (name.ends_with(".num_batches_tracked")) return true;
  return std::any_of(dialect.ignored.begin(), dialect.ignored.end(), [&](const std::string& glob) {
    return fnmatch(glob.c_str(), name.c_str(), 0) == 0;
  });
}

// A file's tensors under the names of a dialect, which the file may have inside a wrapper, without
// their root, or in another spelling.
class Names {
 public:
  Names(const Dialect& dialect, const StateDict& tensors, std::string wrapper)
      : dialect_(dialect), tensors_(tensors), wrapper_(std::move(wrapper)) {}

  // The name in the file; null when it is not there.
  const std::string* find(const std::string& name) const {
    std::vector<std::string> candidates = {name};
    for (auto& [part, other] : dialect_.spellings) {
      if (size_t place = name.find(part); place != name.npos) {
        candidates.push_back(std::string(name).replace(place, part.size(), other));
      }
    }
    for (const std::string& candidate : candidates) {
      if (auto found = tensors_.find(wrapper_ + candidate); found != tensors_.end())
        return &found->first;
      if (dialect_.root.empty() || !candidate.starts_with(dialect_.root)) continue;
      auto found = tensors_.find(wrapper_ + candidate.substr(dialect_.root.size()));
      if (found != tensors_.end()) return &found->first;
    }
    return nullptr;
  }
  // Without the wrapper.
  std::string inner(const std::string& name) const {
    return name.starts_with(wrapper_) ? name.substr(wrapper_.size()) : name;
  }
  const Dialect& dialect() const { return dialect_; }
  // How many of our names are there.
  int score(const StateDict& ours) const {
    int count = 0;
    std::vector<std::string> theirs;
    for (auto& [name, tensor] : ours) {
      if (!rule_for(dialect_, name, &theirs)) continue;
      count += std::all_of(theirs.begin(), theirs.end(),
                           [&](const std::string& one) { return find(one) != nullptr; });
    }
    return count;
  }

 private:
  const Dialect& dialect_;
  const StateDict& tensors_;
  std::string wrapper_;
};

std::vector<std::string> keys(const StateDict& state) {
  std::vector<std::string> names;
  for (auto& [name, tensor] : state) names.push_back(name);
  return names;
}

// What a dialect calls the tensors of ours.
std::vector<std::string> names_in(const Dialect& dialect, const StateDict& ours) {
  std::vector<std::string> names, some;
  for (auto& [name, tensor] : ours) {
    if (rule_for(dialect, name, &some)) names.insert(names.end(), some.begin(), some.end());
  }
  return names;
}

bool same_values(const Tensor& a, const Tensor& b) {
  if (describe(a) != describe(b)) return false;
  Tensor x = a.contiguous(), y = b.contiguous();
  return std::memcmp(x.raw(), y.raw(), static_cast<size_t>(x.numel()) * size_of(x.dtype())) == 0;
}

// Fills `result` from the names that fit.
class Import {
 public:
  Import(const Names& names, const StateDict& theirs, const StateDict& ours, Caller at)
      : names_(names), theirs_(theirs), ours_(ours), at_(at) {}

  ImportedState run() {
    result_.dialect = names_.dialect().name;
    for (auto& [name, tensor] : ours_) take(name, tensor);
    for (const Rule& copy : names_.dialect().copies) check_copy(copy);
    for (auto& [name, tensor] : theirs_) {
      if (!used_.contains(name) && !ignored(names_.dialect(), names_.inner(name))) {
        result_.unexpected.push_back(name);
      }
    }
    return std::move(result_);
  }

 private:
  void take(const std::string& name, const Tensor& wanted) {
    std::vector<std::string> sources;
    const Rule* rule = rule_for(names_.dialect(), name, &sources);
    if (!rule) {
      result_.missing.push_back(name);
      return;
    }
    std::vector<Tensor> parts;
    for (const std::string& source : sources) {
      const std::string* found = names_.find(source);
      if (!found) {
        result_.missing.push_back(source == name ? name : fmt::format("{} ({})", source, name));
        continue;
      }
      used_.insert(*found);
      const Tensor& tensor = theirs_.at(*found);
      if (tensor.dtype() > DType::f16) {
        result_.misfits.push_back(
            fmt::format("{} is {}, not of floating-point numbers", *found, describe(tensor)));
        return;
      }
      try {
        parts.push_back(to_ours(*rule, tensor, *found, at_));
      } catch (const Error& error) {
        result_.misfits.push_back(error.what());
        return;
      }
    }
    if (parts.size() == sources.size()) keep(name, wanted, parts, sources);
  }

  void keep(const std::string& name, const Tensor& wanted, const std::vector<Tensor>& parts,
            const std::vector<std::string>& sources) {
    std::string shapes;
    bool rows = true;  // whether the parts can lie below each other
    int64_t count = 0;
    for (size_t i = 0; i < parts.size(); ++i) {
      shapes += fmt::format("{}{} as {}", i > 0 ? ", " : "", sources[i], describe(parts[i]));
      rows = rows && parts[i].rank() == wanted.rank() && wanted.rank() > 0;
      for (int axis = 1; rows && axis < wanted.rank(); ++axis) {
        rows = parts[i].size(axis) == wanted.size(axis);
      }
      if (rows) count += parts[i].size(0);
    }
    const bool fits =
        parts.size() == 1 ? parts[0].shape() == wanted.shape() : rows && count == wanted.size(0);
    if (!fits) {
      result_.misfits.push_back(
          fmt::format("{} does not fit {} {}", shapes, name, to_string(wanted.shape())));
      return;
    }
    result_.state[name] = parts.size() == 1 ? parts[0] : concatenate(parts, 0);
  }

  void check_copy(const Rule& copy) {
    const std::string* found = names_.find(copy.theirs);
    if (!found) return;
    used_.insert(*found);
    auto ours = result_.state.find(copy.ours);
    if (ours != result_.state.end() && !same_values(theirs_.at(*found), ours->second)) {
      result_.misfits.push_back(
          fmt::format("{} differs from {}, to which it is tied", *found, copy.ours));
    }
  }

  const Names& names_;
  const StateDict& theirs_;
  const StateDict& ours_;
  Caller at_;
  ImportedState result_;
  std::set<std::string> used_;
};

}  // namespace
}  // namespace interchange

using namespace interchange;
using nlohmann::json;

ImportedState import_state(const std::string& model, const json& options, const StateDict& theirs,
                           Caller at) {
  NoGrad off;
  const StateDict ours = make_model(model, options, at)->state_dict();
  const std::vector<Dialect> dialects = dialects_and_ours(model, options, ours, at);
  std::vector<Names> candidates;
  for (const Dialect& dialect : dialects)
    for (const char* wrapper : {"", "module.", "model.", "_orig_mod."})
      candidates.emplace_back(dialect, theirs, wrapper);
  std::vector<int> scores;
  for (const Names& names : candidates) scores.push_back(names.score(ours));
  auto best = std::max_element(scores.begin(), scores.end());
  if (*best == 0) {
    fail(op, at, "no tensor is one of '{}': there are {}; {} would call them {}", model,
         listed(keys(theirs)), dialects.front().name, listed(names_in(dialects.front(), ours)));
  }
  const Names& names = candidates[static_cast<size_t>(best - scores.begin())];
  return Import(names, theirs, ours, at).run();
}

std::string explain(const ImportedState& imported) {
  std::string text;
  auto add = [&](const char* what, const std::vector<std::string>& names) {
    if (!names.empty())
      text +=
          fmt::format("{}{} {}: {}", text.empty() ? "" : "; ", names.size(), what, listed(names));
  };
  add("missing", imported.missing);
  add("unexpected", imported.unexpected);
  add("do not fit", imported.misfits);
  return text;
}

std::vector<std::string> dialect_names(const std::string& model, const json& options, Caller at) {
  std::vector<std::string> names;
  for (const Dialect& dialect : dialects_and_ours(model, options, {}, at)) {
    names.push_back(dialect.name);
  }
  return names;
}

StateDict export_state(const std::string& model, const json& options, const std::string& dialect,
                       const StateDict& ours, Caller at) {
  NoGrad off;
  auto reference = make_model(model, options, at);
  std::vector<std::string> differences = reference->differences(ours);
  if (!differences.empty()) {
    fail(op, at, "the tensors are not those of '{}' with these options: {}", model,
         listed(differences));
  }
  const std::vector<Dialect> dialects = dialects_and_ours(model, options, ours, at);
  auto chosen = std::find_if(dialects.begin(), dialects.end(),
                             [&](const Dialect& d) { return d.name == dialect; });
  if (chosen == dialects.end()) {
    fail(op, at, "'{}' cannot be exported as '{}'; there are {}", model, dialect,
         listed(dialect_names(model, options, at)));
  }
  StateDict theirs;
  for (auto& [name, tensor] : ours) {
    std::vector<std::string> names, numbers;
    const Rule* rule = rule_for(*chosen, name, &names);
    if (!rule) fail(op, at, "{} has no name for '{}' of '{}'", dialect, name, model);
    const auto parts = static_cast<int64_t>(names.size());
    const int64_t rows = parts > 1 ? tensor.size(0) / parts : 0;
    for (int64_t i = 0; i < parts; ++i) {
      Tensor part = parts > 1 ? tensor.slice(0, i * rows, (i + 1) * rows) : tensor;
      theirs[names[static_cast<size_t>(i)]] = to_theirs(*rule, part, name, at);
    }
    for (const Rule& counter : chosen->counters) {
      if (match(counter.ours, name, &numbers)) {
        theirs[fill(counter.theirs, numbers)[0]] = scalar(0, DType::i64);
      }
    }
    for (const Rule& copy : chosen->copies) {
      if (copy.ours == name) theirs[copy.theirs] = tensor;
    }
  }
  return theirs;
}

}  // namespace strata
