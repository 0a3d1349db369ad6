// Zip archives of npy members, as numpy.savez writes them.
#include "engine/autograd/autograd.h"
#include "engine/io/npy.h"
#include "engine/io/zip.h"
#include "engine/ops/view.h"

namespace strata::io {
namespace {

constexpr const char* op = "npz";

}  // namespace

StateDict read_npz(const Source& source, NpzLimits limits, Caller at) {
  ZipReader zip(source, op, limits.bytes, at);
  StateDict tensors;
  for (const ZipReader::Member& member : zip.members()) {
    std::string name = member.name;
    if (!name.ends_with(".npy")) {
      fail(op, at, "{}: '{}' is no array (.npy)", source.name(), printable(name));
    }
    name.resize(name.size() - 4);
    if (tensors.contains(name)) {
      fail(op, at, "{}: '{}' is there twice", source.name(), printable(name));
    }
    auto stream = zip.open(member);
    tensors.emplace(name,
                    read_npy(*stream, fmt::format("{}: '{}'", source.name(), printable(name)), at));
  }
  return tensors;
}

StateDict load_npz(const std::string& path, NpzLimits limits, Caller at) {
  return read_npz(*open_file(path, at), limits, at);
}

void save_npz(const std::string& path, const StateDict& tensors, bool compress, Caller at) {
  NoGrad off;
  AtomicFile file(path, at);
  ZipWriter zip(file, op, at);
  for (auto& [name, tensor] : tensors) {
    Tensor value = tensor.detach().to(Device::cpu, at).contiguous(at);
    std::string_view data(static_cast<const char*>(value.raw()),
                          static_cast<size_t>(value.numel()) * size_of(value.dtype()));
    zip.add(name + ".npy", {npy_header(value, at), data}, compress);
  }
  zip.finish();
  file.commit();
}

}  // namespace strata::io
