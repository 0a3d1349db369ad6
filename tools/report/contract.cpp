#include "tools/report/contract.h"

#include <set>
#include <string>

#include "tools/report/contract_senses.h"
#include "tools/report/packed.h"

namespace strata::report {
namespace {

using nlohmann::json;

const json kEmptyObject = json::object();
const json kEmptyArray = json::array();

// Walks the panels with the place at hand; every complaint names it.
class Checker {
 public:
  Checker(const json& data, Caller at) : config_(data.at("config")), at_(at) {
    read_config();
    panels_ = data.contains("panels") ? &data["panels"] : &kEmptyObject;
  }

  void run() {
    if (!panels_->is_object()) bad("", "must be an object");
    sprites();
    similarity();
    filters();
    units();
    attributions();
    embedding();
    check_senses(*panels_, at_);
  }

  void metrics(const json& metrics) const {
    if (!metrics.contains("probe")) return;
    const json& probe = metrics["probe"];
    for (const char* key : {"layer", "factor", "control", "accuracy"}) {
      if (!probe.contains(key)) fail("report", at_, "metrics.jsonl: probe lines lack \"{}\"", key);
    }
    static const std::set<std::string> kControls{"trained", "untrained", "pixels", "shuffled"};
    for (std::size_t i = 0; i < probe["step"].size(); ++i) {
      const std::string place = "metrics.jsonl, probe at step " + probe["step"][i].dump();
      known(layers_, probe["layer"][i], place, "a layer of config.json or \"pixels\"");
      known(factors_, probe["factor"][i], place, "a factor of config.json");
      known(kControls, probe["control"][i], place, "trained, untrained, pixels or shuffled");
    }
  }

 private:
  void read_config() {
    if (!config_.is_object()) fail("report", at_, "config.json must hold an object");
    const json model = config_.value("model", kEmptyObject);
    const json layers = model.value("layers", kEmptyArray);
    for (const json& layer : layers) {
      layers_.insert(layer.value("name", ""));
    }
    if (layers_.empty()) {
      fail("report", at_,
           "config.json names no layer: model.layers must list {{\"name\": ...}} in order");
    }
    layers_.insert("pixels");
    int labels = 0;
    const json factors = config_.value("factors", kEmptyArray);
    for (const json& factor : factors) {
      if (!factor.contains("name") || !factor.contains("chance")) {
        fail("report", at_, "config.json: the factor {} needs a name and a chance", factor.dump());
      }
      factors_.insert(factor["name"]);
      labels += factor.value("is_label", false);
    }
    if (labels != 1 && !factors.empty()) {
      fail("report", at_, "config.json: {} factors have is_label true, expected exactly one",
           labels);
    }
  }

  [[noreturn]] void bad(const std::string& place, const std::string& what) const {
    fail("report", at_, "report.json {}: {}", place.empty() ? "/" : place, what);
  }

  const json& panel(const char* name, const json& empty) const {
    const auto found = panels_->find(name);
    if (found == panels_->end() || found->is_null()) return empty;
    if (found->type() != empty.type()) bad(std::string("/") + name, "has the wrong type");
    return *found;
  }

  const json& need(const json& object, const char* key, const std::string& place) const {
    if (!object.is_object() || !object.contains(key)) {
      bad(place, std::string("the member \"") + key + "\" is missing");
    }
    return object[key];
  }

  void known(const std::set<std::string>& names, const json& name, const std::string& place,
             const char* expected) const {
    if (!name.is_string() || !names.contains(name.get<std::string>())) {
      fail("report", at_, "{}: {} is unknown, expected {}", place, name.dump(), expected);
    }
  }

  void layer(const json& object, const std::string& place) const {
    known(layers_, need(object, "layer", place), "report.json " + place + "/layer",
          "a layer of config.json or \"pixels\"");
  }

  void tile(const json& sprite, const json& index, const std::string& place) const {
    const json& all = panel("sprites", kEmptyObject);
    if (!sprite.is_string() || !all.contains(sprite.get<std::string>())) {
      bad(place, "the sprite " + sprite.dump() + " is not in /sprites");
    }
    const auto count = all[sprite.get<std::string>()]["count"].get<std::size_t>();
    if (!index.is_number_integer() || index.get<std::int64_t>() < 0 ||
        index.get<std::size_t>() >= count) {
      bad(place, "is " + index.dump() + " but the sprite " + sprite.dump() + " has " +
                     std::to_string(count) + " tiles, counted from 0");
    }
  }

  void tiles(const json& object, std::size_t count, const std::string& place) const {
    const json& first = need(object, "first", place);
    tile(need(object, "sprite", place), first, place + "/first");
    if (count) tile(object["sprite"], first.get<std::size_t>() + count - 1, place + "/count");
  }

  // Of a list; a packed one counts by what is in it.
  void length(const json& list, std::size_t count, const std::string& place) const {
    const int64_t entries = packed_count(list);
    if (entries != static_cast<int64_t>(count)) {
      bad(place, "has " + (entries < 0 ? "no" : std::to_string(entries)) + " entries, expected " +
                     std::to_string(count));
    }
  }

