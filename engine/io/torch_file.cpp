#include "engine/io/torch_file.h"

#include <array>
#include <bit>
#include <unordered_set>

#include "engine/autograd/autograd.h"
#include "engine/io/unpickle.h"
#include "engine/io/zip.h"
#include "engine/ops/view.h"

static_assert(std::endian::native == std::endian::little);

namespace strata::io {
namespace {

constexpr const char* op = "torch";
using Kind = PickleValue::Kind;

// PyTorch's name of the storage of each DType, in the order of DType.
constexpr std::array<const char*, 8> storage_names = {
    "DoubleStorage", "FloatStorage", "BFloat16Storage", "HalfStorage",
    "LongStorage",   "IntStorage",   "ByteStorage",     "BoolStorage"};

// Everything a state dict, or the training state around it, names.
bool allowed(std::string_view name) {
  static const std::unordered_set<std::string_view> names = {
      "collections.OrderedDict",
      "collections.defaultdict",
      "builtins.dict",
      "__builtin__.dict",
      "torch._utils._rebuild_tensor",
      "torch._utils._rebuild_tensor_v2",
      "torch._utils._rebuild_parameter",
      "torch.Size",
      "torch.device",
  };
  static const std::unordered_set<std::string_view> types = {
      "float64", "float32", "float16", "bfloat16", "int64",
      "int32",   "int16",   "int8",    "uint8",    "bool"};
  constexpr std::string_view torch = "torch.";
  if (names.contains(name)) return true;
  if (!name.starts_with(torch)) return false;
  name.remove_prefix(torch.size());
  return types.contains(name) ||
         (name.ends_with("Storage") && name.find('.') == std::string_view::npos);
}

// Looks a tensor's parts up in the archive.
class TorchReader {
 public:
  TorchReader(const Source& source, Caller at)
      : source_(source), at_(at), zip_(open_archive(source, at)) {
    const ZipReader::Member* pickle = nullptr;
    for (const ZipReader::Member& member : zip_.members()) {
      if (member.name.ends_with("/data.pkl")) pickle = &member;
      if (member.name.ends_with("/constants.pkl")) {
        refuse(
            "this is a TorchScript program; save its state dict instead: "
            "torch.save(torch.jit.load(path).state_dict(), ...)");
      }
    }
    if (!pickle) refuse("the archive has no data.pkl; this is no file of torch.save");
    prefix_ = pickle->name.substr(0, pickle->name.size() - std::string("data.pkl").size());
    if (auto* order = zip_.find(prefix_ + "byteorder"); order && text_of(*order) != "little") {
      refuse("the tensors are big endian, which is not supported");
    }
    pickle_ = text_of(*pickle);
  }

  StateDict read(const std::string& key) {
    Pickle pickle({reinterpret_cast<const uint8_t*>(pickle_.data()), pickle_.size()},
                  source_.name(), allowed, {}, at_);
    collect(choose(pickle.root(), key), "", 0);
    if (tensors_.empty()) refuse("there is no tensor in the dictionary '{}'", key);
    return std::move(tensors_);
  }

 private:
  template <class... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    fail(op, at_, "{}: {}", source_.name(), fmt::format(format, std::forward<Args>(args)...));
  }

  static ZipReader open_archive(const Source& source, Caller at) {
    std::array<uint8_t, 12> first = {};
    if (source.size() >= first.size()) source.read(0, first.data(), first.size(), at);
    // A pickle of the magic number 0x1950a86a20f9469cfc6c.
    constexpr std::array<uint8_t, 12> before_1_6 = {0x80, 2,    0x8a, 0x0a, 0x6c, 0xfc,
                                                    0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8};
    if (first == before_1_6) {
      fail(
          op, at,
          "{}: the format is that of PyTorch before 1.6; write it anew: python3 -c \"import torch; "
          "torch.save(torch.load('{}', map_location='cpu'), 'new.pth')\"",
          source.name(), source.name());
    }
    return ZipReader(source, op, UINT64_MAX, at);
  }
  void check_stored(const ZipReader::Member& member) const {
    if (!member.deflated) return;
    refuse(
        "'{}' is compressed ({} bytes, {} unpacked), which PyTorch does not do; unpack the archive "
        "and pack it with zip -0",
        printable(member.name), member.packed, member.size);
  }
  // A member that is not a storage, whole.
  std::string text_of(const ZipReader::Member& member) const {
    check_stored(member);
    if (member.size > PickleLimits{}.bytes) {
      refuse("'{}' has {} bytes, more than the limit of {} for what is no tensor",
             printable(member.name), member.size, PickleLimits{}.bytes);
    }
    std::string text(member.size, '\0');
    zip_.open(member)->read(text.data(), text.size());
    return text;
  }

