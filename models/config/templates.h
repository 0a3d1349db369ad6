// Starting points for a description of one's own: complete, commented networks.
#pragma once

#include <string>
#include <vector>

#include "engine/error.h"

namespace strata::config {

struct Template {
  const char* name;
  const char* text;
};
// mlp, convnet, resnet, transformer.
const std::vector<Template>& templates();
// An unknown name is an error that lists those there are.
const Template& template_named(const std::string& name, Caller at = Caller::here());

}  // namespace strata::config