  // One PNG, or JPEG pictures of `each` tiles.
  void pictures(const json& sprite, const std::string& place) const {
    const bool many = sprite.contains("images");
    const json& images = many ? sprite["images"] : json::array({need(sprite, "image", place)});
    const std::string member = place + (many ? "/images" : "/image");
    if (!images.is_array()) bad(member, "must be a list of data URIs");
    for (const json& image : images) {
      if (!image.is_string() || !image.get_ref<const std::string&>().starts_with(
                                    many ? "data:image/jpeg;base64," : "data:image/png;base64,")) {
        bad(member, std::string("must be a ") + (many ? "JPEG" : "PNG") +
                        " data URI: a report may not point outside itself");
      }
    }
    if (!many) return;
    const auto each = need(sprite, "each", place).get<std::size_t>();
    const auto count = need(sprite, "count", place).get<std::size_t>();
    if (each == 0) bad(place + "/each", "must be a whole number from 1");
    length(images, (count + each - 1) / each, member);
  }

  void sprites() const {
    for (const auto& [name, sprite] : panel("sprites", kEmptyObject).items()) {
      const std::string place = "/sprites/" + name;
      pictures(sprite, place);
      length(need(sprite, "tile", place), 2, place + "/tile");
      for (const char* key : {"columns", "count"}) {
        const json& value = need(sprite, key, place);
        if (!value.is_number_integer() || value.get<std::int64_t>() < 1) {
          bad(place + "/" + key, "must be a whole number from 1");
        }
      }
      const json factors = sprite.value("factors", kEmptyObject);
      for (const auto& [factor, column] : factors.items()) {
        known(factors_, factor, "report.json " + place + "/factors", "a factor of config.json");
        length(column, sprite["count"].get<std::size_t>(), place + "/factors/" + factor);
      }
    }
  }

  void matrix(const json& rows, std::size_t count, const std::string& place) const {
    length(rows, count, place);
    for (std::size_t i = 0; i < count; ++i) length(rows[i], count, place + "/" + std::to_string(i));
  }

  void similarity() const {
    const json& similarity = panel("similarity", kEmptyObject);
    if (similarity.empty()) return;
    const std::size_t count = need(similarity, "layers", "/similarity").size();
    matrix(need(similarity, "matrix", "/similarity"), count, "/similarity/matrix");
    if (similarity.contains("untrained")) {
      matrix(similarity["untrained"], count, "/similarity/untrained");
    }
    const json frames = similarity.value("frames", kEmptyArray);
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const std::string place = "/similarity/frames/" + std::to_string(i);
      need(frames[i], "step", place);
      matrix(need(frames[i], "matrix", place), count, place + "/matrix");
    }
  }

  void filters() const {
    const json& filters = panel("filters", kEmptyObject);
    if (filters.empty()) return;
    const auto count = need(filters, "count", "/filters").get<std::size_t>();
    tiles(filters, count, "/filters");
    if (filters.contains("untrained")) tiles(filters["untrained"], count, "/filters/untrained");
    const json frames = filters.value("frames", kEmptyArray);
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const std::string place = "/filters/frames/" + std::to_string(i);
      need(frames[i], "step", place);
      tiles(frames[i], count, place);
    }
  }

  void patches(const json& unit, const char* key, const std::string& place) const {
    if (!unit.contains(key)) return;
    for (std::size_t i = 0; i < unit[key].size(); ++i) {
      const std::string here = place + "/" + key + "/" + std::to_string(i);
      tile(need(unit[key][i], "sprite", here), need(unit[key][i], "tile", here), here + "/tile");
    }
  }

  // The best patches of a unit at each step, and what it answered then to the random ones.
  void unit_frames(const json& unit, const std::string& place) const {
    const json frames = unit.value("frames", kEmptyArray);
    for (std::size_t f = 0; f < frames.size(); ++f) {
      const std::string here = place + "/frames/" + std::to_string(f);
      need(frames[f], "step", here);
      const json& tiles = need(frames[f], "tiles", here);
      for (std::size_t i = 0; i < tiles.size(); ++i) {
        tile(need(frames[f], "sprite", here), tiles[i], here + "/tiles/" + std::to_string(i));
      }
      length(need(frames[f], "activations", here), tiles.size(), here + "/activations");
      length(need(frames[f], "random", here), unit.value("random", kEmptyArray).size(),
             here + "/random");
    }
  }

  void concept_scores(const json& unit, const std::string& place) const {
    if (!unit.contains("concept")) return;
    const std::string here = place + "/concept";
    const json& best = need(unit["concept"], "best", here);
    for (std::size_t i = 0; i < best.size(); ++i) {
      for (const char* key : {"name", "iou"})
        need(best[i], key, here + "/best/" + std::to_string(i));
    }
  }

