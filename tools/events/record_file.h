// Records with checksums: the framing of TensorFlow's TFRecord files, which TensorBoard reads.
//
//   u64 length | u32 masked CRC of those 8 bytes | the bytes | u32 masked CRC of the bytes
//
// all little-endian. The checksum is CRC-32C (Castagnoli; RFC 3720, appendix B.4), rotated by 15
// bits and added to a constant, since a CRC over data that contain their own CRC says little
// (TensorFlow, core/lib/hash/crc32c.h).
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string_view>

#include "engine/error.h"

namespace strata::events {

uint32_t crc32c(std::string_view bytes);
uint32_t masked(uint32_t crc);

class RecordFile {
 public:
  // Opens for appending after the first `keep` bytes, at which a record must begin; 0 starts
  // afresh.
  RecordFile(const std::filesystem::path& file, int64_t keep, Caller at = Caller::here());
  ~RecordFile();
  RecordFile(const RecordFile&) = delete;
  RecordFile& operator=(const RecordFile&) = delete;

  // Hands a record to the system. A full disk is an error that names the file.
  void write(std::string_view record);
  // Bytes handed to the system so far.
  int64_t size() const { return size_; }

 private:
  std::filesystem::path path_;
  std::FILE* file_;
  int64_t size_;
};

}  // namespace strata::events