  // Dictionaries.
  static bool is_tensor(const PickleValue& value) {
    return value.is(Kind::call) && value.text.starts_with("torch._utils._rebuild_");
  }
  static bool has_tensor(const PickleValue& value) {
    if (!value.is(Kind::dict)) return false;
    for (size_t i = 1; i < value.items.size(); i += 2)
      if (is_tensor(*value.items[i])) return true;
    return false;
  }
  static std::vector<std::string> keys_of(const PickleValue& dict) {
    std::vector<std::string> keys;
    for (size_t i = 0; i < dict.items.size(); i += 2) {
      if (dict.items[i]->is(Kind::text)) keys.push_back(printable(dict.items[i]->text));
    }
    return keys;
  }

  const PickleValue& choose(const PickleValue& root, const std::string& key) const {
    const PickleValue* dict = &root;
    if (!key.empty()) {
      for (size_t begin = 0; begin <= key.size();) {
        size_t end = std::min(key.find('.', begin), key.size());
        const PickleValue* inner = dict->find(key.substr(begin, end - begin));
        if (!inner) {
          refuse("there is no '{}' (of the key '{}'); there are {}", key.substr(begin, end - begin),
                 key, listed(keys_of(*dict)));
        }
        dict = inner;
        begin = end + 1;
      }
    } else {
      for (int depth = 0; depth < 4 && !has_tensor(*dict); ++depth) dict = &guess(*dict);
    }
    if (!dict->is(Kind::dict)) {
      refuse("it holds {}, not a dictionary of tensors; save model.state_dict()",
             is_tensor(*dict) ? "a single tensor" : "other data");
    }
    return *dict;
  }
  const PickleValue& guess(const PickleValue& dict) const {
    for (const char* name :
         {"state_dict", "model_state_dict", "model", "module", "network", "net", "weights"}) {
      const PickleValue* inner = dict.find(name);
      if (inner && inner->is(Kind::dict)) return *inner;
    }
    const PickleValue* only = nullptr;
    int count = 0;
    for (size_t i = 1; dict.is(Kind::dict) && i < dict.items.size(); i += 2) {
      if (has_tensor(*dict.items[i])) only = dict.items[i], ++count;
    }
    if (count == 1) return *only;
    if (dict.is(Kind::dict)) {
      refuse("which of its dictionaries is meant must be said by a key; there are {}",
             listed(keys_of(dict)));
    }
    return dict;
  }

  void collect(const PickleValue& dict, const std::string& prefix, int depth) {
    constexpr size_t most_steps = 1 << 20, most_letters = 64 << 20;
    if (depth > 16) refuse("dictionaries are nested deeper than 16 at '{}'", printable(prefix));
    for (size_t i = 0; i + 1 < dict.items.size(); i += 2) {
      if (++steps_ > most_steps) refuse("there are more than {} entries", most_steps);
      if (!dict.items[i]->is(Kind::text)) continue;
      // Dictionaries and keys may be shared, so that names outgrow the file.
      letters_ += prefix.size() + dict.items[i]->text.size();
      if (letters_ > most_letters) refuse("names of entries take more than 64 MiB together");
      std::string name = prefix + dict.items[i]->text;
      const PickleValue& value = *dict.items[i + 1];
      if (value.is(Kind::dict)) collect(value, name + ".", depth + 1);
      if (is_tensor(value)) tensors_[name] = tensor(value, printable(name));
    }
  }

