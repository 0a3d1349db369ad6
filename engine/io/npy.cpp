#include "engine/io/npy.h"

#include <bit>
#include <charconv>
#include <cstring>
#include <optional>
#include <vector>

#include "engine/autograd/autograd.h"
#include "engine/io/atomic_file.h"
#include "engine/ops/view.h"

static_assert(std::endian::native == std::endian::little);

namespace strata::io {
namespace {

constexpr const char* op = "npy";
constexpr size_t longest_header = 1 << 16;

struct Header {
  std::optional<DType> dtype;
  std::optional<bool> fortran_order;
  std::optional<std::vector<uint64_t>> shape;
};

// Reads the header's Python dictionary, of which only this much is used:
//   {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& file, Caller at)
      : text_(text), file_(file), at_(at) {}

  Header parse() {
    Header header;
    expect('{');
    while (!take('}')) {
      std::string key = string();
      expect(':');
      if (key == "descr" && !header.dtype) {
        header.dtype = dtype(string());
      } else if (key == "fortran_order" && !header.fortran_order) {
        header.fortran_order = boolean();
      } else if (key == "shape" && !header.shape) {
        header.shape = tuple();
      } else {
        refuse(fmt::format("the key '{}' is unknown or there twice", printable(key)));
      }
      if (!take(',')) {
        expect('}');
        break;
      }
    }
    skip_spaces();
    if (place_ != text_.size()) refuse("something follows the header's dictionary");
    if (!header.dtype || !header.fortran_order || !header.shape) {
      refuse("descr, fortran_order or shape is missing");
    }
    return header;
  }

 private:
  [[noreturn]] void refuse(const std::string& reason) const {
    fail(op, at_, "{}: {}", file_, reason);
  }
  void skip_spaces() {
    while (place_ < text_.size() && std::strchr(" \t\n\r", text_[place_]) && text_[place_]) {
      ++place_;
    }
  }
  bool take(char c) {
    skip_spaces();
    bool there = place_ < text_.size() && text_[place_] == c;
    place_ += there;
    return there;
  }
  void expect(char c) {
    if (!take(c)) refuse(fmt::format("the header lacks '{}' at its byte {}", c, place_));
  }
  std::string string() {
    skip_spaces();
    char quote = place_ < text_.size() ? text_[place_] : '\0';
    if (quote == '[') refuse("structured arrays (a list as descr) are not supported");
    if (quote != '\'' && quote != '"') {
      refuse(fmt::format("the header lacks a quoted string at its byte {}", place_));
    }
    size_t end = text_.find(quote, ++place_);
    if (end == text_.npos) refuse("a string of the header has no end");
    std::string value(text_.substr(place_, end - place_));
    place_ = end + 1;
    return value;
  }
  bool boolean() {
    skip_spaces();
    for (bool value : {false, true}) {
      std::string_view word = value ? "True" : "False";
      if (text_.substr(place_).starts_with(word)) {
        place_ += word.size();
        return value;
      }
    }
    refuse("fortran_order is neither True nor False");
  }
  std::vector<uint64_t> tuple() {
    std::vector<uint64_t> values;
    expect('(');
    while (!take(')')) {
      skip_spaces();
      uint64_t value = 0;
      auto [end, error] =
          std::from_chars(text_.data() + place_, text_.data() + text_.size(), value);
      if (error != std::errc()) refuse("a size in the shape is not a whole number below 2^64");
      values.push_back(value);
      if (values.size() > 64) refuse("the shape has more than 64 axes");
      place_ = static_cast<size_t>(end - text_.data());
      if (!take(',')) {
        expect(')');
        break;
      }
    }
    return values;
  }
  DType dtype(const std::string& descr) const {
    if (descr == "<f8") return DType::f64;
    if (descr == "<f4") return DType::f32;
    if (descr == "<f2") return DType::f16;
    if (descr == "<i8") return DType::i64;
    if (descr == "<i4") return DType::i32;
    if (descr == "|u1") return DType::u8;
    if (descr == "|b1") return DType::boolean;
    if (descr.starts_with(">")) {
      refuse(fmt::format("'{}' is big endian; write it with .astype(a.dtype.newbyteorder('<'))",
                         printable(descr)));
    }
    refuse(
        fmt::format("element type '{}' is not supported; <f8, <f4, <f2, <i8, <i4, |u1 and |b1 "
                    "are",
                    printable(descr)));
  }

