// One line of progress on a terminal: what is being done, how far, at which rate, how long still.
// When the output is not a terminal it stays quiet but for a line now and then, so that logs stay
// short.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace strata::study {

class Progress {
 public:
  Progress(std::string task, int64_t total, std::string unit);
  // Redraws at most ten times a second. `note`: what to show beside it ("loss 0.31").
  void update(int64_t done, const std::string& note = "");
  // Leaves the line as it is and ends it.
  void finish(const std::string& note = "");
  // Seconds since the start.
  double seconds() const;

 private:
  std::string line(int64_t done, const std::string& note) const;

  std::string task_, unit_;
  int64_t total_, last_done_ = 0;
  bool terminal_;
  std::chrono::steady_clock::time_point start_, drawn_;
};

// "1 h 02 min", "3 min 20 s", "41 s".
std::string human_duration(double seconds);

}  // namespace strata::study
