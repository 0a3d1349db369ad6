// AtomicFile: a file that appears whole or not at all. Bytes go to "<path>.partial" in the same
// folder; commit() flushes them to the disk and renames. Whatever happens before that (a full disk,
// an exception, kill -9, a power cut) leaves an older file of that name as it was; what is left of
// a killed writer is overwritten by the next.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "engine/error.h"

namespace strata::io {

class AtomicFile {
 public:
  // A missing folder, no permission, or another process writing the same file is an error.
  explicit AtomicFile(std::string path, Caller at = Caller::here());
  // Without commit(): removes what was written.
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, size_t count);
  void write(std::string_view text) { write(text.data(), text.size()); }
  uint64_t written() const { return written_; }
  void commit();

 private:
  [[noreturn]] void refuse(const char* what, int error) const;

  std::string path_, partial_;
  Caller at_;
  int descriptor_ = -1;
  uint64_t written_ = 0;
};

// A whole text file at once.
void write_file(const std::string& path, std::string_view text, Caller at = Caller::here());

}  // namespace strata::io
