// All of optimisation.
#pragma once

#include "engine/optim/clip.h"
#include "engine/optim/ema.h"
#include "engine/optim/optimizer.h"
#include "engine/optim/schedule.h"
