// Safetensors: what goes in comes out, the layout is the one of the specification, and files that
// break its rules are refused with the rule's name.
#include "engine/io/safetensors.h"

#include "engine/ops/create.h"
#include "tests/io/io_support.h"

namespace strata::test {
namespace {

// A file from its header and data.
std::string file_of(const std::string& header, const std::string& data = "") {
  uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + header + data;
}
StateDict read(const std::string& file) { return io::Safetensors(as_source(file)).read_all(); }

TEST(Safetensors, EveryTypeGoesRound) {
  Folder folder;
  StateDict tensors;
  for (auto& [name, tensor] : one_of_each_type()) tensors[name] = tensor;
  tensors["scalar"] = scalar(3.5);
  tensors["empty"] = zeros({0, 4});
  tensors["view"] = tensors["f32"].transpose(0, 1);
  tensors["odd \"name\" é"] = tensors["u8"].slice(1, 0, 3, 2);
  io::Metadata metadata = {{"a", "1"}, {"é", "\n\"\\"}}, back;
  io::save_safetensors(folder / "x.safetensors", tensors, metadata);
  StateDict got = io::load_safetensors(folder / "x.safetensors", &back);
  EXPECT_EQ(back, metadata);
  ASSERT_EQ(got.size(), tensors.size());
  for (auto& [name, tensor] : tensors) expect_same(got.at(name), tensor);
}

TEST(Safetensors, LayoutIsTheSpecifications) {
  Folder folder;
  io::save_safetensors(folder / "x", {{"a", from_vector(std::vector<uint8_t>{7}, {1})},
                                      {"b", from_vector(std::vector<float>{1.5f}, {})}});
  std::string header =
      R"({"a":{"data_offsets":[4,5],"dtype":"U8","shape":[1]},"b":{"data_offsets":[0,4],"dtype":"F32","shape":[]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  EXPECT_EQ(read_text(folder / "x"), file_of(header, std::string("\x00\x00\xc0\x3f\x07", 5)));
}

TEST(Safetensors, ReadsOthersOrderAndSpaces) {
  StateDict got = read(file_of(
      R"({ "z": {"shape": [2], "dtype": "I32", "data_offsets": [0, 8]} , "__metadata__":{}}   )",
      std::string("\1\0\0\0\2\0\0\0", 8)));
  expect_near(values(got.at("z")), {1, 2});
}

TEST(Safetensors, BytesOfABoolOtherThanOneAreTrue) {
  Tensor got = read(file_of(R"({"b":{"dtype":"BOOL","shape":[3],"data_offsets":[0,3]}})",
                            std::string("\x00\x02\xff", 3)))
                   .at("b");
  EXPECT_EQ(got.to_vector<bool>(), (std::vector<bool>{false, true, true}));
}

TEST(Safetensors, RefusesWhatBreaksTheRules) {
  auto entry = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return R"({"a":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" +
           offsets + "}}";
  };
  struct Bad {
    std::string header, data, message;
  };
  const std::string four(4, '\0'), eight(8, '\0');
  const std::string ok = R"({"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  for (const Bad& bad : std::vector<Bad>{
           {entry("F33", "[1]", "[0,4]"), four, "'a': dtype 'F33' is unknown"},
           {entry("F32", "[2]", "[0,4]"), four, "f32\\[2\\] takes 8 bytes, .* hold 4"},
           {entry("F32", "[1]", "[0,8]"), four, "bytes 0 to 8 are not in the data, which has 4"},
           {entry("F32", "[1]", "[4,0]"), eight, "bytes 4 to 0"},
           {entry("F32", "[1]", "[4,8]"), eight, "begins at byte 4 .* byte 0 was expected"},
           {entry("F32", "[1]", "[0,4]"), eight, "take 4 bytes, but the file has 8"},
           {entry("F32", "[1]", "[0]"), four, "two numbers"},
           {entry("F32", "[-1]", "[0,4]"), four, "a negative number"},
           {entry("F32", "[1.5]", "[0,4]"), four, "1.5 is not a whole number"},
           {entry("F32", "[99999999999999999999]", "[0,4]"), four, "is not a whole number below"},
           {entry("F32", "[4294967296,4294967296]", "[0,0]"), "", "product of its sizes"},
           {entry("F32", "[0,9223372036854775807,9223372036854775807]", "[0,0]"), "", "product"},
           {entry("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), four, "9 axes; tensors have at most 8"},
           {entry("F32", "[[1]]", "[0,4]"), four, "an array where none belongs"},
           {entry("F32", "{}", "[0,4]"), four, "an object where none belongs"},
           {R"({"a":{"dtype":"F32","shape":[1]}})", four, "data_offsets is missing"},
           {R"({"a":)" + ok + R"(,"a":)" + ok + "}", four, "'a': the name is there twice"},
           {R"({"a":)" + ok + R"(,"b":)" + ok + "}", four,
            "'b' begins at byte 0 .* another tensor"},
           {R"({"a":1})", "", "a number as 'a'"},
           {R"({"__metadata__":{"k":1}})", "", "a number as 'k'"},
           {R"({"__metadata__":{"k":"1","k":"2"}})", "", "metadata is there twice"},
           {R"({"__metadata__":{},"__metadata__":{}})", "", "there twice"},
           {R"({"":)" + ok + "}", four, "without a name"},
           {R"({"a")", "", "not JSON from its byte"},
           {"{} {}", "", "not JSON from its byte"},
           {"{\"a\xff\":1}", "", "not JSON"},
           {"[]", "", "does not begin with '\\{'"},
           {"", "", "does not begin"}}) {
    SCOPED_TRACE(bad.header);
    EXPECT_FAILS(read(file_of(bad.header, bad.data)), "^\\[safetensors\\] file: .*" + bad.message);
  }
}

TEST(Safetensors, RefusesLengthsThatAreNotThere) {
  EXPECT_FAILS(read("short"), "5 bytes are too few");
  EXPECT_FAILS(read(std::string(8, '\xff') + "{}"), "over the format's limit of 100 MB");
  EXPECT_FAILS(read(std::string("\x10\0\0\0\0\0\0\0{}", 10)), "16 bytes, but only 2 follow");
}

TEST(Safetensors, SurvivesDamage) {
  Folder folder;
  io::save_safetensors(folder / "x", {{"a", ones({2, 3})}, {"b", zeros({3}, DType::boolean)}},
                       {{"k", "v"}});
  expect_survives(read_text(folder / "x"), 3000, [](const std::string& text) { read(text); });
}

TEST(Safetensors, WhatCannotBeWrittenIsAnError) {
  Folder folder;
  EXPECT_FAILS(io::save_safetensors(folder / "x", {{"", ones({1})}}), "need a name");
  EXPECT_FAILS(io::save_safetensors(folder / "x", {{"a", Tensor()}}), "undefined");
  EXPECT_FAILS(io::save_safetensors(folder / "x", {{"\xff", ones({1})}}), "UTF-8");
  EXPECT_FAILS(io::load_safetensors(folder / "missing"), "missing: No such file");
  EXPECT_FAILS(io::load_safetensors(folder.path()), "not a regular file");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace strata::test
