#include "engine/io/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <nlohmann/json.hpp>
#include <vector>

#include "engine/autograd/autograd.h"
#include "engine/io/atomic_file.h"
#include "engine/ops/view.h"

static_assert(std::endian::native == std::endian::little,
              "tensors are written as they are in memory, which the format wants little endian");

namespace strata::io {
namespace {

using nlohmann::json;
using Entry = Safetensors::Entry;

constexpr uint64_t longest_header = 100'000'000;
constexpr const char* op = "safetensors";

// In the order of DType.
constexpr std::array<const char*, 8> dtype_names = {"F64", "F32", "BF16", "F16",
                                                    "I64", "I32", "U8",   "BOOL"};

// Takes the header from the JSON parser token by token: no document is built, so a hostile header
// costs little more than its own length, and duplicate names are seen.
class HeaderReader : public nlohmann::json_sax<json> {
 public:
  HeaderReader(std::string file, uint64_t data_size, std::map<std::string, Entry>& entries,
               Metadata& metadata, Caller at)
      : file_(std::move(file)),
        data_size_(data_size),
        entries_(entries),
        metadata_(metadata),
        at_(at) {}

  bool start_object(size_t) override {
    if (place_ == Place::start) {
      place_ = Place::top;
    } else if (place_ == Place::top && !name_.empty()) {
      place_ = name_ == "__metadata__" ? Place::metadata : Place::entry;
      dtype_.reset();
      shape_.reset();
      offsets_.reset();
    } else {
      refuse("an object where none belongs");
    }
    return true;
  }
  bool key(std::string& text) override {
    if (place_ == Place::top) {
      name_ = text;
      if (name_.empty()) refuse("a tensor without a name");
      if (entries_.contains(name_) || (name_ == "__metadata__" && has_metadata_)) {
        refuse("the name is there twice");
      }
    }
    key_ = text;
    return true;
  }
  bool string(std::string& text) override {
    if (place_ == Place::metadata) {
      if (!metadata_.emplace(key_, text).second) refuse("a key of the metadata is there twice");
    } else if (place_ == Place::entry && key_ == "dtype" && !dtype_) {
      auto found = std::find(dtype_names.begin(), dtype_names.end(), text);
      if (found == dtype_names.end()) {
        refuse(
            fmt::format("dtype '{}' is unknown; known are F64, F32, BF16, F16, I64, I32, U8, "
                        "BOOL",
                        printable(text)));
      }
      dtype_ = static_cast<DType>(found - dtype_names.begin());
    } else {
      refuse(fmt::format("a string as '{}'", printable(key_)));
    }
    return true;
  }
  bool start_array(size_t) override {
    if (place_ != Place::entry) refuse("an array where none belongs");
    if (key_ == "shape" && !shape_) {
      numbers_ = &shape_.emplace();
    } else if (key_ == "data_offsets" && !offsets_) {
      numbers_ = &offsets_.emplace();
    } else {
      refuse(fmt::format("an array as '{}'", printable(key_)));
    }
    place_ = Place::array;
    return true;
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (place_ != Place::array) refuse(fmt::format("a number as '{}'", printable(key_)));
    if (numbers_->size() > static_cast<size_t>(max_rank)) {
      refuse(fmt::format("'{}' has more than {} numbers", key_, max_rank));
    }
    numbers_->push_back(value);
    return true;
  }
  bool end_array() override {
    place_ = Place::entry;
    return true;
  }
  bool end_object() override {
    if (place_ == Place::entry) finish_entry();
    if (place_ == Place::metadata) has_metadata_ = true;
    place_ = place_ == Place::top ? Place::end : Place::top;
    name_.clear();
    return true;
  }
  bool null() override { refuse("null where it does not belong"); }
  bool boolean(bool) override { refuse("true or false where it does not belong"); }
  bool number_integer(number_integer_t) override { refuse("a negative number"); }
  bool number_float(number_float_t, const string_t& text) override {
    refuse(fmt::format("{} is not a whole number below 2^64", printable(text)));
  }
  bool binary(binary_t&) override { refuse("binary data in the header"); }
  bool parse_error(size_t position, const std::string&, const json::exception&) override {
    name_.clear();
    refuse(fmt::format("the header is not JSON from its byte {} on", position));
  }
  bool complete() const { return place_ == Place::end; }

 private:
  enum class Place { start, top, metadata, entry, array, end };

  [[noreturn]] void refuse(const std::string& reason) const {
    if (name_.empty()) fail(op, at_, "{}: {}", file_, reason);
    fail(op, at_, "{}: '{}': {}", file_, printable(name_), reason);
  }

  void finish_entry() {
    if (!dtype_ || !shape_ || !offsets_) refuse("dtype, shape or data_offsets is missing");
    if (offsets_->size() != 2) refuse("data_offsets must be two numbers");
    Entry entry{*dtype_, {}, (*offsets_)[0], (*offsets_)[1]};
    uint64_t bytes = 0;
    std::string wrong = check_shape(*shape_, *dtype_, &entry.shape, &bytes);
    if (!wrong.empty()) refuse(wrong);
    if (entry.begin > entry.end || entry.end > data_size_) {
      refuse(
          fmt::format("its bytes {} to {} are not in the data, which has {}; the file may be cut "
                      "off",
                      entry.begin, entry.end, data_size_));
    }
    if (entry.end - entry.begin != bytes) {
      refuse(fmt::format("{}{} takes {} bytes, but its offsets hold {}", name_of(entry.dtype),
                         to_string(entry.shape), bytes, entry.end - entry.begin));
    }
    entries_.emplace(name_, entry);
  }

