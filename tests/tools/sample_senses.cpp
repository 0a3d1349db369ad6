#include "tests/tools/sample_senses.h"

#include <cmath>
#include <random>
#include <vector>

#include "engine/data/wav.h"
#include "tools/report/packed.h"
#include "tools/report/png_encode.h"
#include "tools/report/sprite_sheet.h"

namespace strata::report {
namespace {

using nlohmann::json;

constexpr int64_t kClasses = 10, kHues = 8, kNeighbours = 8;

json factor(const char* name, int64_t values, bool label) {
  json names = json::array();
  for (int64_t i = 0; i < values; ++i) names.push_back(std::string(name) + " " + std::to_string(i));
  return {{"name", name},
          {"values", names},
          {"chance", 1.0 / static_cast<double>(values)},
          {"is_label", label}};
}

// A disc of a hue on a ground of the class: enough to tell one from another.
std::vector<float> thumbnail(int64_t label, int64_t hue, int size, std::mt19937& random) {
  std::uniform_real_distribution<float> uniform(0, 1);
  const float cx = static_cast<float>(size) * (0.3f + 0.4f * uniform(random)), ground = 0.08f;
  std::vector<float> pixels;
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      const float r = std::hypot(static_cast<float>(x) - cx, static_cast<float>(y - size / 2));
      for (int c = 0; c < 3; ++c) {
        const float phase = 6.2832f * (static_cast<float>(hue) / kHues - static_cast<float>(c) / 3);
        pixels.push_back(r < static_cast<float>(size) / 3.5f
                             ? 0.55f + 0.42f * std::cos(phase)
                             : ground * static_cast<float>(label) + 0.1f * uniform(random));
      }
    }
  }
  return pixels;
}

}  // namespace

json sample_map(int points) {
  constexpr int size = 16;
  std::mt19937 random(3);
  std::normal_distribution<float> normal(0, 1);
  SpriteSheet sheet(size, size, 3);
  std::vector<int64_t> label, hue, neighbours;
  std::vector<float> x, y, control_x, control_y;
  for (int i = 0; i < points; ++i) {
    label.push_back(static_cast<int64_t>(random() % kClasses));
    hue.push_back(static_cast<int64_t>(random() % kHues));
    sheet.add(thumbnail(label.back(), hue.back(), size, random));
    const float angle = 6.2832f * static_cast<float>(label.back()) / kClasses;
    x.push_back(60 * std::cos(angle) + 9 * normal(random));
    y.push_back(60 * std::sin(angle) + 9 * normal(random));
    control_x.push_back(30 * normal(random));
    control_y.push_back(30 * normal(random));
    for (int64_t k = 1; k <= kNeighbours; ++k) neighbours.push_back((i + kClasses * k) % points);
  }
  const json map = {{"layer", "conv6"},
                    {"x", pack(x)},
                    {"y", pack(y)},
                    {"neighbours", pack(neighbours)},
                    {"untrained", {{"x", pack(control_x)}, {"y", pack(control_y)}}}};
  return {{"config",
           {{"title", "Synthetic map, made by the tests and not by a network"},
            {"model", {{"name", "none"}, {"layers", {{{"name", "conv6"}}}}}},
            {"factors", {factor("class", kClasses, true), factor("hue", kHues, false)}}}},
          {"metrics", json::object()},
          {"panels",
           {{"summary",
             {{"question", "What does a map of many points look like?"},
              {"answer", "These points were invented to test this page."},
              {"picture", "embedding"}}},
            {"embedding",
             {{"method", "invented"},
              {"items", "invented images"},
              {"count", points},
              {"sprite", "thumbnails"},
              {"first", 0},
              {"factors", {{"class", pack(label)}, {"hue", pack(hue)}}},
              {"maps", {map}}}},
            {"sprites", {{"thumbnails", sheet.to_json_pieces()}}}}}};
}

