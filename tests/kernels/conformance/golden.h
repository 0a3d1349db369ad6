// Golden files: what probes gave on a GPU. One file a probe, "<name>.bin" with spaces and signs as
// "_": the 8 bytes "STRATAG1", the number of bytes (64 bits, little-endian), the bytes.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tests/kernels/conformance/probes.h"

namespace strata::test {

std::filesystem::path golden_path(const std::filesystem::path& folder, const std::string& probe);
void write_golden(const std::filesystem::path& folder, const std::string& probe,
                  const Bytes& bytes);
// Nothing when there is no such file; throws std::runtime_error for one that is not golden.
std::optional<Bytes> read_golden(const std::filesystem::path& folder, const std::string& probe);
// The folders below `root` that hold golden files, one a device.
std::vector<std::filesystem::path> golden_folders(const std::filesystem::path& root);

}  // namespace strata::test
