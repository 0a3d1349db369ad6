#include "tools/events/event_file.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "tools/events/message.h"

namespace strata::events {
namespace {

// Field numbers of event.proto and summary.proto.
namespace event {
enum { wall_time = 1, step = 2, file_version = 3, summary = 5 };
}
namespace summary {
enum { value = 1 };
}
namespace value {
enum { tag = 1, simple_value = 2, image = 4, histogram = 5 };
}
namespace image {
enum { height = 1, width = 2, channels = 3, png = 4 };
}
namespace histogram_proto {
enum { least = 1, greatest = 2, count = 3, sum = 4, squares = 5, upper = 6, inside = 7 };
}

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

Histogram histogram_of(std::span<const float> values, size_t cells) {
  Histogram h;
  h.least = std::numeric_limits<double>::infinity();
  h.greatest = -h.least;
  for (double v : values) {
    if (!std::isfinite(v)) continue;
    h.least = std::min(h.least, v);
    h.greatest = std::max(h.greatest, v);
    h.sum += v;
    h.squares += v * v;
    ++h.count;
  }
  if (h.count == 0) return {};
  const double width = (h.greatest - h.least) / static_cast<double>(cells);
  if (width == 0) {
    h.upper = {h.greatest};
    h.inside = {h.count};
    return h;
  }
  h.inside.assign(cells, 0);
  for (double v : values) {
    if (!std::isfinite(v)) continue;
    const auto cell = static_cast<size_t>((v - h.least) / width);
    ++h.inside[std::min(cell, cells - 1)];
  }
  for (size_t i = 1; i < cells; ++i) h.upper.push_back(h.least + width * static_cast<double>(i));
  h.upper.push_back(h.greatest);
  return h;
}

EventFile::EventFile(const std::filesystem::path& file, int64_t keep, Caller at)
    : file_(file, keep, at) {
  if (keep == 0) write(0, event::file_version, "brain.Event:2");
}

void EventFile::write(int64_t step, int field, const std::string& bytes) {
  Message message;
  message.real(event::wall_time, now()).integer(event::step, step).bytes(field, bytes);
  file_.write(message.text());
}

void EventFile::scalars(int64_t step, const std::vector<std::pair<std::string, double>>& values) {
  Message all;
  for (auto& [tag, number] : values) {
    Message one;
    one.bytes(value::tag, tag).real32(value::simple_value, static_cast<float>(number));
    all.message(summary::value, one);
  }
  if (!values.empty()) write(step, event::summary, all.text());
}

void EventFile::picture(const std::string& tag, int64_t step, const Picture& p) {
  const auto png = encode_png(p);
  Message picture, one, all;
  picture.integer(image::height, p.height)
      .integer(image::width, p.width)
      .integer(image::channels, p.channels)
      .bytes(image::png, {reinterpret_cast<const char*>(png.data()), png.size()});
  one.bytes(value::tag, tag).message(value::image, picture);
  write(step, event::summary, all.message(summary::value, one).text());
}

void EventFile::histogram(const std::string& tag, int64_t step, std::span<const float> values) {
  const Histogram h = histogram_of(values);
  if (h.count == 0) return;
  Message cells, one, all;
  cells.real(histogram_proto::least, h.least)
      .real(histogram_proto::greatest, h.greatest)
      .real(histogram_proto::count, h.count)
      .real(histogram_proto::sum, h.sum)
      .real(histogram_proto::squares, h.squares)
      .reals(histogram_proto::upper, h.upper)
      .reals(histogram_proto::inside, h.inside);
  one.bytes(value::tag, tag).message(value::histogram, cells);
  write(step, event::summary, all.message(summary::value, one).text());
}

}  // namespace strata::events