  // Tensors.
  Tensor tensor(const PickleValue& call, const std::string& name) {
    auto& arguments = call.items.at(0)->items;
    if (call.text == "torch._utils._rebuild_parameter") {
      bool right = !arguments.empty() && is_tensor(*arguments[0]) &&
                   arguments[0]->text != "torch._utils._rebuild_parameter";
      if (!right) refuse("'{}': the parameter has no tensor", name);
      return tensor(*arguments[0], name);
    }
    if (arguments.size() < 4 || !arguments[0]->is(Kind::persistent) ||
        !arguments[1]->is(Kind::integer) || !arguments[2]->is(Kind::tuple) ||
        !arguments[3]->is(Kind::tuple)) {
      refuse("'{}': a tensor must have a storage, an offset, sizes and strides", name);
    }
    Tensor all = storage(*arguments[0]->items.at(0), name);
    std::vector<uint64_t> sizes = numbers(*arguments[2], name);
    std::vector<uint64_t> steps = numbers(*arguments[3], name);
    Dims shape, strides;
    uint64_t bytes = 0;
    std::string wrong = check_shape(sizes, all.dtype(), &shape, &bytes);
    if (!wrong.empty()) refuse("'{}': {}", name, wrong);
    if (steps.size() != sizes.size()) {
      refuse("'{}': {} sizes and {} strides", name, sizes.size(), steps.size());
    }
    auto count = static_cast<uint64_t>(all.numel());
    if (bytes / size_of(all.dtype()) > count) {
      refuse(
          "'{}': the shape {} has more elements than the {} stored; save expanded tensors with "
          ".contiguous()",
          name, to_string(shape), count);
    }
    if (bytes == 0) return empty(shape, all.dtype());
    // The last element, with every sum checked.
    auto last = static_cast<uint64_t>(arguments[1]->integer);
    bool inside = arguments[1]->integer >= 0 && last < count;
    for (size_t i = 0; i < sizes.size() && inside; ++i) {
      inside = sizes[i] == 1 || steps[i] <= (count - 1 - last) / (sizes[i] - 1);
      if (inside) last += (sizes[i] - 1) * steps[i];
      strides.push_back(sizes[i] == 1 ? 1 : static_cast<int64_t>(steps[i]));
    }
    if (!inside) {
      refuse("'{}': offset, shape {} and strides go beyond the {} elements stored", name,
             to_string(shape), count);
    }
    return make_view(all, shape, strides, arguments[1]->integer);
  }

  std::vector<uint64_t> numbers(const PickleValue& tuple, const std::string& name) const {
    std::vector<uint64_t> list;
    for (const PickleValue* item : tuple.items) {
      if (!item->is(Kind::integer) || item->integer < 0) {
        refuse("'{}': sizes and strides must be whole numbers, 0 or more", name);
      }
      list.push_back(static_cast<uint64_t>(item->integer));
    }
    return list;
  }

  // ("storage", class, key, device, elements): read when first asked for.
  Tensor storage(const PickleValue& id, const std::string& name) {
    auto& parts = id.items;
    if (parts.size() != 5 || !parts[1]->is(Kind::global) || !parts[2]->is(Kind::text) ||
        !parts[4]->is(Kind::integer)) {
      refuse("'{}': its storage is not (\"storage\", class, key, device, elements)", name);
    }
    DType dtype = storage_type(parts[1]->text, name);
    const std::string& key = parts[2]->text;
    if (auto found = storages_.find(key); found != storages_.end()) {
      if (found->second.dtype() != dtype || found->second.numel() != parts[4]->integer) {
        refuse("'{}': the storage '{}' is used with two types or sizes", name, printable(key));
      }
      return found->second;
    }
    const ZipReader::Member* member = zip_.find(prefix_ + "data/" + key);
    if (!member) refuse("'{}': the archive has no storage '{}'", name, printable(key));
    check_stored(*member);
    if (parts[4]->integer < 0 || member->size % size_of(dtype) != 0 ||
        member->size / size_of(dtype) != static_cast<uint64_t>(parts[4]->integer)) {
      refuse("'{}': {} elements of {} are announced, but the storage '{}' has {} bytes", name,
             parts[4]->integer, name_of(dtype), printable(key), member->size);
    }
    Tensor all = empty({parts[4]->integer}, dtype);
    zip_.open(*member)->read(all.raw(), member->size);
    normalize_bools(all);
    return storages_[key] = all;
  }
  DType storage_type(const std::string& name, const std::string& tensor) const {
    for (size_t i = 0; i < storage_names.size(); ++i)
      if (name == std::string("torch.") + storage_names[i]) return static_cast<DType>(i);
    refuse("'{}': a tensor of {} is not supported; f64, f32, bf16, f16, i64, i32, u8 and bool are",
           tensor, printable(name));
  }

