// What a method leaves: PNG, the raw arrays as npy, and every number as JSON.
#pragma once

#include <filesystem>
#include <vector>

#include "tools/inspect/method.h"

namespace strata::inspect {

// `out` "cam.png": writes cam.png, cam.<array>.npy for each array and cam.json, which holds the
// numbers, how they were made (`made`: the command and what went into it) and the shapes of the
// arrays. Each file appears whole or not at all. Returns the files. A name that does not end in
// .png is an error.
std::vector<std::filesystem::path> write_answer(const Answer& answer, const Json& made,
                                                const std::filesystem::path& out);

}  // namespace strata::inspect
