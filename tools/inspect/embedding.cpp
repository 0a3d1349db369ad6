#include "tools/inspect/embedding.h"

#include <algorithm>
#include <cctype>
#include <sstream>

#include "engine/autograd/autograd.h"
#include "engine/data/captions.h"
#include "engine/ops.h"
#include "models/multimodal/clip.h"
#include "tools/introspect/attribution/target.h"
#include "tools/introspect/representation/features.h"

namespace strata::inspect {
namespace {

constexpr int64_t batch = 256;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

nlohmann::json metadata_of(const Dataset& data, const Batch& images, int64_t row,
                           const std::string& split) {
  auto label = static_cast<size_t>(images.labels.select(0, row).item());
  nlohmann::json entry = {{"label", data.class_names[label]}, {"split", split}};
  for (size_t f = 0; f < data.factors.size(); ++f) {
    auto value = static_cast<size_t>(
        images.factors.select(0, row).select(0, static_cast<int64_t>(f)).item());
    auto& names = data.factors[f].value_names;
    entry[data.factors[f].name] =
        value < names.size() ? nlohmann::json(names[value]) : nlohmann::json(value);
  }
  return entry;
}

}  // namespace

std::string embedding_layer(const Subject& subject) {
  auto stages = subject.model->stages();
  if (dynamic_cast<Clip*>(subject.model.get())) return stages.back();
  return stages[stages.size() > 1 ? stages.size() - 2 : 0];
}

const Dataset& split_of(const Subject& subject, const std::string& split) {
  if (!subject.reads_images()) fail("embed", Caller{}, "{} reads no images", subject.name);
  if (split == "train") return *subject.train;
  if (split == "validation") return *subject.validation;
  if (split == "test") return *subject.test;
  fail("embed", Caller{}, "there is no split '{}'; there are train, validation and test", split);
}

Tensor embed(const Subject& subject, const std::string& layer, const Tensor& x) {
  NoGrad off;
  Tensor a = introspect::activation_of(subject.scores(), x, layer);
  return introspect::pooled_features(a, 1).to(DType::f32).contiguous();
}

introspect::VectorIndex embed_dataset(const Subject& subject, const EmbedOptions& options) {
  const Dataset& data = split_of(subject, options.split);
  std::string layer = options.layer.empty() ? embedding_layer(subject) : options.layer;
  int64_t total = options.count > 0 ? std::min(options.count, data.size()) : data.size();
  std::optional<introspect::VectorIndex> index;
  for (int64_t first = 0; first < total; first += batch) {
    std::vector<int64_t> rows;
    for (int64_t i = first; i < std::min(total, first + batch); ++i) rows.push_back(i);
    Batch images = data.fill(rows);
    Tensor vectors = embed(subject, layer, images.images);
    if (!index) index.emplace(vectors.size(1), options.index);
    std::vector<nlohmann::json> metadata;
    for (size_t i = 0; i < rows.size(); ++i) {
      metadata.push_back(metadata_of(data, images, static_cast<int64_t>(i), options.split));
    }
    index->add(rows, vectors, metadata);
  }
  return std::move(*index);
}

bool takes_sentences(const Subject& subject, const std::string& layer) {
  return subject.reads_captions && layer == subject.model->stages().back();
}

Tensor embed_sentence(const Subject& subject, const std::string& sentence) {
  const std::string text = lower(sentence);
  std::istringstream in(text);
  const auto& known = captions::vocabulary();
  for (std::string word; in >> word;) {
    if (std::find(known.begin() + 2, known.end() - 1, word) != known.end() - 1) continue;
    fail("search", Caller{}, "the text tower of {} never read the word '{}'; it knows {}",
         subject.name, word, fmt::join(known.begin() + 2, known.end() - 1, " "));
  }
  NoGrad off;
  const Tensor tokens = from_vector(captions::tokens_of(text), {1, captions::context});
  return dynamic_cast<Clip&>(*subject.model).encode_text(tokens).select(0, 0).contiguous();
}

TextQuery query_by_text(const introspect::VectorIndex& index, const std::string& text) {
  std::vector<std::string> words;
  std::istringstream in(lower(text));
  for (std::string word; in >> word;) words.push_back(word);
  TextQuery query;
  auto ids = index.ids();
  for (int64_t id : ids) {
    std::string said = lower(index.metadata(id).dump());
    bool all = !words.empty();
    for (auto& word : words) all &= said.find(word) != std::string::npos;
    if (!all) continue;
    Tensor vector = index.vector(id);
    query.vector = query.vector.defined() ? query.vector + vector : vector;
    ++query.items;
  }
  if (query.items == 0) {
    fail("search", Caller{}, "no item's metadata hold '{}'; an item's look like {}", text,
         ids.empty() ? "nothing: the index is empty" : index.metadata(ids[0]).dump());
  }
  query.vector = query.vector / static_cast<double>(query.items);
  return query;
}

}  // namespace strata::inspect