  // Without a unit: as many classes as the whole network was scored on.
  void answers(const json& object, const json& intact, const std::string& place) const {
    need(object, "accuracy", place);
    length(need(object, "classes", place), need(intact, "classes", "/units").size(),
           place + "/classes");
  }
  void ablations(const json& entry, const std::string& place) const {
    const json& units = entry["units"];
    for (std::size_t u = 0; u < units.size(); ++u) {
      if (!units[u].contains("ablation")) continue;
      const std::string here = place + "/units/" + std::to_string(u) + "/ablation";
      answers(units[u]["ablation"], need(entry, "ablation", place), here);
    }
    if (!entry.contains("ablation")) return;
    const json random = entry["ablation"].value("random", kEmptyArray);
    for (std::size_t r = 0; r < random.size(); ++r) {
      const std::string here = place + "/ablation/random/" + std::to_string(r);
      need(random[r], "unit", here);
      answers(random[r], entry["ablation"], here);
    }
  }

  void units() const {
    const json& layers = panel("units", kEmptyArray);
    for (std::size_t l = 0; l < layers.size(); ++l) {
      const std::string place = "/units/" + std::to_string(l);
      layer(layers[l], place);
      const json& list = need(layers[l], "units", place);
      for (std::size_t u = 0; u < list.size(); ++u) {
        const std::string here = place + "/units/" + std::to_string(u);
        need(list[u], "unit", here);
        patches(list[u], "patches", here);
        patches(list[u], "random", here);
        unit_frames(list[u], here);
        concept_scores(list[u], here);
        if (list[u].contains("optimal")) {
          const json& best = list[u]["optimal"];
          tile(need(best, "sprite", here + "/optimal"), need(best, "tile", here + "/optimal"),
               here + "/optimal/tile");
        }
      }
      ablations(layers[l], place);
    }
  }

  void attributions() const {
    const json& images = panel("attributions", kEmptyArray);
    for (std::size_t i = 0; i < images.size(); ++i) {
      const std::string place = "/attributions/" + std::to_string(i);
      tile(need(images[i], "sprite", place), need(images[i], "tile", place), place + "/tile");
      const json& maps = need(images[i], "maps", place);
      for (std::size_t m = 0; m < maps.size(); ++m) {
        const std::string here = place + "/maps/" + std::to_string(m);
        need(maps[m], "method", here);
        tile(need(maps[m], "sprite", here), need(maps[m], "tile", here), here + "/tile");
        if (maps[m].contains("untrained")) {
          tile(maps[m]["sprite"], maps[m]["untrained"], here + "/untrained");
        }
      }
    }
  }

  void points(const json& map, std::size_t count, const std::string& place) const {
    for (const char* axis : {"x", "y"}) length(need(map, axis, place), count, place + "/" + axis);
  }

  // A list of lists, or all of them in one packed list: then each point has as many.
  void neighbours(const json& list, std::size_t count, const std::string& place) const {
    if (list.is_array()) return length(list, count, place + "/neighbours");
    const int64_t entries = packed_count(list);
    if (entries < 1 || count == 0 || entries % static_cast<int64_t>(count) != 0) {
      bad(place + "/neighbours", "has " + std::to_string(entries) +
                                     " entries, expected as many for each of the " +
                                     std::to_string(count) + " points");
    }
  }

  void embedding() const {
    const json& embedding = panel("embedding", kEmptyObject);
    if (embedding.empty()) return;
    const auto count = need(embedding, "count", "/embedding").get<std::size_t>();
    if (embedding.contains("sprite")) tiles(embedding, count, "/embedding");
    const json factors = embedding.value("factors", kEmptyObject);
    for (const auto& [factor, column] : factors.items()) {
      known(factors_, factor, "report.json /embedding/factors", "a factor of config.json");
      length(column, count, "/embedding/factors/" + factor);
    }
    const json& maps = need(embedding, "maps", "/embedding");
    for (std::size_t i = 0; i < maps.size(); ++i) {
      const std::string place = "/embedding/maps/" + std::to_string(i);
      layer(maps[i], place);
      points(maps[i], count, place);
      if (maps[i].contains("untrained")) points(maps[i]["untrained"], count, place + "/untrained");
      const json frames = maps[i].value("frames", kEmptyArray);
      for (std::size_t f = 0; f < frames.size(); ++f) {
        need(frames[f], "step", place + "/frames/" + std::to_string(f));
        points(frames[f], count, place + "/frames/" + std::to_string(f));
      }
      if (maps[i].contains("neighbours")) neighbours(maps[i]["neighbours"], count, place);
    }
  }

  const json& config_;
  const json* panels_ = nullptr;
  Caller at_;
  std::set<std::string> layers_, factors_;
};

}  // namespace

void check_contract(const json& data, Caller at) {
  try {
    Checker checker(data, at);
    if (data.contains("metrics")) checker.metrics(data["metrics"]);
    checker.run();
  } catch (const json::exception& error) {  // a value of another type than the contract's
    fail("report", at, "the run's data does not follow the contract: {}", error.what());
  }
}

}  // namespace strata::report
