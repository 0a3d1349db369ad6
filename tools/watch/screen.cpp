#include "tools/watch/screen.h"

#include <fmt/format.h>

#include <algorithm>

#include "tools/study/progress.h"

namespace strata::watch {
namespace {

using study::human_duration;
using Lines = std::vector<std::string>;

constexpr double suspicious_quiet = 120;  // seconds without a line

std::string progress_line(const RunState& run, const Look& look) {
  std::string text;
  if (run.total()) {
    const double share =
        std::min(1.0, static_cast<double>(run.step()) / static_cast<double>(*run.total()));
    const int width = 20, full = static_cast<int>(share * width);
    for (int i = 0; i < width; ++i)
      text += i < full ? (look.ascii ? "#" : "█") : (look.ascii ? "." : "░");
    text += fmt::format(" {:3.0f} %  step {} of {}", 100 * share, run.step(), *run.total());
  } else {
    text = fmt::format("step {}", run.step());
  }
  if (auto rate = run.rate()) text += fmt::format("  {:.3g} steps/s", *rate);
  text += "  " + human_duration(run.seconds());
  if (run.phase() == Phase::training && run.seconds_left())
    text += fmt::format("  {} left", human_duration(*run.seconds_left()));
  return text;
}

Lines plot(const std::string& name, const std::vector<Series>& series, const RunState& run,
           const Look& look, int width, int height) {
  std::string heading = "  " + name + ":";
  for (const Series& s : series) {
    const char* sign = s.marks ? (look.ascii ? "o" : "●") : (look.ascii ? "*" : "⠤⠒");
    heading += fmt::format("  {} {}", sign, s.name);
    if (!s.points.empty()) heading += fmt::format(" {:.4g}", s.points.back().second);
  }
  PlotOptions options{.width = width, .height = height - 1, .ascii = look.ascii};
  options.from_zero = name == "accuracy";
  if (run.total()) options.x_end = static_cast<double>(*run.total());
  Lines lines{fitted(heading, width)};
  for (std::string& line : line_plot(series, options)) lines.push_back(std::move(line));
  return lines;
}

// Side by side where two fit, one below the other else.
Lines plots(const RunState& run, const Look& look, int height) {
  const auto& curves = run.curves();
  const bool beside = look.width >= 80 && curves.size() > 1;
  const int width = beside ? look.width / 2 : look.width;
  Lines lines;
  for (size_t i = 0; i < curves.size(); i += beside ? 2 : 1) {
    Lines left = plot(curves[i].first, curves[i].second, run, look, width, height);
    if (beside && i + 1 < curves.size()) {
      const Lines right = plot(curves[i + 1].first, curves[i + 1].second, run, look, width, height);
      for (size_t k = 0; k < left.size(); ++k) left[k] += right[k];
    }
    lines.insert(lines.end(), left.begin(), left.end());
  }
  return lines;
}

using Names = std::vector<std::string>;

int column_width(const std::string& name) { return std::max(6, columns_of(name) + 2); }

int widest(const Names& names) {
  int width = 6;
  for (const std::string& name : names) width = std::max(width, columns_of(name));
  return width;
}

// How many of the columns fit beside the names of the rows.
size_t fitting(const Names& rows, const Names& columns, int width) {
  int used = 2 + widest(rows);
  size_t count = 0;
  while (count < columns.size() && (used += column_width(columns[count])) <= width) ++count;
  return count;
}

// Layers are rows, or columns where the factors do not fit beside each other and they do.
Lines probe_table(const RunState& run, const Look& look) {
  const Names &layers = run.layers(), &factors = run.factors();
  const bool turned = fitting(layers, factors, look.width) < factors.size() &&
                      fitting(factors, layers, look.width) == layers.size();
  const Names &rows = turned ? factors : layers, &columns = turned ? layers : factors;
  const size_t shown = fitting(rows, columns, look.width);
  std::string heading =
      fmt::format("  Read from each layer by a linear probe at step {}, %", run.probe_step());
  if (shown < columns.size())
    heading += fmt::format(" ({} more in a wider window)", columns.size() - shown);
  std::string names = "  " + fitted("", widest(rows));
  for (size_t i = 0; i < shown; ++i)
    names += fmt::format("{:>{}}", columns[i], column_width(columns[i]));
  Lines lines{heading, names};
  for (const std::string& row : rows) {
    std::string text = "  " + fitted(row, widest(rows));
    for (size_t i = 0; i < shown; ++i) {
      const auto accuracy = turned ? run.probe(columns[i], row) : run.probe(row, columns[i]);
      text += fmt::format("{:>{}}", accuracy ? fmt::format("{:.1f}", 100 * *accuracy) : "-",
                          column_width(columns[i]));
    }
    lines.push_back(text);
  }
  return lines;
}

Lines table(const RunState& run, const Look& look) {
  if (run.has_probes()) return probe_table(run, look);
  Lines lines;
  for (auto& [name, value] : run.scores()) lines.push_back(fmt::format("  {}: {}", name, value));
  return lines;
}

}  // namespace

std::string state_of(const RunState& run) {
  if (run.phase() == Phase::ended) return "ended";
  if (const double quiet = run.quiet_seconds(); quiet > suspicious_quiet)
    return fmt::format("no line for {} (stopped?)", human_duration(quiet));
  return run.phase() == Phase::training ? "training" : "trained; its results are being made";
}

Lines screen(const RunState& run, const Look& look) {
  Lines lines{fmt::format("{}: {}", run.title(), state_of(run)), progress_line(run, look), ""};
  const Lines rows = table(run, look);
  const auto height = static_cast<size_t>(look.height);
  // The table has its place first; the plots share what is left, between 6 and 14 lines each.
  const auto& curves = run.curves();
  const bool beside = look.width >= 80 && curves.size() > 1;
  const int plot_rows =
      static_cast<int>(std::max<size_t>(1, beside ? (curves.size() + 1) / 2 : curves.size()));
  int plot_height = 12;
  if (height > 0) {
    const int room = look.height - static_cast<int>(lines.size() + rows.size() + 1);
    plot_height = std::clamp(room / plot_rows, 6, 14);
  }
  for (std::string& line : plots(run, look, plot_height)) lines.push_back(std::move(line));
  if (!rows.empty()) lines.push_back("");
  lines.insert(lines.end(), rows.begin(), rows.end());
  if (height > 0 && lines.size() > height) {
    const size_t hidden = lines.size() - height + 1;
    lines.resize(height - 1);
    lines.push_back(fmt::format("  {} more lines in a taller window", hidden));
  }
  for (std::string& line : lines) {
    if (columns_of(line) > look.width) line = fitted(line, look.width);
    line.erase(line.find_last_not_of(' ') + 1);
  }
  return lines;
}

}  // namespace strata::watch
