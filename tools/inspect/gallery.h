// A page of every method on one network: each picture with what it shows, the paper, and the
// command that makes it.
#pragma once

#include "tools/inspect/method.h"

namespace strata::inspect {

struct GalleryOptions {
  std::filesystem::path out;        // a folder
  std::vector<std::string> inputs;  // as read_inputs() takes them
  int64_t count = 4;
  uint64_t seed = 1;
  std::vector<std::string> skip = {};  // methods left out
  std::function<void(const std::string& method, size_t done, size_t of)> progress;
};

// Runs every method that applies with its defaults, writes what each leaves (output.h) into the
// folder and index.html beside. A method that fails is on the page with its message. Returns the
// page.
std::filesystem::path write_gallery(const Subject& subject, const std::string& checkpoint,
                                    const GalleryOptions& options);

}  // namespace strata::inspect
