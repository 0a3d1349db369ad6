// strata embed, strata search, strata compare.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "engine/io/atomic_file.h"
#include "engine/io/npy.h"
#include "engine/ops.h"
#include "tools/commands/commands.h"
#include "tools/inspect/compare.h"
#include "tools/inspect/embedding.h"
#include "tools/inspect/embedding_page.h"
#include "tools/inspect/output.h"
#include "tools/report/report.h"
#include "tools/report/run_files.h"

namespace strata::commands {
namespace {

using inspect::Json;
namespace fs = std::filesystem;

struct EmbedOptions {
  inspect::Source source;
  inspect::EmbedOptions embed;
  std::string metric = "cosine", map = "t-sne";
  fs::path out, page;
};

introspect::Metric metric_of(const std::string& name) {
  if (name == "euclidean") return introspect::Metric::euclidean;
  if (name == "inner-product") return introspect::Metric::inner_product;
  return introspect::Metric::cosine;
}

// Beside the index: where its vectors came from, so that a picture can be embedded alike.
fs::path origin_of(const fs::path& index) { return index.string() + ".json"; }

// The same vectors as a map to look at.
void write_map(const inspect::Subject& subject, const EmbedOptions& o) {
  std::string command =
      fmt::format("strata embed {} --layer {} --split {} --metric {} --map {}",
                  o.source.checkpoint.string(), o.embed.layer, o.embed.split, o.metric, o.map);
  if (o.embed.count > 0) command += fmt::format(" --count {}", o.embed.count);
  command += fmt::format(" --out {} --page {}", o.out.string(), o.page.string());
  report::write_page(o.page, inspect::embedding_page(subject, {o.embed, o.map, command}));
  fmt::print("{}\n", o.page.string());
}

int embed(EmbedOptions o) {
  o.embed.index.metric = metric_of(o.metric);
  inspect::Subject subject = inspect::open_subject(o.source);
  if (o.embed.layer.empty()) o.embed.layer = inspect::embedding_layer(subject);
  auto index = inspect::embed_dataset(subject, o.embed);
  index.save(o.out.string());
  Json origin = {{"checkpoint", fs::absolute(o.source.checkpoint).string()},
                 {"layer", o.embed.layer},
                 {"split", o.embed.split},
                 {"metric", o.metric},
                 {"takes_sentences", inspect::takes_sentences(subject, o.embed.layer)}};
  io::write_file(origin_of(o.out).string(), origin.dump(2) + "\n");
  fmt::print("{} vectors of {} numbers ({} of {}, {}): {}\n", index.size(), index.dimensions(),
             o.embed.layer, subject.name, o.metric, o.out.string());
  if (!o.page.empty()) write_map(subject, o);
  return 0;
}

struct SearchOptions {
  fs::path index, out;
  std::string input, text, vector, where;
  int64_t item = -1, count = 8, width = 0;
};

// Whether a text is a sentence for the network, or else words of the metadata.
bool by_sentence(const Json& origin) { return origin.value("takes_sentences", false); }

// The query: a picture, a text, an item of the index, or a vector in a file.
Tensor query_of(const SearchOptions& o, const introspect::VectorIndex& index,
                const inspect::Subject* subject, const Json& origin) {
  if (!o.vector.empty()) return io::load_npy(o.vector).to(DType::f32);
  if (o.item >= 0) return index.vector(o.item);
  if (!o.text.empty() && by_sentence(origin)) {
    Tensor query = inspect::embed_sentence(*subject, o.text);
    fmt::print("nearest to the sentence '{}', by the text tower of {}\n", o.text, subject->name);
    return query;
  }
  if (!o.text.empty()) {
    auto query = inspect::query_by_text(index, o.text);
    fmt::print("nearest to the mean of {} items whose metadata say '{}'\n", query.items, o.text);
    return query.vector;
  }
  auto inputs = inspect::read_inputs(*subject, {o.input}, 1);
  return inspect::embed(*subject, origin.at("layer"), inputs.x).select(0, 0);
}

void draw_matches(const SearchOptions& o, const inspect::Subject& subject, const Json& origin,
                  const std::vector<introspect::Match>& matches) {
  const Dataset& data = inspect::split_of(subject, origin.at("split"));
  inspect::Answer answer;
  draw::Row row;
  if (!o.input.empty()) {
    auto inputs = inspect::read_inputs(subject, {o.input}, 1);
    row.panels.push_back({"query", draw::Image{draw::to_picture(inputs.pixels.select(0, 0))}});
  }
  for (auto& match : matches) {
    auto found = inspect::inputs_of(data, {match.id}, origin.at("split"));
    row.panels.push_back(
        {found.names[0], draw::Image{draw::to_picture(found.pixels.select(0, 0))},
         fmt::format("{}, {:.3f}", data.class_names[static_cast<size_t>(found.labels[0])],
                     match.distance)});
  }
  answer.figure.rows.push_back(row);
  answer.figure.panel_size = 110;
  answer.figure.title =
      fmt::format("Nearest by {}: {}", origin.at("layer").get<std::string>(), subject.name);
  draw::write_figure(o.out.string(), answer.figure);
}

int search(const SearchOptions& o) {
  if ((o.item >= 0) + !o.input.empty() + !o.text.empty() + !o.vector.empty() != 1) {
    throw std::runtime_error(
        "say what to search for: one of --input PICTURE, --text WORDS, --item ID, --vector "
        "FILE.npy");
  }
  auto index = introspect::VectorIndex::load(o.index.string());
  Json origin = Json::object();
  if (fs::exists(origin_of(o.index))) origin = report::read_json(origin_of(o.index));
  const bool sentence = !o.text.empty() && by_sentence(origin);
  if (sentence && index.options().metric != introspect::Metric::cosine)
    throw std::runtime_error(
        "a sentence and a picture are compared by their cosine, and this index measures otherwise; "
        "make it with `strata embed --metric cosine`");
  std::optional<inspect::Subject> subject;
  if (!o.input.empty() || !o.out.empty() || sentence) {
    origin = report::read_json(origin_of(o.index));
    subject.emplace(
        inspect::open_subject({origin.at("checkpoint").get<std::string>(), {}, {}, {}, {}}));
  }
  Tensor query = query_of(o, index, subject ? &*subject : nullptr, origin);
  introspect::VectorIndex::Filter filter;
  if (!o.where.empty()) filter = introspect::where(nlohmann::json::parse(o.where));
  auto matches = index.search(query, o.count, filter, o.width)[0];
  for (auto& match : matches) {
    fmt::print("{:>8} {:>9.4f}  {}\n", match.id, match.distance, index.metadata(match.id).dump());
  }
  if (!o.out.empty()) draw_matches(o, *subject, origin, matches);
  return 0;
}

struct CompareOptions {
  inspect::Source a, b;
  inspect::CompareOptions compare;
  fs::path out = "compare.png";
};

int compare(const CompareOptions& o) {
  auto a = inspect::open_subject(o.a), b = inspect::open_subject(o.b);
  auto answer = inspect::compare(a, b, o.compare);
  for (auto& line : answer.lines) fmt::print("{}\n", line);
  Json made = {{"command", fmt::format("strata compare {} {} --images {} --seed {} -o {}",
                                       o.a.checkpoint.string(), o.b.checkpoint.string(),
                                       o.compare.images, o.compare.seed, o.out.string())},
               {"a", a.name},
               {"b", b.name}};
  for (auto& file : inspect::write_answer(answer, made, o.out)) fmt::print("{}\n", file.string());
  return 0;
}

}  // namespace

void add_embed(CLI::App& app, Command& run) {
  auto o = std::make_shared<EmbedOptions>();
  auto* command =
      app.add_subcommand("embed", "Turn a data set into vectors of a layer, for `strata search`");
  command->add_option("CHECKPOINT", o->source.checkpoint, "Folder of a run")->required();
  command->add_option("--layer", o->embed.layer,
                      "A named activation; by default the last before the scores");
  command->add_option("--split", o->embed.split, "train, validation or test")
      ->capture_default_str();
  command->add_option("--count", o->embed.count, "Items at most")->check(CLI::PositiveNumber);
  command->add_option("--metric", o->metric, "How near is measured")
      ->capture_default_str()
      ->check(CLI::IsMember({"cosine", "euclidean", "inner-product"}));
  command->add_flag("--graph", o->embed.index.graph, "Index by HNSW, for many items");
  command->add_option("-o,--out", o->out, "File of the index")->required();
  command->add_option("--page", o->page, "HTML page to write: a map of the items to look at");
  command->add_option("--map", o->map, "How the page's map is made: pca takes no time")
      ->capture_default_str()
      ->check(CLI::IsMember({"t-sne", "pca"}));
  command->callback([o, &run] { run = [o] { return embed(*o); }; });
}

void add_search(CLI::App& app, Command& run) {
  auto o = std::make_shared<SearchOptions>();
  auto* command = app.add_subcommand("search", "Find the nearest items of an index (strata embed)");
  command->add_option("INDEX", o->index, "File that strata embed wrote")->required();
  command->add_option("--input", o->input, "A picture, or test:NUMBER");
  command->add_option(
      "--text", o->text,
      "Of a CLIP's images: a sentence, as 'a red disc above a cross'. Of others: words "
      "of the metadata, as 'scene 1', for the mean of the items that have them");
  command->add_option("--item", o->item, "An item of the index, by its id");
  command->add_option("--vector", o->vector, "A vector in an npy file");
  command->add_option("--count", o->count, "How many")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command->add_option("--where", o->where,
                      "Conditions on the metadata: '{\"label\": [\"scene 1\"]}'");
  command->add_option("--width", o->width, "Of the search in a graph: wider is more exact")
      ->check(CLI::PositiveNumber);
  command->add_option("-o,--out", o->out, "PNG of what was found");
  command->callback([o, &run] { run = [o] { return search(*o); }; });
}

void add_compare(CLI::App& app, Command& run) {
  auto o = std::make_shared<CompareOptions>();
  auto* command = app.add_subcommand("compare", "How alike the layers of two networks are");
  command->add_option("A", o->a.checkpoint, "Folder of a run")->required();
  command->add_option("B", o->b.checkpoint, "Folder of another run")->required();
  command->add_option("--images", o->compare.images, "Test images of A's data")
      ->capture_default_str()
      ->check(CLI::Range(10, 20000));
  command->add_option("--seed", o->compare.seed, "Of the null bands")->capture_default_str();
  command->add_option("-o,--out", o->out, "PNG to write; arrays (npy) and numbers (json) beside it")
      ->capture_default_str();
  command->callback([o, &run] { run = [o] { return compare(*o); }; });
}

}  // namespace strata::commands
