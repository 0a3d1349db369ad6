#include "tools/inspect/gallery.h"

#include <algorithm>
#include <chrono>

#include "engine/io/atomic_file.h"
#include "tools/inspect/output.h"

namespace strata::inspect {
namespace {

std::string escaped(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

constexpr const char* head = R"(<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --ink: #222; --paper: #fff; --faint: #666; --line: #ddd; }}
@media (prefers-color-scheme: dark) {{ :root {{ --ink: #ddd; --paper: #16181c; --faint: #999; --line: #333; }} }}
body {{ font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }}
nav a {{ margin-right: .8rem; white-space: nowrap; }}
section {{ border-top: 1px solid var(--line); padding: 1rem 0; }}
h3 {{ margin: 0; }}
img {{ max-width: 100%; background: #fff; border-radius: 4px; }}
code {{ font-size: .85rem; color: var(--faint); }}
p {{ margin: .3rem 0; }}
.failed {{ color: var(--faint); font-style: italic; }}
</style>
<h1>{title}</h1>
)";

struct Shown {
  const Method* method;
  std::string picture, command, lines, failure;
  double seconds = 0;
};

Shown run_one(const Method& method, const Request& request, const std::string& checkpoint,
              const GalleryOptions& options) {
  std::string file = method.name + ".png";
  std::string inputs;
  for (auto& input : options.inputs) inputs += fmt::format(" --input \"{}\"", input);
  Shown shown{&method,
              file,
              fmt::format("strata inspect {} --method {}{} --seed {} -o {}", checkpoint,
                          method.name, inputs, options.seed, file),
              "",
              "",
              0};
  auto start = std::chrono::steady_clock::now();
  try {
    Answer answer = run_method(method, request);
    write_answer(answer,
                 {{"method", method.name}, {"paper", method.paper}, {"command", shown.command}},
                 options.out / file);
    if (answer.figure.rows.empty()) shown.picture = "";
    for (auto& line : answer.lines) shown.lines += line + "\n";
  } catch (const Error& error) {
    shown.failure = error.what();
  }
  shown.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return shown;
}

std::string section(const Shown& s) {
  const Method& m = *s.method;
  std::string html = fmt::format("<section id=\"{}\"><h3>{}</h3><p>{}. <i>{}.</i></p>\n", m.name,
                                 escaped(m.name), escaped(m.about), escaped(m.paper));
  if (!s.failure.empty())
    return html + fmt::format("<p class=\"failed\">{}</p></section>\n", escaped(s.failure));
  if (!s.lines.empty()) html += fmt::format("<pre>{}</pre>\n", escaped(s.lines));
  if (!s.picture.empty()) {
    html += fmt::format("<a href=\"{0}\"><img loading=\"lazy\" src=\"{0}\" alt=\"{1}\"></a>\n",
                        escaped(s.picture), escaped(m.about));
  }
  return html + fmt::format(
                    "<p><code>{}</code> <small>{:.1f} s; <a "
                    "href=\"{}.json\">numbers</a></small></p></section>\n",
                    escaped(s.command), s.seconds, escaped(m.name));
}

}  // namespace

std::filesystem::path write_gallery(const Subject& subject, const std::string& checkpoint,
                                    const GalleryOptions& options) {
  std::error_code error;
  std::filesystem::create_directories(options.out, error);
  if (error)
    fail("gallery", Caller{}, "cannot make the folder {}: {}", options.out.string(),
         error.message());
  Request request{subject, read_inputs(subject, options.inputs, options.count)};
  request.seed = options.seed;
  std::vector<const Method*> chosen;
  for (auto& method : methods()) {
    bool left_out =
        std::find(options.skip.begin(), options.skip.end(), method.name) != options.skip.end();
    bool applies = method.reads == Reads::anything ||
                   (method.reads == Reads::images) == subject.reads_images();
    if (applies && !left_out) chosen.push_back(&method);
  }
  std::string nav, body, group;
  for (size_t i = 0; i < chosen.size(); ++i) {
    const Method& method = *chosen[i];
    if (options.progress) options.progress(method.name, i, chosen.size());
    if (method.group != group) {
      group = method.group;
      body += fmt::format("<h2>{}</h2>\n", escaped(group));
      nav += fmt::format("{}<b>{}</b> ", nav.empty() ? "" : "<br>", escaped(group));
    }
    nav += fmt::format("<a href=\"#{0}\">{0}</a> ", escaped(method.name));
    body += section(run_one(method, request, checkpoint, options));
  }
  std::string title = fmt::format("Every method on {}", subject.name);
  std::string page = fmt::format(fmt::runtime(head), fmt::arg("title", escaped(title)));
  page += fmt::format("<nav>{}</nav>\n{}</html>\n", nav, body);
  auto file = options.out / "index.html";
  io::write_file(file.string(), page);
  return file;
}

}  // namespace strata::inspect
