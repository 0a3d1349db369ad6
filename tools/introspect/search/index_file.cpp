// The file of an index: a safetensors file with
//   vectors f32 [N, D], ids i64 [N], removed u8 [N], metadata u8 (a JSON array as text), and for a
//   graph: graph u8 (hnswlib's own bytes);
//   in its metadata: what it is, the options, and a checksum (CRC-32) of the tensors in that order,
//   without which the bytes of the graph would be trusted blindly.
#include <zlib.h>

#include <algorithm>
#include <array>

#include "engine/io/safetensors.h"
#include "tools/introspect/search/index.h"

namespace strata::introspect {
namespace {

constexpr const char* format_name = "strata vector index 1";
constexpr std::array parts = {"vectors", "ids", "removed", "metadata", "graph"};
constexpr std::array metric_names = {"euclidean", "cosine", "inner_product"};

Tensor as_bytes(const std::string& text) {
  return from_vector(std::vector<uint8_t>(text.begin(), text.end()),
                     {static_cast<int64_t>(text.size())});
}

std::string as_text(const Tensor& bytes) {
  const uint8_t* data = bytes.data<uint8_t>();
  return {data, data + bytes.numel()};
}

std::string checksum(const StateDict& tensors) {
  uLong crc = crc32(0, nullptr, 0);
  for (const char* part : parts) {
    const Tensor& t = tensors.at(part);
    if (t.numel() == 0) continue;  // zlib takes a null pointer as the wish to begin again
    auto* data = static_cast<const Bytef*>(t.raw());
    crc = crc32_z(crc, data,
                  static_cast<size_t>(t.numel()) * static_cast<size_t>(size_of(t.dtype())));
  }
  return fmt::format("{:08x}", crc);
}

}  // namespace

void VectorIndex::save(const std::string& path, Caller at) const {
  StateDict tensors;
  int64_t n = slots();
  tensors["vectors"] = from_vector(vectors_, {n, dimensions_});
  tensors["ids"] = from_vector(id_, {n});
  tensors["removed"] = from_vector(removed_, {n});
  tensors["metadata"] = as_bytes(Json(metadata_).dump());
  tensors["graph"] = as_bytes(graph_ ? graph_->bytes() : "");
  Json options = {{"metric", metric_names[static_cast<size_t>(options_.metric)]},
                  {"graph", options_.graph},
                  {"links", options_.links},
                  {"build_width", options_.build_width},
                  {"search_width", options_.search_width},
                  {"seed", options_.seed},
                  {"dimensions", dimensions_}};
  io::save_safetensors(
      path, tensors,
      {{"format", format_name}, {"options", options.dump()}, {"checksum", checksum(tensors)}}, at);
}

VectorIndex VectorIndex::load(const std::string& path, Caller at) {
  io::Metadata header;
  StateDict tensors = io::load_safetensors(path, &header, at);
  if (header["format"] != format_name) {
    fail("load", at, "{} is not an index (its format is '{}', not '{}')", path,
         io::printable(header["format"]), format_name);
  }
  for (const char* part : parts) {
    if (!tensors.contains(part)) fail("load", at, "{} has no '{}': it is damaged", path, part);
  }
  if (std::string sum = checksum(tensors); sum != header["checksum"]) {
    fail("load", at, "{} is damaged: its checksum is {}, not {} as when it was saved", path, sum,
         io::printable(header["checksum"]));
  }
  Json options = Json::parse(header["options"], nullptr, false);
  Json metadata = Json::parse(as_text(tensors["metadata"]), nullptr, false);
  const Tensor &vectors = tensors["vectors"], &ids = tensors["ids"], &removed = tensors["removed"];
  try {
    IndexOptions parsed;
    std::string metric = options.at("metric");
    auto name = std::find(metric_names.begin(), metric_names.end(), metric);
    int64_t dimensions = options.at("dimensions"), n = ids.numel();
    bool fits = name != metric_names.end() && vectors.shape() == Dims{n, dimensions} &&
                vectors.dtype() == DType::f32 && ids.dtype() == DType::i64 &&
                removed.numel() == n && static_cast<int64_t>(metadata.size()) == n;
    if (!fits) fail("load", at, "the parts of {} do not fit together: it is damaged", path);
    parsed.metric = static_cast<Metric>(name - metric_names.begin());
    parsed.graph = options.at("graph");
    parsed.links = options.at("links");
    parsed.build_width = options.at("build_width");
    parsed.search_width = options.at("search_width");
    parsed.seed = options.at("seed");
    VectorIndex index(dimensions, parsed);
    index.vectors_ = vectors.to_vector<float>();
    index.id_ = ids.to_vector<int64_t>();
    index.removed_ = removed.to_vector<uint8_t>();
    index.metadata_ = metadata.get<std::vector<Json>>();
    for (int64_t slot = 0; slot < n; ++slot) {
      index.lengths_.push_back(index.length(index.row(slot)));
      auto i = static_cast<size_t>(slot);
      if (!index.removed_[i]) index.slot_of_[index.id_[i]] = slot;
    }
    if (parsed.graph) {
      index.graph_ = std::make_unique<HnswGraph>(index.graph_options(), as_text(tensors["graph"]));
    }
    return index;
  } catch (const nlohmann::json::exception& e) {
    fail("load", at, "the options of {} cannot be read: {}", path, e.what());
  }
}

}  // namespace strata::introspect
