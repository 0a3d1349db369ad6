// Bytes of files, plain or gzipped, with limits: memory grows with what a file really holds, never
// with what it claims to hold.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/error.h"

namespace strata {

using Bytes = std::vector<uint8_t>;

inline constexpr int64_t file_limit = int64_t{4} << 30;  // bytes of a file, or out of a gzip stream

// The whole file, unpacked when it begins with gzip's magic (several gzip members in a row are
// one stream). Missing, unreadable, truncated or corrupt files, and more than `limit` bytes, are
// errors of `op` that name the file.
Bytes read_bytes(const char* op, const std::string& path, int64_t limit = file_limit,
                 Caller at = Caller::here());

// The same for bytes in memory; `name` stands for the file in errors.
Bytes unpack(const char* op, std::span<const uint8_t> bytes, const std::string& name,
             int64_t limit = file_limit, Caller at = Caller::here());

// Names (without the folder) of the files, or of the folders, in a folder; sorted.
std::vector<std::string> files_in(const char* op, const std::string& folder,
                                  Caller at = Caller::here());
std::vector<std::string> folders_in(const char* op, const std::string& folder,
                                    Caller at = Caller::here());

// "/a/b" + "c" -> "/a/b/c".
std::string join_path(const std::string& folder, const std::string& name);

}  // namespace strata
