#include "engine/io/source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace strata::io {
namespace {

class File : public Source {
 public:
  File(std::string path, uint64_t size, int descriptor)
      : Source(std::move(path), size), descriptor_(descriptor) {}
  ~File() override { close(descriptor_); }

 private:
  void read_bytes(uint64_t offset, void* into, size_t count, Caller at) const override {
    char* to = static_cast<char*>(into);
    while (count > 0) {
      ssize_t got = pread(descriptor_, to, count, static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) {
        fail("read", at, "{}: cannot read {} bytes at {}: {}", name(), count, offset,
             got < 0 ? std::strerror(errno) : "the file has become shorter");
      }
      to += got;
      offset += static_cast<uint64_t>(got);
      count -= static_cast<size_t>(got);
    }
  }
  int descriptor_;
};

class Memory : public Source {
 public:
  Memory(std::span<const uint8_t> bytes, std::string name)
      : Source(std::move(name), bytes.size()), bytes_(bytes) {}

 private:
  void read_bytes(uint64_t offset, void* into, size_t count, Caller) const override {
    if (count > 0) std::memcpy(into, bytes_.data() + offset, count);
  }
  std::span<const uint8_t> bytes_;
};

}  // namespace

void Source::read(uint64_t offset, void* into, size_t count, Caller at) const {
  if (offset > size_ || count > size_ - offset) {
    fail("read", at, "{}: the file ends at byte {}, before byte {} + {}", name_, size_, offset,
         count);
  }
  read_bytes(offset, into, count, at);
}

std::unique_ptr<Source> open_file(const std::string& path, Caller at) {
  int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail("open", at, "{}: {}", path, std::strerror(errno));
  struct stat status;
  if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    close(descriptor);
    fail("open", at, "{}: is not a regular file", path);
  }
  return std::make_unique<File>(path, static_cast<uint64_t>(status.st_size), descriptor);
}

std::unique_ptr<Source> open_memory(std::span<const uint8_t> bytes, std::string name) {
  return std::make_unique<Memory>(bytes, std::move(name));
}

std::string printable(const std::string& name) {
  constexpr size_t shown = 60;
  std::string text;
  for (char c : name.substr(0, shown)) {
    bool plain = static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
    text += plain ? std::string(1, c) : fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return name.size() > shown ? text + "..." : text;
}

std::string check_shape(std::span<const uint64_t> shape, DType dtype, Dims* dims, uint64_t* bytes) {
  constexpr uint64_t most = uint64_t{1} << 46;  // elements; what empty() allows
  if (shape.size() > static_cast<size_t>(max_rank)) {
    return fmt::format("it has {} axes; tensors have at most {}", shape.size(), max_rank);
  }
  *dims = {};
  uint64_t span = 1, count = 1;
  for (uint64_t size : shape) {
    uint64_t factor = std::max<uint64_t>(size, 1);
    if (factor > most / span) return "the product of its sizes is too large";
    span *= factor;
    count *= size;
    dims->push_back(static_cast<int64_t>(size));
  }
  *bytes = count * size_of(dtype);
  return "";
}

void normalize_bools(const Tensor& tensor) {
  if (tensor.dtype() != DType::boolean) return;
  auto* bytes = static_cast<uint8_t*>(tensor.raw());
  for (int64_t i = 0; i < tensor.numel(); ++i) bytes[i] = bytes[i] != 0;
}

}  // namespace strata::io
