#include "engine/data/idx.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "engine/data/files.h"

namespace strata {
namespace {

uint32_t big_endian_32(const uint8_t* bytes) {
  return static_cast<uint32_t>(bytes[0]) << 24 | static_cast<uint32_t>(bytes[1]) << 16 |
         static_cast<uint32_t>(bytes[2]) << 8 | bytes[3];
}

struct ElementType {
  int code, bytes;
  DType dtype;
};
constexpr ElementType types[] = {{8, 1, DType::u8},   {9, 1, DType::i32},  {11, 2, DType::i32},
                                 {12, 4, DType::i32}, {13, 4, DType::f32}, {14, 8, DType::f64}};

void copy_elements(const uint8_t* from, const ElementType& type, Tensor& to) {
  int64_t count = to.numel();
  for (int64_t i = 0; i < count; ++i) {
    const uint8_t* element = from + i * type.bytes;
    switch (type.code) {
      case 8:
        static_cast<uint8_t*>(to.raw())[i] = *element;
        break;
      case 9:
        static_cast<int32_t*>(to.raw())[i] = static_cast<int8_t>(*element);
        break;
      case 11:
        static_cast<int32_t*>(to.raw())[i] = static_cast<int16_t>(element[0] << 8 | element[1]);
        break;
      case 12:
        static_cast<int32_t*>(to.raw())[i] = static_cast<int32_t>(big_endian_32(element));
        break;
      case 13:
        static_cast<float*>(to.raw())[i] = std::bit_cast<float>(big_endian_32(element));
        break;
      default:
        static_cast<double*>(to.raw())[i] = std::bit_cast<double>(
            static_cast<uint64_t>(big_endian_32(element)) << 32 | big_endian_32(element + 4));
    }
  }
}

// The only file of the folder that begins with one of `starts` and contains `what` and `kind`.
std::string find_file(const std::string& folder, std::span<const char* const> starts,
                      const char* what, const char* kind, Caller at) {
  std::string found, seen;
  for (const std::string& name : files_in("idx", folder, at)) {
    bool matches = false;
    for (const char* start : starts) matches |= name.rfind(start, 0) == 0;
    if (!matches || name.find(what) == std::string::npos || name.find(kind) == std::string::npos)
      continue;
    if (!found.empty())
      fail("idx", at, "'{}' has both {} and {}: which one? Move one of them away", folder, found,
           name);
    found = name;
  }
  if (found.empty())
    fail("idx", at, "'{}' has no file named {}...{}-{}-ubyte, plain or .gz", folder, starts[0],
         what, kind);
  return join_path(folder, found);
}

}  // namespace

Tensor parse_idx(std::span<const uint8_t> bytes, const std::string& name, Caller at) {
  if (bytes.size() < 4 || bytes[0] != 0 || bytes[1] != 0)
    fail("idx", at, "{}: not an IDX file: it should begin with two zero bytes, a type and a rank",
         name);
  const ElementType* type = nullptr;
  for (const ElementType& known : types)
    if (known.code == bytes[2]) type = &known;
  if (!type)
    fail("idx", at, "{}: element type {} is unknown; known are 8, 9, 11, 12, 13 and 14", name,
         bytes[2]);
  int rank = bytes[3];
  if (rank < 1 || rank > max_rank)
    fail("idx", at, "{}: rank {} is outside 1..{}", name, rank, max_rank);
  size_t header = 4 + 4 * static_cast<size_t>(rank);
  if (bytes.size() < header)
    fail("idx", at, "{}: has {} bytes, but a header of rank {} takes {}", name, bytes.size(), rank,
         header);
  Dims shape;
  // The product of the sizes, an empty axis counted apart so that it hides nothing absurd.
  uint64_t extent = 1;
  bool none = false;
  for (int axis = 0; axis < rank; ++axis) {
    uint32_t size = big_endian_32(bytes.data() + 4 + 4 * axis);
    shape.push_back(size);
    none |= size == 0;
    extent *= std::max(size, 1u);
    if (extent > uint64_t{1} << 31)  // so the next factor, below 2^32, cannot make it wrap
      fail("idx", at, "{}: the header's sizes multiply to more than 2^31 elements", name);
  }
  uint64_t count = none ? 0 : extent;
  if (count * static_cast<uint64_t>(type->bytes) != bytes.size() - header)
    fail("idx", at, "{}: the header says {} elements of {} bytes, but {} bytes follow it", name,
         to_string(shape), type->bytes, bytes.size() - header);
  Tensor out = empty(shape, type->dtype);
  copy_elements(bytes.data() + header, *type, out);
  return out;
}

Tensor read_idx(const std::string& path, Caller at) {
  return parse_idx(read_bytes("idx", path, file_limit, at), path, at);
}

IdxPair read_idx_folder(const std::string& folder, bool train, Caller at) {
  static constexpr const char* train_names[] = {"train"};
  static constexpr const char* test_names[] = {"t10k", "test"};
  std::span<const char* const> starts =
      train ? std::span<const char* const>(train_names) : std::span<const char* const>(test_names);
  std::string image_path = find_file(folder, starts, "images", "idx3", at);
  std::string label_path = find_file(folder, starts, "labels", "idx1", at);
  IdxPair pair{read_idx(image_path, at), read_idx(label_path, at)};
  if (pair.images.dtype() != DType::u8 || pair.images.rank() < 3 || pair.images.rank() > 4)
    fail("idx", at, "{}: holds {}; images are u8[N,H,W] or u8[N,H,W,C]", image_path,
         describe(pair.images));
  if (pair.labels.dtype() != DType::u8 || pair.labels.rank() != 1)
    fail("idx", at, "{}: holds {}; labels are u8[N]", label_path, describe(pair.labels));
  if (pair.images.size(0) != pair.labels.size(0))
    fail("idx", at, "{} has {} images but {} has {} labels", image_path, pair.images.size(0),
         label_path, pair.labels.size(0));
  return pair;
}

}  // namespace strata
