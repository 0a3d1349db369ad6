// Data of reports beside the one of sample_run.h, with invented numbers: a map of very many points,
// and the panels of text, sound and graphs. No network made any of it, and the titles say so.
#pragma once

#include <nlohmann/json.hpp>

namespace strata::report {

// {"config", "metrics", "panels"} of a map of `points` images with thumbnails, lists packed.
nlohmann::json sample_map(int points);

// The panels "tokens", "attention", "audio", "graphs" and their sprites.
nlohmann::json sample_senses();

}  // namespace strata::report