  std::string_view text_;
  const std::string& file_;
  Caller at_;
  size_t place_ = 0;
};

const char* descr_of(const Tensor& tensor, Caller at) {
  switch (tensor.dtype()) {
    case DType::f64:
      return "<f8";
    case DType::f32:
      return "<f4";
    case DType::f16:
      return "<f2";
    case DType::i64:
      return "<i8";
    case DType::i32:
      return "<i4";
    case DType::u8:
      return "|u1";
    case DType::boolean:
      return "|b1";
    case DType::bf16:
      break;
  }
  fail(op, at, "NumPy has no bf16; convert {} with to(DType::f32)", describe(tensor));
}

class SourceStream : public Stream {
 public:
  SourceStream(const Source& source, Caller at) : source_(source), at_(at) {}
  uint64_t remaining() const override { return source_.size() - place_; }
  void read(void* into, size_t count) override {
    source_.read(place_, into, count, at_);
    place_ += count;
  }

 private:
  const Source& source_;
  Caller at_;
  uint64_t place_ = 0;
};

// Magic and lengths, then the dictionary.
Header read_header(Stream& stream, const std::string& name, Caller at) {
  if (stream.remaining() < 10) {
    fail(op, at, "{}: {} bytes are too few for an npy file", name, stream.remaining());
  }
  unsigned char start[8];
  stream.read(start, 8);
  if (std::memcmp(start, "\x93NUMPY", 6) != 0) {
    fail(op, at, "{}: does not begin with \\x93NUMPY; this is no npy file", name);
  }
  int version = start[6];
  if (version < 1 || version > 3 || start[7] != 0) {
    fail(op, at, "{}: version {}.{} of the format is unknown", name, version, start[7]);
  }
  uint32_t length = 0;
  size_t width = version == 1 ? 2 : 4;
  if (stream.remaining() < width) fail(op, at, "{}: the file is cut off in its header", name);
  stream.read(&length, width);
  if (length > longest_header || length > stream.remaining()) {
    fail(op, at, "{}: a header of {} bytes is too long ({} bytes follow, the limit is {})", name,
         length, stream.remaining(), longest_header);
  }
  std::string text(length, '\0');
  stream.read(text.data(), length);
  return HeaderParser(text, name, at).parse();
}

}  // namespace

Tensor read_npy(Stream& stream, const std::string& name, Caller at) {
  Header header = read_header(stream, name, at);
  Dims shape;
  uint64_t bytes = 0;
  std::string wrong = check_shape(*header.shape, *header.dtype, &shape, &bytes);
  if (!wrong.empty()) fail(op, at, "{}: {}", name, wrong);
  if (bytes != stream.remaining()) {
    fail(op, at, "{}: {}{} takes {} bytes, but {} follow the header", name, name_of(*header.dtype),
         to_string(shape), bytes, stream.remaining());
  }
  Dims stored = shape;
  if (*header.fortran_order) {
    for (int i = 0; i < shape.rank(); ++i) stored[i] = shape[shape.rank() - 1 - i];
  }
  Tensor tensor = empty(stored, *header.dtype);
  stream.read(tensor.raw(), bytes);
  normalize_bools(tensor);
  if (!*header.fortran_order || shape.rank() < 2) return tensor;
  NoGrad off;
  Dims reversed = Dims::filled(shape.rank(), 0);
  for (int i = 0; i < shape.rank(); ++i) reversed[i] = shape.rank() - 1 - i;
  return tensor.permute(reversed, at).contiguous(at);
}

Tensor read_npy(const Source& source, Caller at) {
  SourceStream stream(source, at);
  return read_npy(stream, source.name(), at);
}

Tensor load_npy(const std::string& path, Caller at) { return read_npy(*open_file(path, at), at); }

std::string npy_header(const Tensor& tensor, Caller at) {
  std::string shape;
  for (int64_t size : tensor.shape()) shape += fmt::format("{}, ", size);
  if (tensor.rank() > 1) shape.resize(shape.size() - 2);  // a tuple of one keeps its comma
  std::string text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}",
                                 descr_of(tensor, at), shape);
  // Spaces and a newline up to a multiple of 64, so that the data is aligned.
  size_t length = (10 + text.size() + 1 + 63) / 64 * 64 - 10;
  text.resize(length - 1, ' ');
  text += '\n';
  std::string start("\x93NUMPY\x01\x00", 8);
  start += static_cast<char>(length & 0xff);
  start += static_cast<char>(length >> 8);
  return start + text;
}

void save_npy(const std::string& path, const Tensor& tensor, Caller at) {
  NoGrad off;
  Tensor values = tensor.detach().to(Device::cpu, at).contiguous(at);
  std::string header = npy_header(values, at);
  AtomicFile file(path, at);
  file.write(header);
  file.write(values.raw(), static_cast<size_t>(values.numel()) * size_of(values.dtype()));
  file.commit();
}

}  // namespace strata::io
