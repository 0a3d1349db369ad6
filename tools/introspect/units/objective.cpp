#include "tools/introspect/units/objective.h"

#include <algorithm>

#include "engine/ops.h"

namespace strata::introspect {
namespace {

// An index on an axis of `size`, -1 for its middle.
int64_t position(int64_t asked, int64_t size, const std::string& layer) {
  if (asked >= size || asked < -1) {
    fail("objective", Caller{}, "place {} is outside the {} places of '{}'", asked, size, layer);
  }
  return asked == -1 ? size / 2 : asked;
}

// The activation's vector at the place, [N, C].
Tensor at_place(const Tensor& activation, const Place& place, const std::string& layer) {
  if (activation.rank() == 2) return activation;
  if (activation.rank() == 3) {
    return activation.select(1, position(place.row, activation.size(1), layer));
  }
  if (activation.rank() != 4) {
    fail("objective", Caller{},
         "the activation '{}' is {}; expected [N, H, W, C], [N, T, C] or "
         "[N, C]",
         layer, describe(activation));
  }
  return activation.select(1, position(place.row, activation.size(1), layer))
      .select(1, position(place.column, activation.size(2), layer));
}

// Vectors at all places, [N, P, C], P being 1 for a single place.
Tensor vectors(const Tensor& activation, const Place& place, const std::string& layer) {
  if (!place.all || activation.rank() < 3) return at_place(activation, place, layer).unsqueeze(1);
  return activation.reshape({activation.size(0), -1, activation.size(-1)});
}

// x[n, columns[n mod length]] of x [N, C].
Tensor pick(const Tensor& x, const std::vector<int64_t>& columns, const std::string& what) {
  if (columns.empty()) fail("objective", Caller{}, "no channel of {} is named", what);
  std::vector<int64_t> index;
  for (int64_t n = 0; n < x.size(0); ++n) {
    int64_t column = columns[static_cast<size_t>(n) % columns.size()];
    if (column < 0 || column >= x.size(1)) {
      fail("objective", Caller{}, "{} has {} units, so none with number {}", what, x.size(1),
           column);
    }
    index.push_back(column);
  }
  return gather(x, 1, from_vector(index, {x.size(0), 1}).to(x.device())).squeeze(1);
}

// Rows n mod K of directions [K, C], [N, C].
Tensor for_each_image(const Tensor& directions, int64_t images) {
  Tensor rows = directions.rank() == 1 ? directions.unsqueeze(0) : directions;
  std::vector<int64_t> index;
  for (int64_t n = 0; n < images; ++n) index.push_back(n % rows.size(0));
  return index_select(rows, 0, from_vector(index, {images}));
}

StimulusObjective channels_at(std::string layer, std::vector<int64_t> channels, Place place) {
  return {{layer}, [=](const Capture& seen, const Tensor&) {
            return pick(mean(vectors(seen[layer], place, layer), {1}), channels, layer);
          }};
}

StimulusObjective joined(const StimulusObjective& a, const StimulusObjective& b, double sign) {
  std::vector<std::string> layers = a.layers();
  for (auto& layer : b.layers()) {
    if (std::find(layers.begin(), layers.end(), layer) == layers.end()) layers.push_back(layer);
  }
  return {layers, [=](const Capture& seen, const Tensor& scores) {
            return a(seen, scores) + b(seen, scores) * sign;
          }};
}

}  // namespace

StimulusObjective operator+(const StimulusObjective& a, const StimulusObjective& b) {
  return joined(a, b, 1);
}
StimulusObjective operator-(const StimulusObjective& a, const StimulusObjective& b) {
  return joined(a, b, -1);
}
StimulusObjective operator*(double factor, const StimulusObjective& a) {
  return {a.layers(),
          [=](const Capture& seen, const Tensor& scores) { return a(seen, scores) * factor; }};
}

StimulusObjective unit(std::string layer, std::vector<int64_t> channels, Place place) {
  return channels_at(std::move(layer), std::move(channels), place);
}

StimulusObjective channel(std::string layer, std::vector<int64_t> channels) {
  return channels_at(std::move(layer), std::move(channels), Place::everywhere());
}

StimulusObjective direction(std::string layer, Tensor directions, double power, Place place) {
  return {{layer}, [=](const Capture& seen, const Tensor&) {
            Tensor a = vectors(seen[layer], place, layer);
            if (directions.rank() > 2 || directions.size(-1) != a.size(2)) {
              fail("direction", Caller{}, "directions {} do not fit '{}', which has {} channels",
                   describe(directions), layer, a.size(2));
            }
            Tensor v = for_each_image(directions.to(a.dtype()), a.size(0)).unsqueeze(1);
            Tensor along = sum(a * v, {2});
            if (power == 0) return mean(along, {1});
            Tensor cosine = along / (norm(a, {2}) * norm(v, {2}) + 1e-12);
            return mean(along * pow(maximum(cosine, scalar(0.1, a.dtype())), power), {1});
          }};
}

StimulusObjective class_score(std::vector<int64_t> classes) {
  return {{}, [=](const Capture&, const Tensor& scores) {
            if (scores.rank() != 2) {
              fail("class_score", Caller{}, "the model's scores are {}; expected [N, classes]",
                   describe(scores));
            }
            return pick(scores, classes, "the scores");
          }};
}

StimulusObjective energy(std::string layer) {
  return {{layer}, [=](const Capture& seen, const Tensor&) {
            Tensor a = seen[layer];
            return mean(square(a.reshape({a.size(0), -1})), {1});
          }};
}

StimulusObjective diversity(std::string layer, int64_t group) {
  return {{layer}, [=](const Capture& seen, const Tensor&) {
            Tensor a = vectors(seen[layer], Place::everywhere(), layer);
            int64_t n = a.size(0), size = group == 0 ? n : group;
            if (size < 2 || n % size != 0) {
              fail("diversity", Caller{},
                   "{} images do not make groups of {}, which must be at "
                   "least 2",
                   n, size);
            }
            Tensor gram = matmul(a.transpose(1, 2), a).reshape({n / size, size, -1});
            Tensor styles = gram / (norm(gram, {2}, true) + 1e-12);
            Tensor cosines = matmul(styles, styles.transpose(1, 2));  // [groups, size, size]
            Tensor others = 1.0 - eye(size, a.dtype());
            Tensor alike = sum(cosines * others, {2}) / static_cast<double>(size - 1);
            return 1.0 - alike.reshape({n});
          }};
}

Response response_of(Scores model, StimulusObjective objective) {
  return [model = std::move(model), objective = std::move(objective)](const Tensor& input) {
    // A Capture without names would keep every activation.
    bool scores_only = objective.layers().empty();
    Capture capture(scores_only ? std::vector<std::string>{""} : objective.layers());
    Tensor scores = model(input);
    return objective(capture, scores);
  };
}

}  // namespace strata::introspect
