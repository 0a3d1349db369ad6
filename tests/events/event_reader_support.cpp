#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string_view>

#include "tests/events/event_reader.h"

namespace strata::events {
namespace {

uint32_t checksum(std::string_view bytes) {
  uint32_t crc = ~0u;
  for (char c : bytes) {
    for (int bit = 0; bit < 8; ++bit) {
      const bool feed = ((static_cast<unsigned char>(c) >> bit) & 1) != (crc & 1);
      crc = (crc >> 1) ^ (feed ? 0x82f63b78u : 0u);
    }
  }
  crc = ~crc;
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

template <class T>
T take(std::string_view& bytes) {
  if (bytes.size() < sizeof(T)) throw std::runtime_error("the bytes end too early");
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  bytes.remove_prefix(sizeof(T));
  return value;
}

std::string_view take(std::string_view& bytes, uint64_t count) {
  if (bytes.size() < count) throw std::runtime_error("the bytes end too early");
  std::string_view part = bytes.substr(0, count);
  bytes.remove_prefix(count);
  return part;
}

uint64_t take_integer(std::string_view& bytes) {
  uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = take<uint8_t>(bytes);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
}

struct Field {
  int number = 0;
  uint64_t integer = 0;
  double real = 0;
  std::string_view bytes;
};

Field take_field(std::string_view& message) {
  const uint64_t key = take_integer(message);
  Field field;
  field.number = static_cast<int>(key >> 3);
  switch (key & 7) {
    case 0:
      field.integer = take_integer(message);
      break;
    case 1:
      field.real = take<double>(message);
      break;
    case 2:
      field.bytes = take(message, take_integer(message));
      break;
    case 5:
      field.real = take<float>(message);
      break;
    default:
      throw std::runtime_error("wire type " + std::to_string(key & 7));
  }
  return field;
}

std::vector<double> doubles(std::string_view bytes) {
  std::vector<double> values;
  while (!bytes.empty()) values.push_back(take<double>(bytes));
  return values;
}

void read_image(std::string_view message, ReadValue& value) {
  while (!message.empty()) {
    const Field f = take_field(message);
    if (f.number == 1) value.height = static_cast<int64_t>(f.integer);
    if (f.number == 2) value.width = static_cast<int64_t>(f.integer);
    if (f.number == 3) value.channels = static_cast<int64_t>(f.integer);
    if (f.number == 4) value.png = f.bytes;
  }
}

void read_histogram(std::string_view message, ReadValue& value) {
  while (!message.empty()) {
    const Field f = take_field(message);
    if (f.number <= 5) value.moments.push_back(f.real);
    if (f.number == 6) value.upper = doubles(f.bytes);
    if (f.number == 7) value.inside = doubles(f.bytes);
  }
}

void read_summary(std::string_view message, ReadEvent& event) {
  while (!message.empty()) {
    std::string_view one = take_field(message).bytes;
    std::string tag;
    ReadValue value;
    while (!one.empty()) {
      const Field f = take_field(one);
      if (f.number == 1) tag = f.bytes;
      if (f.number == 2) value.number = f.real;
      if (f.number == 4) read_image(f.bytes, value);
      if (f.number == 5) read_histogram(f.bytes, value);
    }
    event.values[tag] = value;
  }
}

ReadEvent read_event(std::string_view message) {
  ReadEvent event;
  while (!message.empty()) {
    const Field f = take_field(message);
    if (f.number == 1) event.wall_time = f.real;
    if (f.number == 2) event.step = static_cast<int64_t>(f.integer);
    if (f.number == 3) event.version = f.bytes;
    if (f.number == 5) read_summary(f.bytes, event);
  }
  return event;
}

}  // namespace

std::vector<ReadEvent> read_events(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw std::runtime_error("no file " + file.string());
  const std::string all((std::istreambuf_iterator<char>(in)), {});
  std::string_view rest = all;
  std::vector<ReadEvent> events;
  while (!rest.empty()) {
    const std::string where = " of record " + std::to_string(events.size());
    const std::string_view head = rest.substr(0, 8);
    const auto length = take<uint64_t>(rest);
    if (take<uint32_t>(rest) != checksum(head))
      throw std::runtime_error("checksum of the length" + where);
    const std::string_view record = take(rest, length);
    if (take<uint32_t>(rest) != checksum(record)) throw std::runtime_error("checksum" + where);
    events.push_back(read_event(record));
  }
  return events;
}

}  // namespace strata::events
