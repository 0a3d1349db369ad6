// Reads event files back: an independent decoder, written from the descriptions of the formats
// (TFRecord; protobuf.dev, "Encoding"; event.proto and summary.proto), bit by bit where the writer
// has a table.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace strata::events {

// One value of a summary. Which members are filled depends on what it is.
struct ReadValue {
  double number = 0;
  std::vector<double> upper, inside,
      moments;  // of a histogram; least, greatest, count, sum, squares
  int64_t height = 0, width = 0, channels = 0;
  std::string png;
};
struct ReadEvent {
  double wall_time = 0;
  int64_t step = 0;
  std::string version;
  std::map<std::string, ReadValue> values;  // by tag
};

// Throws std::runtime_error that names the record where a checksum or a length is wrong.
std::vector<ReadEvent> read_events(const std::filesystem::path& file);

}  // namespace strata::events
