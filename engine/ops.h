// Every public op. An op checks, promotes, broadcasts, allocates, calls one kernel and records its
// gradient; see ARCHITECTURE.md, "the path of an op".
#pragma once

#include "engine/ops/attention.h"
#include "engine/ops/conv.h"
#include "engine/ops/create.h"
#include "engine/ops/ctc.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/graph.h"
#include "engine/ops/index.h"
#include "engine/ops/join.h"
#include "engine/ops/loss.h"
#include "engine/ops/norm.h"
#include "engine/ops/packed_weights.h"
#include "engine/ops/plain.h"
#include "engine/ops/pool.h"
#include "engine/ops/product.h"
#include "engine/ops/random.h"
#include "engine/ops/recurrent.h"
#include "engine/ops/reduce.h"
#include "engine/ops/softmax.h"
#include "engine/ops/sort.h"
#include "engine/ops/view.h"
