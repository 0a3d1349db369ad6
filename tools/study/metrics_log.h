// metrics.jsonl: one JSON object a line, appended as things happen (tools/report/CONTRACT.md). A
// checkpoint remembers how long the file was; a resumed run cuts it back to there, so that the file
// of an interrupted and resumed run is that of an uninterrupted one.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tools/events/run_events.h"

namespace strata::study {

class MetricsLog {
 public:
  // Opens for appending after the first `keep` bytes; 0 starts afresh.
  MetricsLog(const std::filesystem::path& file, int64_t keep);
  ~MetricsLog();
  MetricsLog(const MetricsLog&) = delete;
  MetricsLog& operator=(const MetricsLog&) = delete;

  // Numbers that are not finite become null. A full disk is an error.
  void write(const nlohmann::ordered_json& line);
  // Lines go to the run's event file as well, from now on.
  void copy_to(events::RunEvents& events) { events_ = &events; }
  // Bytes written and handed to the system.
  int64_t size();

 private:
  std::filesystem::path path_;
  std::FILE* file_;
  events::RunEvents* events_ = nullptr;
};

}  // namespace strata::study
