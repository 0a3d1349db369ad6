#include "tools/study/metrics_log.h"

#include <cerrno>
#include <cstring>

#include "engine/error.h"

namespace strata::study {

MetricsLog::MetricsLog(const std::filesystem::path& file, int64_t keep) : path_(file) {
  std::error_code error;
  if (keep > 0 && std::filesystem::file_size(file, error) >= static_cast<uintmax_t>(keep) &&
      !error) {
    std::filesystem::resize_file(file, static_cast<uintmax_t>(keep), error);
  } else if (keep > 0) {
    fail("metrics", Caller{},
         "{} is shorter than the {} bytes that the checkpoint remembers; it is not the "
         "file of this run. Start again without --resume",
         file.string(), keep);
  }
  file_ = std::fopen(file.c_str(), keep > 0 ? "ab" : "wb");
  if (!file_) {
    fail("metrics", Caller{}, "cannot write {}: {}", file.string(), std::strerror(errno));
  }
}

MetricsLog::~MetricsLog() { std::fclose(file_); }

void MetricsLog::write(const nlohmann::ordered_json& line) {
  std::string text = line.dump() + "\n";  // the library writes NaN and infinities as null
  if (std::fwrite(text.data(), 1, text.size(), file_) != text.size() || std::fflush(file_) != 0) {
    fail("metrics", Caller{}, "cannot write {}: {}", path_.string(), std::strerror(errno));
  }
  if (events_) events_->line(line);
}

int64_t MetricsLog::size() {
  std::fseek(file_, 0, SEEK_END);
  return std::ftell(file_);
}

}  // namespace strata::study
