// How alike two networks are, layer by layer, on the same images.
#pragma once

#include "tools/inspect/method.h"

namespace strata::inspect {

struct CompareOptions {
  int64_t images = 500;
  uint64_t seed = 1;  // of the null bands
};

// Debiased CKA of every stage of `a` with every stage of `b`, with the null band of rows paired by
// chance, and for the stages in step (all of them where the networks have the same number) SVCCA,
// projection-weighted CCA, Procrustes distance, RSA and mutual nearest neighbours. The images are
// the test images of `a`; networks that read images of another shape are an error.
Answer compare(const Subject& a, const Subject& b, const CompareOptions& options = {});

}  // namespace strata::inspect
