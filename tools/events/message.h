// Message: encodes a protocol buffer, field by field.
//
// The format (protobuf.dev, "Encoding") is a key, field number * 8 + wire type, before each value;
// three of its wire types make up event files: variable-length integers, 4 and 8 bytes, and bytes
// with their length. That is less than what a library would ask of the build (a compiler of its
// own, generated code, a shared library beside the portable programs), and the tests decode it by
// the description.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace strata::events {

class Message {
 public:
  Message& integer(int field, int64_t value);  // int32, int64: two's complement, as protobuf does
  Message& real(int field, double value);      // double
  Message& real32(int field, float value);     // float
  Message& bytes(int field, std::string_view value);          // string, bytes
  Message& message(int field, const Message& value);          // a message inside
  Message& reals(int field, std::span<const double> values);  // repeated double, packed
  const std::string& text() const { return text_; }

 private:
  void variable(uint64_t value);
  void key(int field, int wire_type);
  void fixed(const void* value, size_t size);

  std::string text_;
};

}  // namespace strata::events
