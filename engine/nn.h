// All layers.
#pragma once

#include "engine/nn/activation.h"
#include "engine/nn/attention.h"
#include "engine/nn/conv.h"
#include "engine/nn/conv_norm.h"
#include "engine/nn/init.h"
#include "engine/nn/layer.h"
#include "engine/nn/linear.h"
#include "engine/nn/module.h"
#include "engine/nn/norm.h"
#include "engine/nn/pool.h"
#include "engine/nn/recurrent.h"
#include "engine/nn/sequential.h"
