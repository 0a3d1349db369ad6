#include "tools/draw/scale.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace strata::draw {
namespace {

const Font small{.size = 8, .colour = pale_ink};
constexpr double gap = 8, thickness = 9, tick = 3;

std::string with_minus(std::string text) {
  for (size_t at; (at = text.find('-')) != std::string::npos;) text.replace(at, 1, "−");
  return text;
}

std::vector<double> labelled(const Range& range) {
  return {range.low, (range.low + range.high) / 2, range.high};
}

std::string end_text(const Range& range, double value, bool saturates) {
  if (!saturates || (value != range.high && (value != range.low || range.low == 0))) {
    return number_text(value);
  }
  return (value == range.high ? "≥ " : "≤ ") + number_text(value);
}

}  // namespace

std::vector<double> round_ticks(double low, double high, int count) {
  if (!(high > low)) return {low};
  double rough = (high - low) / std::max(count, 1);
  double power = std::pow(10, std::floor(std::log10(rough)));
  double step = power * 10;
  for (double round : {1, 2, 5}) {
    if (round * power >= rough * 0.75) {
      step = round * power;
      break;
    }
  }
  std::vector<double> ticks;
  auto first = static_cast<int64_t>(std::ceil(low / step - 1e-9));
  auto last = static_cast<int64_t>(std::floor(high / step + 1e-9));
  for (int64_t i = first; i <= last; ++i) ticks.push_back(static_cast<double>(i) * step);
  return ticks;
}

std::vector<double> decade_ticks(double low, double high, int count) {
  auto first = static_cast<int>(std::ceil(std::log10(low) - 1e-9));
  auto last = static_cast<int>(std::floor(std::log10(high) + 1e-9));
  int step = std::max(1, (last - first) / std::max(count, 1) + 1);
  std::vector<double> ticks;
  for (int power = first; power <= last; power += step) ticks.push_back(std::pow(10, power));
  return ticks;
}

std::string tick_text(double value, double step) {
  if (std::abs(value) < step * 1e-6) return "0";
  if (step < 1e-4 || std::abs(value) >= 1e6) return number_text(value);
  int digits = std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9)));
  return with_minus(fmt::format("{:.{}f}", value, digits));
}

std::string number_text(double value) {
  std::string text = fmt::format("{:.3g}", value);
  if (size_t e = text.find('e'); e != std::string::npos) {
    int power = std::stoi(text.substr(e + 1));
    text = fmt::format("{}e{}", text.substr(0, e), power);
  }
  return with_minus(text);
}

double bar_width(const Range& range, const std::string& label) {
  double widest = 0;
  for (double value : labelled(range)) {
    widest = std::max(widest, text_width("≥ " + number_text(value), small));
  }
  return gap + thickness + tick + 2 + widest + (label.empty() ? 0 : 4 + line_height(small));
}

void draw_bar(Paper& paper, const Box& plot, const Range& range, const std::string& label,
              bool saturates) {
  Box bar{plot.right() + gap, plot.y, thickness, plot.height};
  Picture colours{static_cast<int64_t>(plot.height * pixels_per_point), 1, 3, {}};
  for (int64_t y = 0; y < colours.height; ++y) {
    double share = (static_cast<double>(y) + 0.5) / static_cast<double>(colours.height);
    for (uint8_t byte : bytes(colour_at(range.map(), 1 - share))) colours.pixels.push_back(byte);
  }
  paper.picture(bar, colours, false);
  paper.frame(bar, pale_ink, 0.4);
  auto place = [&](double value) {
    return bar.bottom() - (value - range.low) / (range.high - range.low) * bar.height;
  };
  for (double quarter : {0.25, 0.75}) {
    double y = place(std::lerp(range.low, range.high, quarter));
    paper.line({{bar.right(), y}, {bar.right() + tick / 2, y}}, pale_ink, 0.5);
  }
  double text_at = bar.right() + tick + 2;
  for (double value : labelled(range)) {
    double y = place(value);
    paper.line({{bar.right(), y}, {bar.right() + tick, y}}, pale_ink, 0.5);
    double baseline = std::clamp(y + small.size * 0.36, plot.y + small.size * 0.72, plot.bottom());
    paper.text({text_at, baseline}, end_text(range, value, saturates), small);
  }
  if (!label.empty()) {
    double x = plot.right() + bar_width(range, label) - 1;
    paper.text({x, plot.centre().y}, label, small, Align::centre, 90);
  }
}

}  // namespace strata::draw
