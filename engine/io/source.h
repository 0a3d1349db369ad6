// Where readers of file formats get their bytes: a file or a block of memory (tests, fuzzers).
// Readers check every length against size() before they allocate or read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "engine/tensor/tensor.h"

namespace strata::io {

class Source {
 public:
  virtual ~Source() = default;
  // For messages: the path.
  const std::string& name() const { return name_; }
  uint64_t size() const { return size_; }
  // Bytes offset .. offset + count; out of range, or a file that has shrunk, is an error.
  void read(uint64_t offset, void* into, size_t count, Caller at = Caller::here()) const;

 protected:
  Source(std::string name, uint64_t size) : name_(std::move(name)), size_(size) {}
  virtual void read_bytes(uint64_t offset, void* into, size_t count, Caller at) const = 0;

 private:
  std::string name_;
  uint64_t size_;
};

// A missing file, a folder, or one that may not be read is an error.
std::unique_ptr<Source> open_file(const std::string& path, Caller at = Caller::here());
// The bytes must outlive the source.
std::unique_ptr<Source> open_memory(std::span<const uint8_t> bytes, std::string name = "memory");

// A run of bytes that comes from the front only: a member of an archive, an array.
class Stream {
 public:
  virtual ~Stream() = default;
  // Bytes that are still to come.
  virtual uint64_t remaining() const = 0;
  // Fewer than `count` remaining is an error.
  virtual void read(void* into, size_t count) = 0;
};
// A name from a file as a message may show it: short, without control characters.
std::string printable(const std::string& name);

// Shape as a file gives it, checked: at most max_rank sizes, and a product that no overflow can
// hide (sizes of 0 count as 1, so that strides are safe too). Returns what is wrong, or "".
std::string check_shape(std::span<const uint64_t> shape, DType dtype, Dims* dims, uint64_t* bytes);

// Bytes other than 0 and 1 are no bool in C++: every byte that is not 0 becomes 1.
void normalize_bools(const Tensor& tensor);

}  // namespace strata::io
