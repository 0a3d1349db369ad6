#include "tools/events/record_file.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

namespace strata::events {
namespace {

constexpr std::array<uint32_t, 256> crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0x82f63b78u : 0u);
    table[byte] = crc;
  }
  return table;
}

template <class T>
void append_little_endian(std::string& out, T value) {
  for (size_t i = 0; i < sizeof(T); ++i) out += static_cast<char>(value >> (8 * i));
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  static constexpr std::array<uint32_t, 256> table = crc_table();
  uint32_t crc = 0xffffffffu;
  for (char c : bytes) crc = (crc >> 8) ^ table[(crc ^ static_cast<uint8_t>(c)) & 0xff];
  return ~crc;
}

uint32_t masked(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8u; }

RecordFile::RecordFile(const std::filesystem::path& file, int64_t keep, Caller at)
    : path_(file), size_(keep) {
  std::error_code error;
  if (file.has_parent_path()) std::filesystem::create_directories(file.parent_path(), error);
  if (error)
    fail("events", at, "cannot make the folder {}: {}", file.parent_path().string(),
         error.message());
  if (keep > 0) {
    const auto length = std::filesystem::file_size(file, error);
    if (error || length < static_cast<uintmax_t>(keep))
      fail("events", at,
           "{} is shorter than the {} bytes that the checkpoint remembers; it is not the file of "
           "this run. Start again without --resume",
           file.string(), keep);
    std::filesystem::resize_file(file, static_cast<uintmax_t>(keep), error);
    if (error) fail("events", at, "cannot cut {}: {}", file.string(), error.message());
  }
  file_ = std::fopen(file.c_str(), keep > 0 ? "ab" : "wb");
  if (!file_) fail("events", at, "cannot write {}: {}", file.string(), std::strerror(errno));
}

RecordFile::~RecordFile() { std::fclose(file_); }

void RecordFile::write(std::string_view record) {
  std::string frame;
  frame.reserve(record.size() + 16);
  append_little_endian(frame, static_cast<uint64_t>(record.size()));
  append_little_endian(frame, masked(crc32c(frame)));
  frame += record;
  append_little_endian(frame, masked(crc32c(record)));
  if (std::fwrite(frame.data(), 1, frame.size(), file_) != frame.size() ||
      std::fflush(file_) != 0) {
    fail("events", Caller{}, "cannot write {}: {}", path_.string(), std::strerror(errno));
  }
  size_ += static_cast<int64_t>(frame.size());
}

}  // namespace strata::events