  const Source& source_;
  Caller at_;
  ZipReader zip_;
  std::string prefix_, pickle_;
  std::map<std::string, Tensor> storages_;
  StateDict tensors_;
  size_t steps_ = 0, letters_ = 0;  // entries seen, and the length of their names
};

// Writes the pickle of an OrderedDict of tensors, protocol 2.
class PickleWriter {
 public:
  PickleWriter() {
    text_ =
        "\x80\x02"
        "ccollections\nOrderedDict\n)R(";
  }

  void add(const std::string& name, const Tensor& tensor, int64_t key) {
    put_text(name);
    text_ += "ctorch._utils\n_rebuild_tensor_v2\n((";
    put_text("storage");
    text_ += fmt::format("ctorch\n{}\n", storage_names[static_cast<size_t>(tensor.dtype())]);
    put_text(std::to_string(key));
    put_text("cpu");
    put_number(tensor.numel());
    text_ += "tQ";
    put_number(0);
    std::vector<int64_t> strides(static_cast<size_t>(tensor.rank()));
    int64_t step = 1;
    for (int axis = tensor.rank(); axis-- > 0; step *= std::max<int64_t>(tensor.size(axis), 1)) {
      strides[static_cast<size_t>(axis)] = step;
    }
    put_tuple({tensor.shape().begin(), tensor.shape().end()});
    put_tuple(strides);
    text_ +=
        "\x89"
        "ccollections\nOrderedDict\n)RtR";  // no gradient wanted, no hooks
  }
  std::string finish() && { return std::move(text_) + "u."; }

 private:
  void put_text(const std::string& text) {
    text_ += 'X';
    for (size_t i = 0; i < 4; ++i) text_ += static_cast<char>(text.size() >> 8 * i & 0xff);
    text_ += text;
  }
  void put_number(int64_t value) {
    text_ += "\x8a\x08";
    for (int i = 0; i < 8; ++i) text_ += static_cast<char>(value >> 8 * i & 0xff);
  }
  void put_tuple(const std::vector<int64_t>& values) {
    text_ += '(';
    for (int64_t value : values) put_number(value);
    text_ += 't';
  }
  std::string text_;
};

std::string_view bytes_of(const Tensor& tensor) {
  return {static_cast<const char*>(tensor.raw()),
          static_cast<size_t>(tensor.numel()) * size_of(tensor.dtype())};
}

}  // namespace

StateDict read_torch(const Source& source, const std::string& key, Caller at) {
  return TorchReader(source, at).read(key);
}

StateDict load_torch(const std::string& path, const std::string& key, Caller at) {
  return read_torch(*open_file(path, at), key, at);
}

void save_torch(const std::string& path, const StateDict& tensors, Caller at) {
  NoGrad off;
  constexpr size_t align = 64;  // as PyTorch, so that a file can be mapped
  std::vector<Tensor> values;
  PickleWriter pickle;
  for (auto& [name, tensor] : tensors) {
    if (!tensor.defined()) fail(op, at, "'{}' has no value and cannot be written", name);
    values.push_back(tensor.detach().to(Device::cpu, at).contiguous(at));
    pickle.add(name, values.back(), static_cast<int64_t>(values.size()) - 1);
  }
  AtomicFile file(path, at);
  ZipWriter zip(file, op, at);
  zip.add("archive/data.pkl", {std::move(pickle).finish()}, false, align);
  zip.add("archive/byteorder", {"little"}, false, align);
  for (size_t i = 0; i < values.size(); ++i) {
    zip.add(fmt::format("archive/data/{}", i), {bytes_of(values[i])}, false, align);
  }
  zip.add("archive/version", {"3\n"}, false, align);
  zip.finish();
  file.commit();
}

}  // namespace strata::io
