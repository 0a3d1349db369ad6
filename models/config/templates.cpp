#include "models/config/templates.h"

namespace strata::config {
namespace {

constexpr const char* mlp = R"(# A multilayer perceptron: fully connected layers with ReLU.
#   strata new my.toml                                      checks this file and prints its layers
#   strata study --data terrace --model my.toml --out runs/my    trains it and studies its features
#   strata new --types                                      lists the types of layers

[input]
kind = "image"        # image, sequence, vectors or tokens
height = 32           # `strata study` puts the sizes of its data in the place of these
width = 32
channels = 3
classes = 10

[[layer]]
type = "flatten"

[[layer]]
type = "linear"
name = "fc1"          # the name under which the tools show it; without one, linear1
width = 512

[[layer]]
type = "relu"
name = "relu1"

[[layer]]
type = "linear"
name = "head"
width = "classes"     # a size of the input
)";

constexpr const char* convnet = R"(# A convolutional network, as `strata study` trains by default.
#   strata new my.toml                                      checks this file and prints its layers
#   strata study --data terrace --model my.toml --out runs/my    trains it and studies its features
#   strata new --types                                      lists the types of layers

[input]
kind = "image"        # image, sequence, vectors or tokens
height = 32           # `strata study` puts the sizes of its data in the place of these
width = 32
channels = 3
classes = 10

[[layer]]
type = "conv_norm"    # convolution, batch norm and ReLU in one
name = "conv1"        # the name under which the tools show it; without one, conv_norm1
width = 16            # channels that come out; kernel = 3 and stride = 1 unless given

[[layer]]
type = "conv_norm"
name = "conv2"
width = 32

[[layer]]
type = "max_pool"
name = "pool2"

[[layer]]
type = "conv_norm"
name = "conv3"
width = 32

[[layer]]
type = "conv_norm"
name = "conv4"
width = 64

[[layer]]
type = "max_pool"
name = "pool4"

[[layer]]
type = "conv_norm"
name = "conv5"
width = 64

[[layer]]
type = "conv_norm"
name = "conv6"
width = 128

[[layer]]
type = "global_pool"
name = "pool"

[[layer]]
type = "linear"
name = "head"
width = "classes"     # a size of the input
)";

constexpr const char* resnet =
    R"(# A residual network for small images (He et al. 2016), of depth 8.
#   strata new my.toml                                      checks this file and prints its layers
#   strata study --data terrace --model my.toml --out runs/my    trains it and studies its features
#   strata new --types                                      lists the types of layers

[input]
kind = "image"        # image, sequence, vectors or tokens
height = 32           # `strata study` puts the sizes of its data in the place of these
width = 32
channels = 3
classes = 10

[[layer]]
type = "conv_norm"    # convolution, batch norm and ReLU in one
name = "conv1"
width = 16

[[layer]]
type = "block"        # layers of its own under one name
name = "layer1"
repeat = 1            # more of them make the network deeper: layer1.0, layer1.1, ...
layer = [
  {type = "residual", layer = [               # x + what its layers make of x
    {type = "conv_norm", width = 16},
    {type = "conv_norm", width = 16, relu = false},
  ]},
  {type = "relu"},
]

[[layer]]
type = "block"
name = "layer2"
layer = [
  # Half the size and twice the channels, so x needs a way around: "subsample" has no parameters,
  # "projection" is a convolution.
  {type = "residual", shortcut = "subsample", layer = [
    {type = "conv_norm", width = 32, stride = 2},
    {type = "conv_norm", width = 32, relu = false},
  ]},
  {type = "relu"},
]

[[layer]]
type = "block"
name = "layer3"
layer = [
  {type = "residual", shortcut = "subsample", layer = [
    {type = "conv_norm", width = 64, stride = 2},
    {type = "conv_norm", width = 64, relu = false},
  ]},
  {type = "relu"},
]

[[layer]]
type = "global_pool"
name = "pool"

[[layer]]
type = "linear"
name = "head"
width = "classes"     # a size of the input
)";

constexpr const char* transformer =
    R"(# A transformer over patches of an image (Dosovitskiy et al. 2021).
#   strata new my.toml                                      checks this file and prints its layers
#   strata study --data terrace --model my.toml --out runs/my    trains it and studies its features
#   strata new --types                                      lists the types of layers
# For text: kind = "tokens" with vocabulary and context, an embedding in the place of patches and
# to_sequence, causal = true in the attention, and width = "vocabulary" at the end without a pool.

[input]
kind = "image"        # image, sequence, vectors or tokens
height = 32           # `strata study` puts the sizes of its data in the place of these
width = 32
channels = 3
classes = 10

[[layer]]
type = "conv"         # a vector for each patch of 4 x 4 pixels
name = "patches"
width = 64
kernel = 4
stride = 4
padding = 0

[[layer]]
type = "to_sequence"

[[layer]]
type = "positions"    # adds a learned vector to each place
name = "positions"

[[layer]]
type = "block"        # layers of its own under one name
name = "blocks"
repeat = 4            # blocks.0 to blocks.3
layer = [
  {type = "residual", name = "attend", layer = [
    {type = "layer_norm", name = "norm"},
    {type = "attention", name = "attention", heads = 4},
  ]},
  {type = "residual", name = "mlp", layer = [
    {type = "layer_norm", name = "norm"},
    {type = "linear", name = "expand", width = 256},
    {type = "gelu"},
    {type = "linear", name = "contract", width = 64},
  ]},
]

[[layer]]
type = "layer_norm"
name = "norm"

[[layer]]
type = "global_pool"
name = "pool"

[[layer]]
type = "linear"
name = "head"
width = "classes"     # a size of the input
)";

}  // namespace

const std::vector<Template>& templates() {
  static const std::vector<Template> all = {
      {"mlp", mlp}, {"convnet", convnet}, {"resnet", resnet}, {"transformer", transformer}};
  return all;
}

const Template& template_named(const std::string& name, Caller at) {
  for (const Template& each : templates())
    if (each.name == name) return each;
  fail("new", at, "there is no template '{}'; there are mlp, convnet, resnet and transformer",
       name);
}

}  // namespace strata::config
