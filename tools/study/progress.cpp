#include "tools/study/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace strata::study {

using Clock = std::chrono::steady_clock;

std::string human_duration(double seconds) {
  auto s = static_cast<int64_t>(seconds + 0.5);
  if (s >= 3600) return fmt::format("{} h {:02} min", s / 3600, s % 3600 / 60);
  if (s >= 60) return fmt::format("{} min {:02} s", s / 60, s % 60);
  return fmt::format("{} s", s);
}

Progress::Progress(std::string task, int64_t total, std::string unit)
    : task_(std::move(task)),
      unit_(std::move(unit)),
      total_(total),
      terminal_(isatty(STDERR_FILENO) != 0),
      start_(Clock::now()),
      drawn_(start_) {}

double Progress::seconds() const {
  return std::chrono::duration<double>(Clock::now() - start_).count();
}

std::string Progress::line(int64_t done, const std::string& note) const {
  double elapsed = seconds(), rate = elapsed > 0 ? static_cast<double>(done) / elapsed : 0;
  double left = rate > 0 ? static_cast<double>(total_ - done) / rate : 0;
  double share = total_ > 0 ? static_cast<double>(done) / static_cast<double>(total_) : 1;
  std::string text =
      fmt::format("{:<9} {:3.0f} %  {}/{} {}", task_, 100 * share, done, total_, unit_);
  if (rate > 0) text += fmt::format("  {:.{}f} {}/s", rate, rate < 10 ? 1 : 0, unit_);
  if (done < total_ && rate > 0) text += fmt::format("  {} left", human_duration(left));
  if (!note.empty()) text += "  " + note;
  return text;
}

void Progress::update(int64_t done, const std::string& note) {
  last_done_ = done;
  auto now = Clock::now();
  double pause = std::chrono::duration<double>(now - drawn_).count();
  if (terminal_) {
    if (pause < 0.1) return;
    fmt::print(stderr, "\r\033[K{}", line(done, note));
    std::fflush(stderr);
  } else {
    if (pause < 30) return;
    fmt::print(stderr, "{}\n", line(done, note));
  }
  drawn_ = now;
}

void Progress::finish(const std::string& note) {
  std::string text =
      fmt::format("{:<9} {} in {}", task_, note.empty() ? "done" : note, human_duration(seconds()));
  fmt::print(stderr, "{}{}\n", terminal_ ? "\r\033[K" : "", text);
  std::fflush(stderr);
}

}  // namespace strata::study
