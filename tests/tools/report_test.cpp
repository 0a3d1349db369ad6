// The report: the contract read back from the page, nothing fetched from outside, hostile text,
// missing panels, writing.
#include "tools/report/report.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cctype>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/tools/sample_run.h"
#include "tools/report/contract.h"
#include "tools/report/page.h"
#include "tools/report/run_files.h"

namespace strata::report {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

// A folder of its own, removed at the end.
class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "strata-report-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw Error("cannot make a temporary folder");
    path = name;
  }
  ~Folder() { fs::remove_all(path); }
  fs::path path;
};

std::string read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

json sample_data(const SampleOptions& options = {}) {
  std::istringstream lines(sample_metrics(options));
  return {{"config", sample_config(options)},
          {"metrics", read_metrics(lines, "metrics.jsonl")},
          {"panels", sample_panels(options)}};
}

// What a browser hands to JSON.parse: the text up to the first "</script".
std::string embedded_text(const std::string& page) {
  const std::string open = "<script type=\"application/json\" id=\"run-data\">";
  const auto from = page.find(open) + open.size();
  return page.substr(from, page.find("</script", from) - from);
}

std::string message_of(const json& data) {
  try {
    render_page(data);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

void expect_mentions(const std::string& text, std::initializer_list<const char*> words) {
  for (const char* word : words)
    EXPECT_NE(text.find(word), text.npos) << "no \"" << word << "\" in: " << text;
}

TEST(Report, CarriesTheRunWhole) {
  const json data = sample_data();
  const json back = json::parse(embedded_text(render_page(data)));
  EXPECT_EQ(back, data);
}

TEST(Report, MetricsAreColumnsSortedByStepAndLaterLinesCount) {
  std::istringstream lines(
      "{\"kind\":\"train\",\"step\":20,\"loss\":0.5}\n"
      "{\"kind\":\"train\",\"step\":10,\"loss\":null}\n\n"
      "{\"kind\":\"train\",\"step\":20,\"loss\":0.25,\"accuracy\":0.75}\n"
      "{\"kind\":\"train\",\"step\":30,\"lo");
  const json metrics = read_metrics(lines, "metrics.jsonl");
  EXPECT_EQ(metrics["train"]["step"], json({10, 20}));
  EXPECT_EQ(metrics["train"]["loss"], json({nullptr, 0.25}));
  EXPECT_EQ(metrics["train"]["accuracy"], json({nullptr, 0.75}));
  EXPECT_EQ(metrics["dropped"], 1);
}

TEST(Report, NotANumberTravelsAsNull) {
  json data = sample_data();
  data["panels"]["similarity"]["matrix"][0][1] = std::nan("");
  const json back = json::parse(embedded_text(render_page(data)));
  EXPECT_TRUE(back["panels"]["similarity"]["matrix"][0][1].is_null());
}

TEST(Report, BrokenLineInTheMiddleNamesItsNumber) {
  std::istringstream lines(
      "{\"kind\":\"train\",\"step\":1}\n{broken\n{\"kind\":\"train\",\"step\":2}\n");
  try {
    read_metrics(lines, "metrics.jsonl");
    FAIL() << "a broken line was accepted";
  } catch (const Error& error) {
    expect_mentions(error.what(), {"metrics.jsonl line 2"});
  }
}

TEST(Report, AsksNothingOfANetwork) {
  const std::string page = render_page(sample_data());
  expect_mentions(page, {"default-src 'none'"});
  std::string ours;
  for (const PageFile& file : page_files()) {
    if (file.name == "d3.js")
      continue;  // d3 can fetch when asked to; nobody asks, and the policy forbids it
    ours += file.text;
    // Spaces, quotes and case do not hide a load: src = "HTTP://... reads src=http://...
    std::string bare;
    for (const char letter : file.text) {
      if (!std::strchr(" \t\n\"'`", letter)) bare += static_cast<char>(std::tolower(letter));
    }
    for (const char* load :
         {"src=http", "src=//", "href=http", "href=//", "action=", "srcset=", "poster=", "@import",
          "url(http", "url(//", "rel=stylesheet", "rel=preload", "import("}) {
      EXPECT_EQ(bare.find(load), bare.npos) << load << " in " << file.name;
    }
    const std::string_view text = file.text;
    for (const char* word :
         {"fetch(", "XMLHttpRequest", "WebSocket", "sendBeacon", "importScripts", "innerHTML",
          "document.write", "eval(", ".html(", "d3.json", "d3.csv", "d3.text"}) {
      EXPECT_EQ(text.find(word), text.npos) << word << " in " << file.name;
    }
  }
  expect_mentions(ours, {"Mike Bostock", "Redistributions in binary form"});
}

TEST(Report, ScriptsCannotBeEndedByTheirOwnText) {
  for (const PageFile& file : page_files()) {
    if (!file.name.ends_with(".js")) continue;
    EXPECT_EQ(file.text.find("</script"), file.text.npos) << file.name;
    EXPECT_EQ(file.text.find("<!--"), file.text.npos) << file.name;
  }
}

TEST(Report, HostileTextStaysText) {
  SampleOptions options;
  options.label = "</script><script>document.title='owned'</script>";
  options.first_value = "<!-- <img src=x onerror=alert(1)> & \"'{{scripts}}\xff";
  const json data = sample_data(options);
  const std::string page = render_page(data);
  const std::string inside = embedded_text(page);
  EXPECT_EQ(inside.find('<'), inside.npos);
  EXPECT_EQ(page.find("<script>document.title"), page.npos);
  EXPECT_EQ(page.find("<img src=x"), page.npos);
  const json back = json::parse(inside);
  EXPECT_EQ(back["config"]["factors"].back()["title"], options.label);
  // The byte that is not UTF-8 becomes U+FFFD; the template's own {{places}} are not searched in
  // data.
  expect_mentions(back["config"]["factors"].back()["values"][0].get<std::string>(),
                  {"{{scripts}}", "\xEF\xBF\xBD"});
}

TEST(Report, EveryPanelMayBeMissing) {
  const json data = sample_data();
  for (const auto& panel : data["panels"].items()) {
    if (panel.key() == "sprites") continue;
    json less = data;
    less["panels"].erase(panel.key());
    EXPECT_NO_THROW(render_page(less)) << panel.key();
  }
  json bare = data;
  bare["panels"] = json::object();
  bare["metrics"] = {{"dropped", 0}};
  EXPECT_NO_THROW(render_page(bare));
}

TEST(Report, ContradictionsNameTheirPlace) {
  const json data = sample_data();
  json wrong = data;
  wrong["panels"]["units"][1]["units"][2]["patches"][3]["tile"] = 100000;
  expect_mentions(message_of(wrong),
                  {"/units/1/units/2/patches/3/tile", "100000", "\"images\" has 400 tiles"});

  wrong = data;
  wrong["panels"]["embedding"]["maps"][2]["x"].erase(0);
  expect_mentions(message_of(wrong), {"/embedding/maps/2/x", "399", "400"});

  wrong = data;
  wrong["panels"]["embedding"]["maps"][6]["frames"][4]["y"].erase(7);
  expect_mentions(message_of(wrong), {"/embedding/maps/6/frames/4/y", "399", "400"});

  wrong = data;
  wrong["panels"]["embedding"]["maps"][6]["frames"][4].erase("step");
  expect_mentions(message_of(wrong), {"/embedding/maps/6/frames/4", "\"step\" is missing"});

  wrong = data;
  wrong["panels"]["similarity"]["frames"][1]["matrix"][2].erase(0);
  expect_mentions(message_of(wrong), {"/similarity/frames/1/matrix/2", "5", "6"});

  wrong = data;
  wrong["panels"]["attributions"][0]["maps"][1]["sprite"] = "nowhere";
  expect_mentions(message_of(wrong), {"/attributions/0/maps/1/tile", "\"nowhere\"", "/sprites"});

  wrong = data;
  wrong["panels"]["units"][0]["layer"] = "conv99";
  expect_mentions(message_of(wrong), {"/units/0/layer", "conv99", "config.json"});

  wrong = data;
  wrong["panels"]["units"][0]["units"][1]["frames"][2]["tiles"][3] = 400;
  expect_mentions(message_of(wrong), {"/units/0/units/1/frames/2/tiles/3", "400 tiles"});

  wrong = data;
  wrong["panels"]["units"][0]["units"][1]["frames"][2]["random"].erase(0);
  expect_mentions(message_of(wrong), {"/units/0/units/1/frames/2/random", "8", "9"});

  wrong = data;
  wrong["panels"]["units"][2]["units"][1]["ablation"]["classes"].erase(0);
  expect_mentions(message_of(wrong), {"/units/2/units/1/ablation/classes", "3", "4"});

  wrong = data;
  wrong["panels"]["units"][2]["ablation"]["random"][1].erase("unit");
  expect_mentions(message_of(wrong), {"/units/2/ablation/random/1", "\"unit\""});

  wrong = data;
  wrong["panels"]["units"][2].erase("ablation");
  expect_mentions(message_of(wrong), {"/units/2", "\"ablation\" is missing"});

  wrong = data;
  wrong["panels"]["units"][3]["units"][0]["concept"]["best"][1].erase("iou");
  expect_mentions(message_of(wrong), {"/units/3/units/0/concept/best/1", "\"iou\""});

  wrong = data;
  wrong["panels"]["sprites"]["images"]["factors"]["hue"].erase(0);
  expect_mentions(message_of(wrong), {"/sprites/images/factors/hue", "399", "400"});

  wrong = data;
  wrong["panels"]["sprites"]["images"]["image"] = "https://example.org/cat.png";
  expect_mentions(message_of(wrong), {"/sprites/images/image", "data URI"});

  wrong = data;
  wrong["metrics"]["probe"]["control"][0] = "imagined";
  expect_mentions(message_of(wrong), {"metrics.jsonl", "imagined", "untrained"});

  wrong = data;
  wrong["config"]["factors"][0]["is_label"] = true;
  expect_mentions(message_of(wrong), {"is_label", "exactly one"});

  wrong = data;
  wrong["config"]["model"]["layers"] = json::array();
  expect_mentions(message_of(wrong), {"names no layer"});
}

TEST(Report, WrongTypesAreErrorsNotCrashes) {
  const json data = sample_data();
  for (const auto& panel : data["panels"].items()) {
    for (const json& value :
         {json(7), json("text"), json::array({1, 2}), json::object({{"a", 1}})}) {
      json wrong = data;
      wrong["panels"][panel.key()] = value;
      try {
        render_page(wrong);  // free text such as cost may pass
      } catch (const Error&) {
      }
    }
  }
}

TEST(Report, WritesTheFolderOfARun) {
  Folder folder;
  write_sample_run(folder.path);
  const fs::path page = write_report(folder.path);
  EXPECT_EQ(page, folder.path / "report.html");
  EXPECT_EQ(json::parse(embedded_text(read(page))), sample_data());
  for (const auto& entry : fs::directory_iterator(folder.path)) {
    EXPECT_NE(entry.path().extension(), ".partial");
  }
}

TEST(Report, WorksWithoutPanelsAndWithClassesOnly) {
  Folder folder;
  SampleOptions options;
  options.classes_only = true;
  write_sample_run(folder.path, options);
  fs::remove(folder.path / "report.json");
  const json back = json::parse(embedded_text(read(write_report(folder.path))));
  EXPECT_EQ(back["panels"], json::object());
  EXPECT_EQ(back["config"]["factors"].size(), 1u);
}

TEST(Report, AbsentFolderIsAClearError) {
  Folder folder;
  try {
    write_report(folder.path / "nowhere");
    FAIL() << "an absent folder was accepted";
  } catch (const Error& error) {
    expect_mentions(error.what(), {"nowhere", "config.json"});
  }
}

TEST(Report, AFullDiskLeavesTheOldPage) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  Folder folder;
  write_sample_run(folder.path);
  std::ofstream(folder.path / "report.html") << "the old page";
  // The file that is written aside leads to a device that is always full.
  fs::create_symlink("/dev/full", folder.path / "report.html.partial");
  try {
    write_report(folder.path);
    FAIL() << "a full disk went unnoticed";
  } catch (const Error& error) {
    expect_mentions(error.what(), {"report.html", "No space left", "untouched"});
  }
  EXPECT_EQ(read(folder.path / "report.html"), "the old page");
  EXPECT_FALSE(fs::exists(fs::symlink_status(folder.path / "report.html.partial")));
}

}  // namespace
}  // namespace strata::report