namespace {

json tokens() {
  const std::string text = "The quick brown fox\njumps over the lazy dog & sleeps <b>well</b>.";
  json letters = json::array(), loss = json::array(), untrained = json::array();
  json top = json::array();
  for (size_t i = 0; i < text.size(); ++i) {
    letters.push_back(std::string(1, text[i]));
    const double cost = i == 0 ? 0 : 0.2 + 0.4 * static_cast<double>(i * 7 % 9);
    loss.push_back(i == 0 ? json() : json(cost));
    untrained.push_back(i == 0 ? json() : json(4.1 + 0.01 * static_cast<double>(i % 5)));
    top.push_back(i == 0
                      ? json()
                      : json::array({json::array({"e", 0.5}), json::array({" ", 0.25}),
                                     json::array({std::string(1, text[i]), std::exp(-cost) / 4})}));
  }
  return {{"unit", "character"},
          {"given", "each given those before it"},
          {"uniform", std::log(65.0)},
          {"texts",
           {{{"title", "invented"},
             {"tokens", letters},
             {"loss", loss},
             {"untrained", untrained},
             {"top", top}}}}};
}

// Each row looks back: at itself, the token before, or all alike.
std::vector<float> pattern(int64_t heads, int64_t tokens, bool trained) {
  std::vector<float> shares;
  for (int64_t h = 0; h < heads; ++h) {
    for (int64_t q = 0; q < tokens; ++q) {
      for (int64_t k = 0; k < tokens; ++k) {
        const float even = k <= q ? 1.0f / static_cast<float>(q + 1) : 0.0f;
        const float sharp = k == std::max<int64_t>(0, q - h) ? 1.0f : 0.0f;
        shares.push_back(trained ? 0.8f * sharp + 0.2f * even : even);
      }
    }
  }
  return shares;
}

json attention() {
  const json words = {"the", "king", "near", "the", "castles", "walks", "."};
  json layers = json::array();
  for (int64_t l = 0; l < 2; ++l)
    layers.push_back({{"layer", "blocks." + std::to_string(l) + ".attention"},
                      {"heads", 3 + l},
                      {"pattern", pack(pattern(3 + l, 7, true))},
                      {"untrained", pack(pattern(3 + l, 7, false))}});
  return {{"unit", "word"}, {"causal", true}, {"tokens", words}, {"layers", layers}};
}

// A rising tone, and pictures that rise with it.
json audio(SpriteSheet& sheet) {
  constexpr int bands = 24, frames = 31, rate = 8000, samples = 4800;
  std::vector<float> sound;
  for (int t = 0; t < samples; ++t) {
    const float s = static_cast<float>(t) / rate;
    sound.push_back(0.3f * std::sin(6.2832f * (300 * s + 600 * s * s)));
  }
  const auto picture = [&](float width, float slope) {
    std::vector<float> map;
    for (int y = 0; y < bands; ++y)
      for (int x = 0; x < frames; ++x)
        map.push_back(std::exp(-std::pow(
            (static_cast<float>(bands - 1 - y) - 4 - slope * static_cast<float>(x)) / width,
            2.0f)));
    return sheet.add(map);
  };
  json frequencies = json::array(), sounds = json::array();
  for (int b = 0; b < bands; ++b) frequencies.push_back(60 + 160 * b);
  for (const char* word : {"rise", "fall"}) {
    const auto heard = picture(3, 0.4f), map = picture(2, 0.4f), control = picture(9, 0.0f);
    sounds.push_back(
        {{"title", std::string("invented sound: ") + word},
         {"wav", "data:audio/wav;base64," + base64_encode(wav_bytes(sound, rate))},
         {"seconds", static_cast<double>(samples) / rate},
         {"label", word},
         {"predicted", "rise"},
         {"untrained_predicted", "fall"},
         {"confidence", 0.9},
         {"spectrogram", {{"sprite", "spectra"}, {"tile", heard}, {"low", -12}, {"high", 3}}},
         {"maps",
          {{{"method", "Saliency"},
            {"sprite", "spectra"},
            {"tile", map},
            {"low", 0},
            {"high", 0.5},
            {"untrained", control},
            {"untrained_high", 0.1}}}},
         {"activity",
          {{"layer", "blocks.1"},
           {"values", {0.2, 0.9, 1.4, 0.3}},
           {"untrained", {0.5, 0.5, 0.6, 0.5}}}}});
  }
  return {{"frequencies", frequencies}, {"sounds", sounds}};
}

// Three rings joined in a row.
json graphs() {
  constexpr int64_t rings = 3, size = 12, nodes = rings * size;
  std::vector<int64_t> edges, ring, guess;
  std::vector<float> embedding, noise;
  for (int64_t i = 0; i < nodes; ++i) {
    const int64_t first = i / size * size;
    edges.insert(edges.end(), {i, first + (i + 1 - first) % size});
    if (i == first && i) edges.insert(edges.end(), {i, i - 1});
    ring.push_back(i / size);
    guess.push_back(i % rings);
    embedding.push_back(static_cast<float>(i / size) + 0.01f * static_cast<float>(i));
    noise.push_back(static_cast<float>(i * 7 % 11));
  }
  const json names = {"left", "middle", "right"};
  return json::array(
      {{{"title", "invented rings"},
        {"nodes", nodes},
        {"edges", pack(edges)},
        {"columns",
         {{{"name", "ring"}, {"values", names}, {"data", ring}},
          {{"name", "prediction"},
           {"truth", "ring"},
           {"values", names},
           {"data", pack(ring)},
           {"untrained", pack(guess)}},
          {{"name", "embedding"}, {"data", pack(embedding)}, {"untrained", pack(noise)}}}}}});
}

}  // namespace

json sample_senses() {
  SpriteSheet spectra(24, 31, 1, "map");
  json panels = {{"tokens", tokens()},
                 {"attention", attention()},
                 {"audio", audio(spectra)},
                 {"graphs", graphs()}};
  panels["sprites"] = {{"spectra", spectra.to_json()}};
  return panels;
}

}  // namespace strata::report
