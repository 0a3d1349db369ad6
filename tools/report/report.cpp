#include "tools/report/report.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string_view>

#include "tools/report/contract.h"
#include "tools/report/page.h"
#include "tools/report/run_files.h"

namespace strata::report {
namespace {

using nlohmann::json;

// JSON inside <script>: "</script>" and "<!--" cannot occur once '<' is an escape. Bytes that are
// not UTF-8 become U+FFFD.
std::string json_for_script(const json& data) {
  const std::string text = data.dump(-1, ' ', false, json::error_handler_t::replace);
  std::string out;
  out.reserve(text.size() + text.size() / 64);
  for (const char letter : text) {
    if (letter == '<') {
      out += "\\u003c";
    } else {
      out += letter;
    }
  }
  return out;
}

std::string styles() {
  std::string out;
  for (const PageFile& file : page_files()) {
    if (file.name.ends_with(".css")) out.append("<style>\n").append(file.text).append("</style>\n");
  }
  return out;
}

std::string scripts() {
  std::string out;
  for (const PageFile& file : page_files()) {
    if (!file.name.ends_with(".js")) continue;
    out.append("<script>\n").append(file.text).append("\n</script>\n");
  }
  return out;
}

// Fills the {{names}} of the template, in order, in one pass: inserted text is never searched
// again.
std::string fill_template(std::string_view page, const json& data, Caller at) {
  std::string out;
  for (std::size_t from = 0;;) {
    const std::size_t open = page.find("{{", from);
    if (open == page.npos) return out.append(page.substr(from));
    const std::size_t close = page.find("}}", open);
    const std::string_view name = page.substr(open + 2, close - open - 2);
    out.append(page.substr(from, open - from));
    if (name == "styles") {
      out += styles();
    } else if (name == "scripts") {
      out += scripts();
    } else if (name == "data") {
      out += json_for_script(data);
    } else if (name == "d3_version") {
      out += page_file("d3.version");
    } else {
      fail("report", at, "the page template has an unknown place {{{{{}}}}}", name);
    }
    from = close + 2;
  }
}

// Writes beside the target and renames, so that a reader sees the old page or the new one, never
// half of one.
void write_aside(const std::filesystem::path& file, const std::string& text, Caller at) {
  std::filesystem::path aside = file;
  aside += ".partial";
  const int out = ::open(aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (out < 0) {
    fail("report", at, "cannot write {}: {}. Does the folder exist, and may you write there?",
         aside.string(), std::strerror(errno));
  }
  int error = 0;
  for (std::size_t done = 0; done < text.size() && !error;) {
    const ssize_t wrote = ::write(out, text.data() + done, text.size() - done);
    if (wrote > 0) {
      done += static_cast<std::size_t>(wrote);
    } else if (wrote < 0 && errno != EINTR) {
      error = errno;
    }
  }
  if (!error && ::fsync(out) < 0 && errno != EINVAL) error = errno;
  if (::close(out) < 0 && !error) error = errno;
  if (!error && ::rename(aside.c_str(), file.c_str()) < 0) error = errno;
  if (error) {
    ::unlink(aside.c_str());
    fail("report", at, "cannot write {} ({} bytes): {}. An older report, if any, is untouched",
         file.string(), text.size(), std::strerror(error));
  }
}

}  // namespace

std::string_view page_file(std::string_view name) {
  for (const PageFile& file : page_files()) {
    if (file.name == name) return file.text;
  }
  fail("report", Caller::here(), "the page has no file {}", name);
}

std::string render_page(const json& data, Caller at) {
  check_contract(data, at);
  return fill_template(page_file("index.html"), data, at);
}

void write_page(const std::filesystem::path& file, const json& data, Caller at) {
  write_aside(file, render_page(data, at), at);
}

std::filesystem::path write_report(const std::filesystem::path& run, const json& panels,
                                   Caller at) {
  const std::filesystem::path metrics = run / "metrics.jsonl";
  json data;
  data["config"] = read_json(run / "config.json", at);
  std::ifstream lines(metrics, std::ios::binary);
  if (!lines) fail("report", at, "cannot read {}: the run has logged nothing", metrics.string());
  data["metrics"] = read_metrics(lines, metrics.string(), at);
  data["panels"] = panels;
  const std::filesystem::path page = run / "report.html";
  write_page(page, data, at);
  return page;
}

std::filesystem::path write_report(const std::filesystem::path& run, Caller at) {
  const std::filesystem::path panels = run / "report.json";
  return write_report(run, std::filesystem::exists(panels) ? read_json(panels, at) : json::object(),
                      at);
}

}  // namespace strata::report
