// What the tables over a network's layers share: the layers' codes on a sample of images, the
// labels that can be read from them, and the trained network beside the untrained one.
#pragma once

#include "engine/data/terrace.h"
#include "tools/inspect/sample.h"
#include "tools/introspect/representation/probe.h"

namespace strata::inspect {

inline constexpr int64_t probe_rows = 1500;  // two thirds to fit, one to score
inline constexpr int64_t code_size = 128;

// Layers from the pixels up; "pixels" is the input itself. The logits are left out.
std::vector<std::string> layers_of(const Request& request);
// Features of a layer on a sample, [N, D] (pooled over a grid of places).
Tensor codes(const introspect::Scores& model, const std::string& layer, const Sample& sample);
// The same number of whitened dimensions for every layer, fitted on the first `train` rows: those,
// and the rest.
std::pair<Tensor, Tensor> split_codes(const Tensor& all, int64_t train);
// The class and every factor of the data set that is not the class; the first `train` rows to fit.
std::vector<introspect::ProbeTask> tasks_of(const Subject& subject, const Sample& sample,
                                            int64_t train);
std::vector<std::string> names_of(const std::vector<introspect::ProbeTask>& tasks);
std::vector<int64_t> part(const std::vector<int64_t>& all, int64_t first, int64_t last);

Tensor matrix_of(const std::vector<std::vector<double>>& rows);
// Trained and untrained side by side. Not coloured: a table of columns of different units.
Answer two_matrices(const Tensor& trained, const Tensor& untrained,
                    const std::vector<std::string>& rows, const std::vector<std::string>& columns,
                    const std::string& scale, bool coloured = true);

// The generated data set, whose factors and their places are known; other data are an error.
const Terrace& terrace_of(const Request& request, const char* method);

}  // namespace strata::inspect
