// The pages of experiments: plain HTML with pictures inside, readable without scripts, in light and
// dark, and on paper.
#include <fmt/format.h>

#include <cmath>

#include "tools/experiments/runner.h"
#include "tools/report/png_encode.h"

namespace strata::experiments {
namespace {

constexpr const char* style = R"(
:root { color-scheme: light dark; --ink: #1d2129; --paper: #fff; --faint: #5b6472; --line: #d9dde3; --good: #18794e; --part: #8a6100; --bad: #b42318; }
@media (prefers-color-scheme: dark) { :root { --ink: #dfe3ea; --paper: #14171c; --faint: #9aa4b2; --line: #333a45; --good: #4cc38a; --part: #e2b339; --bad: #ff8b7e; } }
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
h1 { line-height: 1.2; margin-bottom: .3rem; } h2 { margin-top: 2.2rem; }
.verdict { font-weight: 600; } .good { color: var(--good); } .part { color: var(--part); } .bad { color: var(--bad); }
.answer { font-size: 1.2rem; } .faint, figcaption { color: var(--faint); }
figure { margin: 1.5rem 0; } img { max-width: 100%; background: #fff; border-radius: 4px; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; } th, td { text-align: left; vertical-align: top; padding: .35rem .7rem .35rem 0; border-bottom: 1px solid var(--line); }
td.number { white-space: nowrap; font-variant-numeric: tabular-nums; }
code { font-size: .88rem; overflow-wrap: anywhere; } a { color: inherit; }
.wide { overflow-x: auto; }
@media print { body { max-width: none; } figure, tr { break-inside: avoid; } }
)";

std::string escaped(const std::string& text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string number(double value) {
  if (!std::isfinite(value)) return "-";
  const double size = std::abs(value);
  if (size != 0 && (size >= 1e5 || size < 1e-3)) return fmt::format("{:.2e}", value);
  if (size >= 100) return fmt::format("{:.0f}", value);
  return fmt::format("{:.3g}", value);
}

std::string page(const std::string& title, const std::string& body) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width\">\n<title>{}</title><style>{}</style></head>\n<body>\n{}</"
      "body></html>\n",
      escaped(title), style, body);
}

std::string verdict(const Run& run) {
  const Verdict v = run.result.verdict;
  return fmt::format("<span class=\"verdict {}\">{}</span>",
                     v == Verdict::supported ? "good"
                     : v == Verdict::in_part ? "part"
                                             : "bad",
                     name_of(v));
}

std::string picture_data(const draw::Figure& figure) {
  const strata::Picture p = draw::render(figure);
  return report::png_data_uri(p.pixels, static_cast<size_t>(p.height), static_cast<size_t>(p.width),
                              static_cast<size_t>(p.channels));
}

std::string pictures(const Run& run, size_t from, size_t to) {
  std::string html;
  for (size_t i = from; i < std::min(to, run.result.pictures.size()); ++i) {
    const NamedFigure& p = run.result.pictures[i];
    html += fmt::format(
        "<figure id=\"{0}\"><img alt=\"{1}\" src=\"{2}\"><figcaption>{1}</figcaption></figure>\n",
        escaped(p.name), escaped(p.caption), picture_data(p.figure));
  }
  return html;
}

std::string measures(const Run& run) {
  std::string html =
      "<div class=\"wide\"><table><thead><tr><th>measure<th>mean over seeds, 95 % "
      "interval<th>threshold, fixed "
      "beforehand<th>met<th>published<th>each seed</tr></thead><tbody>\n";
  for (const Measure& m : run.result.measures) {
    std::string value = "-", each;
    if (!m.per_seed.empty()) {
      const Interval interval = bootstrap_mean(m.per_seed);
      value = fmt::format("{} [{}, {}] {}", number(mean(m.per_seed)), number(interval.low),
                          number(interval.high), escaped(m.unit));
      for (double v : m.per_seed) each += (each.empty() ? "" : ", ") + number(v);
    }
    if (m.effect) value += fmt::format("<br>effect {}", number(*m.effect));
    if (m.p) value += fmt::format(", p {}", number(*m.p));
    html += fmt::format(
        "<tr><td><b>{}</b><br><span class=\"faint\">{}</span><td class=\"number\">{}<td>{}<td "
        "class=\"{}\">{}<td>{}"
        "<td class=\"faint\">{}</tr>\n",
        escaped(m.name), escaped(m.definition), value, escaped(m.threshold),
        m.passed ? "good" : "bad", m.decisive ? (m.passed ? "yes" : "no") : "",
        escaped(m.published), each);
  }
  return html + "</tbody></table></div>\n";
}

std::string controls(const Run& run) {
  std::string html =
      "<div class=\"wide\"><table><thead><tr><th>what would have faked it<th>how it is "
      "excluded<th>what the control "
      "gave<th>holds</tr></thead><tbody>\n";
  for (const Control& c : run.result.controls)
    html += fmt::format("<tr><td>{}<td>{}<td>{}<td class=\"{}\">{}</tr>\n", escaped(c.fake),
                        escaped(c.excluded), escaped(c.measured), c.passed ? "good" : "bad",
                        c.passed ? "yes" : "no");
  return html + "</tbody></table></div>\n";
}

}  // namespace

std::string render_report(const Run& run) {
  const Experiment& e = *run.experiment;
  std::string body = fmt::format("<p class=\"faint\">Experiment E{}: {}</p>\n<h1>{}</h1>\n",
                                 e.number, escaped(e.name), escaped(e.question));
  body += fmt::format("<p class=\"answer\">{}: {}</p>\n", verdict(run), escaped(run.result.answer));
  body += pictures(run, 0, 1);
  body += fmt::format("<p><b>The claim.</b> {}</p>\n<p><b>The verdict.</b> {}: {}.</p>\n",
                      escaped(e.claim), verdict(run), escaped(run.result.why));
  body += "<h2>Numbers</h2>\n" + measures(run);
  if (run.result.pictures.size() > 1)
    body += "<h2>Pictures</h2>\n" + pictures(run, 1, run.result.pictures.size());
  body += "<h2>How it could have been faked</h2>\n" + controls(run);
  body += fmt::format(
      "<h2>Protocol</h2>\n<p>{}</p>\n<p>Intervals are bootstrap intervals of the mean over seeds "
      "(10,000 resamples).</p>\n<ul>\n",
      escaped(e.protocol));
  for (const std::string& source : e.sources) body += fmt::format("<li>{}</li>\n", escaped(source));
  body += fmt::format(
      "</ul>\n<h2>Again</h2>\n<p><code>{}</code></p>\n<p class=\"faint\">Seeds {} to {}; {:.0f} s "
      "and {:.0f} MiB at "
      "the peak on this machine.</p>\n",
      escaped(run.command), run.seeds.front(), run.seeds.back(), run.seconds, run.memory_mib);
  return page(e.question, body);
}

std::string render_index(const std::vector<Run>& runs) {
  std::string body =
      "<h1>Claims of representation learning, tested</h1>\n<p>Each claim was run on "
      "several seeds with its "
      "controls; the thresholds of a verdict stand in the source and were fixed beforehand.</p>\n"
      "<div class=\"wide\"><table><thead><tr><th>E<th>question<th>verdict<th>what was "
      "found<th>seeds<th>minutes"
      "</tr></thead><tbody>\n";
  for (const Run& run : runs)
    body += fmt::format(
        "<tr><td>{}<td><a href=\"{}/report.html\">{}</a><td>{}<td>{}<td class=\"number\">{}<td "
        "class=\"number\">{:.1f}</tr>\n",
        run.experiment->number, escaped(run.folder.filename().string()),
        escaped(run.experiment->question), verdict(run), escaped(run.result.answer),
        run.seeds.size(), run.seconds / 60);
  return page("Claims, tested", body + "</tbody></table></div>\n");
}

}  // namespace strata::experiments
