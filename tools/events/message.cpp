#include "tools/events/message.h"

#include <bit>

namespace strata::events {
namespace {

enum WireType { variable_length = 0, eight_bytes = 1, with_length = 2, four_bytes = 5 };

static_assert(std::endian::native == std::endian::little,
              "values are stored as they lie in memory");

}  // namespace

void Message::variable(uint64_t value) {
  for (; value >= 0x80; value >>= 7) text_ += static_cast<char>(value | 0x80);
  text_ += static_cast<char>(value);
}

void Message::key(int field, int wire_type) {
  variable(static_cast<uint64_t>(field) << 3 | static_cast<uint64_t>(wire_type));
}

void Message::fixed(const void* value, size_t size) {
  text_.append(static_cast<const char*>(value), size);
}

Message& Message::integer(int field, int64_t value) {
  key(field, variable_length);
  variable(static_cast<uint64_t>(value));
  return *this;
}

Message& Message::real(int field, double value) {
  key(field, eight_bytes);
  fixed(&value, sizeof value);
  return *this;
}

Message& Message::real32(int field, float value) {
  key(field, four_bytes);
  fixed(&value, sizeof value);
  return *this;
}

Message& Message::bytes(int field, std::string_view value) {
  key(field, with_length);
  variable(value.size());
  text_ += value;
  return *this;
}

Message& Message::message(int field, const Message& value) { return bytes(field, value.text()); }

Message& Message::reals(int field, std::span<const double> values) {
  return bytes(field, {reinterpret_cast<const char*>(values.data()), values.size_bytes()});
}

}  // namespace strata::events
