// The Hessian of a loss over all parameters, by its products with vectors: reverse over reverse
// (Pearlmutter 1994, "Fast exact multiplication by the Hessian"), exact to rounding, P numbers of
// memory instead of P^2. Its eigenvalues, spectrum and trace are krylov.h's:
//
//   LinearMap h = hessian(objective);
//   double sharpest = top_eigenpairs(h).values[0];
//   TraceEstimate t = trace(h);
#pragma once

#include "tools/introspect/curvature/krylov.h"
#include "tools/introspect/curvature/objective.h"

namespace strata::introspect {

// The loss is run once, here; each product is one backward pass over the graph of its gradient,
// about twice a forward and backward pass. The map keeps that graph, and is valid until a parameter
// is written to (a product then fails by name).
LinearMap hessian(const Objective& objective);
// The mean of the Hessians of several losses over the same parameters (batches of a data set). Runs
// each loss for each product, and keeps one graph at a time.
LinearMap mean_hessian(const std::vector<Objective>& batches);

}  // namespace strata::introspect
