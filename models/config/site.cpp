#include <algorithm>

#include "models/config/layer_types.h"

namespace strata::config {

std::string to_string(const Shape& shape) {
  static constexpr const char* names[] = {"image", "sequence", "vector", "tokens"};
  return fmt::format("{} [{}]", names[static_cast<size_t>(shape.kind)],
                     fmt::join(shape.dims, ", "));
}

Shape input_shape(const Description& d) {
  auto size = [&](const char* name) { return d.sizes.at(name); };
  switch (d.kind) {
    case InputKind::image:
      return {d.kind, {size("height"), size("width"), size("channels")}};
    case InputKind::sequence:
      return {d.kind, {size("length"), size("width")}};
    case InputKind::vectors:
      return {d.kind, {size("width")}};
    case InputKind::tokens:
      break;
  }
  return {d.kind, {size("context")}};
}

void Site::refuse(const std::string& message) const {
  fail_at(description_.file, text.line,
          fmt::format("{} ({}) gets {}: {}", text.name, text.type, to_string(in), message));
}

void Site::refuse(const std::string& key, const std::string& message) const {
  auto found = text.settings.find(key);
  fail_at(description_.file, found == text.settings.end() ? text.line : found->second.line,
          fmt::format("{} of {} ({}) {}", key, text.name, text.type, message));
}

const Setting* Site::find(const std::string& key) {
  asked_.insert(key);
  auto found = text.settings.find(key);
  return found == text.settings.end() ? nullptr : &found->second;
}

int64_t Site::count(const std::string& key) {
  if (!find(key)) refuse(key, fmt::format("is missing; give it: {} = 64", key));
  return count(key, 0);
}

int64_t Site::count(const std::string& key, int64_t fallback, int64_t least) {
  const Setting* setting = find(key);
  if (!setting) return fallback;
  if (setting->value.is_string()) {
    const std::string size = setting->value;
    std::vector<std::string> known;
    for (auto& [name, value] : description_.sizes) known.push_back(name);
    auto found = description_.sizes.find(size);
    if (found == description_.sizes.end())
      refuse(key, fmt::format("is '{}'; it takes a whole number, or a size of the input: {}", size,
                              fmt::join(known, ", ")));
    if (found->second < 1)
      refuse(key, fmt::format("is \"{0}\", and [input] does not say {0} = ...", size));
    return found->second;
  }
  if (!setting->value.is_number_integer() || setting->value.get<int64_t>() < least)
    refuse(key, fmt::format("is {}; it takes a whole number of at least {}", setting->value.dump(),
                            least));
  return setting->value;
}

double Site::number(const std::string& key, double fallback) {
  const Setting* setting = find(key);
  if (!setting) return fallback;
  if (!setting->value.is_number())
    refuse(key, fmt::format("is {}; it takes a number", setting->value.dump()));
  return setting->value;
}

bool Site::flag(const std::string& key, bool fallback) {
  const Setting* setting = find(key);
  if (!setting) return fallback;
  if (!setting->value.is_boolean())
    refuse(key, fmt::format("is {}; it takes true or false", setting->value.dump()));
  return setting->value;
}

std::string Site::word(const std::string& key, const std::vector<std::string>& choices) {
  const Setting* setting = find(key);
  if (!setting) return choices.front();
  const bool known = setting->value.is_string() &&
                     std::count(choices.begin(), choices.end(), setting->value.get<std::string>());
  if (!known)
    refuse(key, fmt::format("is {}; it takes \"{}\"", setting->value.dump(),
                            fmt::join(choices, "\", \"")));
  return setting->value;
}

void Site::takes(const std::vector<InputKind>& kinds, const std::string& advice) {
  if (std::count(kinds.begin(), kinds.end(), in.kind) == 0) refuse(advice);
}

void Site::finish(const std::string& settings) {
  for (auto& [key, setting] : text.settings) {
    if (asked_.contains(key)) continue;
    refuse(key, settings.empty() ? "is not known; this type has no settings"
                                 : fmt::format("is not known; this type has {}", settings));
  }
  if (!text.layers.empty() && text.type != "block" && text.type != "residual")
    refuse("this type holds no layers; block and residual do");
}

const LayerType& layer_type(const Site& site) {
  std::vector<std::string> names;
  for (const LayerType& type : layer_types()) {
    if (type.name == site.text.type) return type;
    names.push_back(type.name);
  }
  site.refuse(fmt::format("there is no such type; there are {}", fmt::join(names, ", ")));
}

}  // namespace strata::config
