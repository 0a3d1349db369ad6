#include "tools/report/contract_senses.h"

#include <string>

#include "tools/report/packed.h"

namespace strata::report {
namespace {

using nlohmann::json;

// A value of report.json with its place, which every complaint names.
class Place {
 public:
  Place(const json& value, std::string path, const json& panels, Caller at)
      : value_(value), path_(std::move(path)), panels_(panels), at_(at) {}

  [[noreturn]] void bad(const std::string& what) const {
    fail("report", at_, "report.json {}: {}", path_, what);
  }
  bool has(const char* key) const {
    return value_.is_object() && value_.contains(key) && !value_[key].is_null();
  }
  Place operator[](const char* key) const {
    if (!has(key)) bad(fmt::format("the member \"{}\" is missing", key));
    return {value_[key], fmt::format("{}/{}", path_, key), panels_, at_};
  }
  template <class F>
  void each(F&& f) const {
    if (!value_.is_array()) bad("must be a list");
    for (size_t i = 0; i < value_.size(); ++i)
      f(Place(value_[i], fmt::format("{}/{}", path_, i), panels_, at_));
  }
  bool is_null() const { return value_.is_null(); }
  void text() const {
    if (!value_.is_string()) bad("must be text");
  }
  int64_t whole() const {
    if (!value_.is_number_integer() || value_.get<int64_t>() < 1)
      bad("must be a whole number from 1");
    return value_.get<int64_t>();
  }
  // Of a list or a packed list.
  int64_t count() const {
    const int64_t entries = packed_count(value_);
    if (entries < 0) bad("must be a list, or numbers packed in base64");
    return entries;
  }
  void length(int64_t expected) const {
    if (count() != expected) bad(fmt::format("has {} entries, expected {}", count(), expected));
  }
  void length_where_given(const char* key, int64_t expected) const {
    if (has(key)) (*this)[key].length(expected);
  }
  // Every number of the list is one of 0 .. count - 1.
  void below(int64_t limit) const {
    for (const double number : unpack(value_, at_))
      if (!(number >= 0 && number < static_cast<double>(limit)))
        bad(fmt::format("holds {}, expected numbers from 0 to {}", number, limit - 1));
  }
  void starts_with(const char* start, const char* what) const {
    text();
    if (!value_.get_ref<const std::string&>().starts_with(start)) bad(what);
  }
  // The tile `value_[key]` of the sheet `value_["sprite"]`.
  void tile(const char* key) const {
    const Place index = (*this)[key];
    const json& sprite = (*this)["sprite"].value_;
    const json none = json::object();
    const json& sheets = panels_.contains("sprites") ? panels_["sprites"] : none;
    if (!sprite.is_string() || !sheets.contains(sprite.get<std::string>()))
      index.bad(fmt::format("the sprite {} is not in /sprites", sprite.dump()));
    const auto tiles = sheets[sprite.get<std::string>()].at("count").get<int64_t>();
    if (!index.value_.is_number_integer() || index.value_.get<int64_t>() < 0 ||
        index.value_.get<int64_t>() >= tiles)
      index.bad(fmt::format("is {} but the sprite {} has {} tiles, counted from 0",
                            index.value_.dump(), sprite.dump(), tiles));
  }

 private:
  const json& value_;
  std::string path_;
  const json& panels_;
  Caller at_;
};

void tokens(const Place& panel) {
  panel["texts"].each([](const Place& text) {
    const int64_t count = text["tokens"].count();
    text["tokens"].each([](const Place& token) { token.text(); });
    text["loss"].length(count);
    text.length_where_given("untrained", count);
    if (!text.has("top")) return;
    text["top"].length(count);
    text["top"].each([](const Place& best) {
      if (!best.is_null()) best.each([](const Place& guess) { guess.length(2); });
    });
  });
}

void attention(const Place& panel) {
  const int64_t count = panel["tokens"].count();
  panel["layers"].each([&](const Place& layer) {
    layer["layer"].text();
    const int64_t entries = layer["heads"].whole() * count * count;
    layer["pattern"].length(entries);
    layer.length_where_given("untrained", entries);
  });
}

void audio(const Place& panel) {
  panel["sounds"].each([](const Place& sound) {
    sound["title"].text();
    sound["wav"].starts_with("data:audio/wav;base64,",
                             "must be a WAV data URI: a report may not point outside itself");
    sound["seconds"];
    sound["spectrogram"].tile("tile");
    if (sound.has("activity")) {
      sound["activity"]["layer"].text();
      sound["activity"].length_where_given("untrained", sound["activity"]["values"].count());
    }
    sound["maps"].each([](const Place& map) {
      map["method"].text();
      map.tile("tile");
      if (map.has("untrained")) map.tile("untrained");
    });
  });
}

void graphs(const Place& panel) {
  panel.each([](const Place& graph) {
    const int64_t nodes = graph["nodes"].whole();
    if (graph["edges"].count() % 2 != 0) graph["edges"].bad("must hold two nodes for each edge");
    graph["edges"].below(nodes);
    for (const char* key : {"x", "y", "names"}) graph.length_where_given(key, nodes);
    graph["columns"].each([&](const Place& column) {
      column["name"].text();
      for (const char* key : {"data", "untrained"}) {
        if (key == std::string("untrained") && !column.has(key)) continue;
        column[key].length(nodes);
        if (column.has("values")) column[key].below(column["values"].count());
      }
    });
  });
}

}  // namespace

void check_senses(const json& panels, Caller at) {
  const auto check = [&](const char* name, void (*rules)(const Place&)) {
    const auto found = panels.find(name);
    if (found == panels.end() || found->is_null()) return;
    rules(Place(*found, fmt::format("/{}", name), panels, at));
  };
  check("tokens", tokens);
  check("attention", attention);
  check("audio", audio);
  check("graphs", graphs);
}

}  // namespace strata::report
