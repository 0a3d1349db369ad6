#include "engine/data/files.h"

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <system_error>

namespace strata {
namespace {

namespace fs = std::filesystem;

// z_stream that ends with its scope.
struct Inflater {
  z_stream stream{};
  bool ready = false;
  Inflater() { ready = inflateInit2(&stream, 15 + 16) == Z_OK; }  // 16: gzip header and checksum
  ~Inflater() {
    if (ready) inflateEnd(&stream);
  }
};

std::vector<std::string> entries(const char* op, const std::string& folder, bool folders,
                                 Caller at) {
  std::error_code error;
  fs::directory_iterator listing(folder, error);
  if (error) fail(op, at, "cannot open the folder '{}': {}", folder, error.message());
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : listing) {
    if (folders ? entry.is_directory(error) : entry.is_regular_file(error))
      names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

Bytes unpack(const char* op, std::span<const uint8_t> bytes, const std::string& name, int64_t limit,
             Caller at) {
  if (bytes.size() < 2 || bytes[0] != 0x1f || bytes[1] != 0x8b)
    return Bytes(bytes.begin(), bytes.end());
  Inflater inflater;
  if (!inflater.ready) fail(op, at, "{}: zlib could not be started (out of memory)", name);
  Bytes out;
  size_t read = 0;
  bool ended = false;
  while (read < bytes.size() || !ended) {
    if (ended) {  // another member follows
      if (inflateReset(&inflater.stream) != Z_OK) fail(op, at, "{}: zlib failed", name);
      ended = false;
    }
    // zlib counts in 32 bits: feed at most 1 GiB, take 256 KiB.
    constexpr size_t piece = 256 << 10;
    size_t feed = std::min<size_t>(bytes.size() - read, size_t{1} << 30), kept = out.size();
    out.resize(kept + piece);
    inflater.stream.next_in = const_cast<Bytef*>(bytes.data() + read);
    inflater.stream.avail_in = static_cast<uInt>(feed);
    inflater.stream.next_out = out.data() + kept;
    inflater.stream.avail_out = static_cast<uInt>(piece);
    int status = inflate(&inflater.stream, Z_NO_FLUSH);
    size_t consumed = feed - inflater.stream.avail_in;
    size_t produced = piece - inflater.stream.avail_out;
    read += consumed;
    out.resize(kept + produced);
    if (static_cast<int64_t>(out.size()) > limit)
      fail(op, at, "{}: unpacks to more than the limit of {} bytes", name, limit);
    if (status == Z_STREAM_END) {
      ended = true;
    } else if (status == Z_BUF_ERROR || (status == Z_OK && consumed + produced == 0)) {
      fail(op, at, "{}: the gzip stream is truncated after {} bytes ({} unpacked)", name,
           bytes.size(), out.size());
    } else if (status != Z_OK) {
      fail(op, at, "{}: the gzip stream is corrupt near byte {}: {}", name, read,
           inflater.stream.msg ? inflater.stream.msg : "unknown error");
    }
  }
  return out;
}

Bytes read_bytes(const char* op, const std::string& path, int64_t limit, Caller at) {
  std::error_code error;
  if (!fs::is_regular_file(path, error))
    fail(op, at, "'{}' is not a file{}", path, fs::exists(path, error) ? "" : " (nothing there)");
  auto size = static_cast<int64_t>(fs::file_size(path, error));
  if (error) fail(op, at, "cannot read the size of '{}': {}", path, error.message());
  if (size > limit) fail(op, at, "'{}' has {} bytes, more than the limit of {}", path, size, limit);
  std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file) fail(op, at, "cannot open '{}': {}", path, std::strerror(errno));
  Bytes bytes(static_cast<size_t>(size));
  size_t got = bytes.empty() ? 0 : std::fread(bytes.data(), 1, bytes.size(), file.get());
  if (got != bytes.size())
    fail(op, at, "'{}' should have {} bytes but only {} could be read", path, size, got);
  if (bytes.size() >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b)
    return unpack(op, bytes, path, limit, at);
  return bytes;
}

std::vector<std::string> files_in(const char* op, const std::string& folder, Caller at) {
  return entries(op, folder, false, at);
}
std::vector<std::string> folders_in(const char* op, const std::string& folder, Caller at) {
  return entries(op, folder, true, at);
}

std::string join_path(const std::string& folder, const std::string& name) {
  return (fs::path(folder) / name).string();
}

}  // namespace strata