  std::string file_;
  uint64_t data_size_;
  std::map<std::string, Entry>& entries_;
  Metadata& metadata_;
  Caller at_;

  Place place_ = Place::start;
  bool has_metadata_ = false;
  std::string name_, key_;
  std::optional<DType> dtype_;
  std::optional<std::vector<uint64_t>> shape_, offsets_;
  std::vector<uint64_t>* numbers_ = nullptr;
};

void check_no_holes(const std::string& file, const std::map<std::string, Entry>& entries,
                    uint64_t data_size, Caller at) {
  std::vector<const std::pair<const std::string, Entry>*> order;
  for (auto& entry : entries) order.push_back(&entry);
  std::sort(order.begin(), order.end(), [](auto* a, auto* b) {
    return std::pair(a->second.begin, a->second.end) < std::pair(b->second.begin, b->second.end);
  });
  uint64_t place = 0;
  for (auto* entry : order) {
    if (entry->second.begin != place) {
      fail(op, at, "{}: '{}' begins at byte {} of the data, where {}; the file is damaged", file,
           printable(entry->first), entry->second.begin,
           entry->second.begin < place ? "another tensor lies"
                                       : fmt::format("byte {} was expected", place));
    }
    place = entry->second.end;
  }
  if (place != data_size) {
    fail(op, at, "{}: the tensors take {} bytes, but the file has {}", file, place, data_size);
  }
}

}  // namespace

Safetensors::Safetensors(std::unique_ptr<Source> source, Caller at) : source_(std::move(source)) {
  const std::string& file = source_->name();
  uint64_t size = source_->size(), length = 0;
  if (size < 8) {
    fail(op, at, "{}: {} bytes are too few for a safetensors file", file, size);
  }
  source_->read(0, &length, 8, at);
  if (length > longest_header) {
    fail(op, at,
         "{}: a header of {} bytes is over the format's limit of 100 MB; this is probably "
         "no safetensors file",
         file, length);
  }
  if (length > size - 8) {
    fail(op, at, "{}: the header should have {} bytes, but only {} follow; the file is cut off",
         file, length, size - 8);
  }
  std::string header(length, '\0');
  source_->read(8, header.data(), length, at);
  if (header.empty() || header.front() != '{') {
    fail(op, at, "{}: the header does not begin with '{{'; this is no safetensors file", file);
  }
  data_start_ = 8 + length;
  HeaderReader reader(file, size - data_start_, entries_, metadata_, at);
  json::sax_parse(header.begin(), header.end(), &reader);
  if (!reader.complete()) fail(op, at, "{}: the header is not complete", file);
  check_no_holes(file, entries_, size - data_start_, at);
}

Tensor Safetensors::read(const std::string& name, Caller at) const {
  auto found = entries_.find(name);
  if (found == entries_.end()) {
    fail(op, at, "{}: there is no tensor '{}'", source_->name(), name);
  }
  const Entry& entry = found->second;
  Tensor tensor = empty(entry.shape, entry.dtype);
  source_->read(data_start_ + entry.begin, tensor.raw(), entry.end - entry.begin, at);
  normalize_bools(tensor);
  return tensor;
}

StateDict Safetensors::read_all(const std::string& prefix, Caller at) const {
  StateDict tensors;
  for (auto& [name, entry] : entries_) {
    if (name.starts_with(prefix)) tensors.emplace(name.substr(prefix.size()), read(name, at));
  }
  return tensors;
}

StateDict load_safetensors(const std::string& path, Metadata* metadata, Caller at) {
  Safetensors file(open_file(path, at), at);
  if (metadata) *metadata = file.metadata();
  return file.read_all("", at);
}

void save_safetensors(const std::string& path, const StateDict& tensors, const Metadata& metadata,
                      Caller at) {
  NoGrad off;
  std::vector<std::pair<std::string, Tensor>> order;
  for (auto& [name, tensor] : tensors) {
    if (name.empty() || name == "__metadata__" || !tensor.defined()) {
      fail(op, at, "'{}' ({}) cannot be written: tensors need a name other than __metadata__", name,
           describe(tensor));
    }
    order.emplace_back(name, tensor.detach().to(Device::cpu, at).contiguous(at));
  }
  std::stable_sort(order.begin(), order.end(), [](auto& a, auto& b) {
    return size_of(a.second.dtype()) > size_of(b.second.dtype());
  });
  json header = json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  uint64_t place = 0;
  for (auto& [name, tensor] : order) {
    uint64_t end = place + static_cast<uint64_t>(tensor.numel()) * size_of(tensor.dtype());
    std::vector<int64_t> shape(tensor.shape().begin(), tensor.shape().end());
    header[name] = {{"dtype", dtype_names[static_cast<size_t>(tensor.dtype())]},
                    {"shape", shape},
                    {"data_offsets", {place, end}}};
    place = end;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const json::exception& error) {
    fail(op, at, "{}: a name or the metadata is not valid UTF-8 ({})", path, error.what());
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');
  if (text.size() > longest_header) {
    fail(op, at, "{}: the names and the metadata take {} bytes, over the format's limit of 100 MB",
         path, text.size());
  }
  AtomicFile file(path, at);
  uint64_t length = text.size();
  file.write(&length, 8);
  file.write(text);
  for (auto& [name, tensor] : order) {
    file.write(tensor.raw(), static_cast<size_t>(tensor.numel()) * size_of(tensor.dtype()));
  }
  file.commit();
}

}  // namespace strata::io
