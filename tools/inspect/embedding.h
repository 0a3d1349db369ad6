// Embeddings of a data set as an index that can be searched by picture, by item, by vector, and by
// words: of the metadata, or, where the network is a CLIP, of a sentence that its text tower reads.
#pragma once

#include "tools/inspect/subject.h"
#include "tools/introspect/search/index.h"

namespace strata::inspect {

struct EmbedOptions {
  std::string layer;           // empty: embedding_layer()
  std::string split = "test";  // train, validation, test
  int64_t count = 0;           // items at most; 0: all
  introspect::IndexOptions index = {.metric = introspect::Metric::cosine};
};

// The layer's activation for x [N, ...]: maps are averaged over places, [N, D] f32.
Tensor embed(const Subject& subject, const std::string& layer, const Tensor& x);
// An index of a split: ids are the images' numbers, metadata {"label", "split", factors by name}.
introspect::VectorIndex embed_dataset(const Subject& subject, const EmbedOptions& options);
// The mean vector of the items whose metadata hold every word of `text` (upper and lower case
// alike), and how many they are. No item is an error that shows what metadata look like.
struct TextQuery {
  Tensor vector;  // [D]
  int64_t items = 0;
};
TextQuery query_by_text(const introspect::VectorIndex& index, const std::string& text);
// Whether sentences lie among the vectors of `layer`: the network is a CLIP that was trained on
// captions, and the layer its output.
bool takes_sentences(const Subject& subject, const std::string& layer);
// What the text tower makes of a sentence, [D] f32. A word that training had not is an error that
// lists those it had.
Tensor embed_sentence(const Subject& subject, const std::string& sentence);
// The stage that embeddings are taken from when none is named: the last before the scores, and of a
// CLIP, which has none, the last.
std::string embedding_layer(const Subject& subject);
const Dataset& split_of(const Subject& subject, const std::string& split);

}  // namespace strata::inspect
