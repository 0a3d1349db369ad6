// npy and npz: against files that NumPy wrote (tests/fixtures/make_numpy_golden.py), there and
// back, and hostile ones.
#include "engine/io/npy.h"

#include <zlib.h>

#include "engine/ops/create.h"
#include "tests/io/io_support.h"

namespace strata::test {
namespace {

std::string fixture(const std::string& name) {
  return std::string(STRATA_SOURCE_DIR) + "/tests/fixtures/npy/" + name;
}
const std::vector<double> quarters = {0, 0.25, 0.5, 0.75, 1, 1.25};

TEST(Npy, ReadsWhatNumpyWrote) {
  Tensor a = io::load_npy(fixture("f4.npy"));
  EXPECT_EQ(describe(a), "f32[2,3]");
  EXPECT_EQ(values(a), quarters);
  Tensor fortran = io::load_npy(fixture("fortran_f8.npy"));
  EXPECT_EQ(describe(fortran), "f64[2,3]");
  EXPECT_TRUE(fortran.is_contiguous());
  EXPECT_EQ(values(fortran), quarters);
  Tensor scalar = io::load_npy(fixture("scalar_i8.npy"));
  EXPECT_EQ(describe(scalar), "i64[]");
  EXPECT_EQ(scalar.item(), -7);
  EXPECT_EQ(values(io::load_npy(fixture("bool.npy"))), (std::vector<double>{0, 0, 0, 1, 1, 1}));
  EXPECT_FAILS(io::load_npy(fixture("big_endian.npy")), "big_endian.npy: '>f4' is big endian");
  EXPECT_FAILS(io::load_npy(fixture("structured.npy")), "structured arrays");
}

TEST(Npy, ReadsArchivesThatNumpyWrote) {
  StateDict stored = io::load_npz(fixture("stored.npz"));
  ASSERT_EQ(stored.size(), 3u);
  EXPECT_EQ(values(stored.at("a")), quarters);
  EXPECT_EQ(describe(stored.at("half")), "f16[2,3]");
  EXPECT_EQ(values(stored.at("half")), quarters);
  EXPECT_EQ(values(stored.at("n")), (std::vector<double>{0, 1, 2}));
  StateDict deflated = io::load_npz(fixture("deflated.npz"));
  EXPECT_EQ(values(deflated.at("a")), quarters);
  EXPECT_EQ(values(deflated.at("bytes")).back(), 199);
}

TEST(Npy, WritesTheBytesThatNumpyWrites) {
  Folder folder;
  io::save_npy(folder / "a.npy", from_vector(quarters, {2, 3}).to(DType::f32));
  EXPECT_EQ(read_text(folder / "a.npy"), read_text(fixture("f4.npy")));
}

TEST(Npy, EveryTypeGoesRound) {
  Folder folder;
  StateDict tensors;
  for (auto& [name, tensor] : one_of_each_type()) {
    if (tensor.dtype() == DType::bf16) {
      EXPECT_FAILS(io::save_npy(folder / "x", tensor), "no bf16; convert bf16\\[2,3\\]");
      continue;
    }
    io::save_npy(folder / "x", tensor.transpose(0, 1));
    expect_same(io::load_npy(folder / "x"), tensor.transpose(0, 1));
    tensors[name] = tensor;
  }
  tensors["empty"] = zeros({3, 0});
  tensors["scalar"] = scalar(2);
  tensors["large"] = zeros({300, 1000});
  for (bool compress : {false, true}) {
    io::save_npz(folder / "x.npz", tensors, compress);
    StateDict got = io::load_npz(folder / "x.npz");
    ASSERT_EQ(got.size(), tensors.size());
    for (auto& [name, tensor] : tensors) expect_same(got.at(name), tensor);
    EXPECT_EQ(std::filesystem::file_size(folder / "x.npz") < 100'000, compress);
  }
}

std::string npy_of(const std::string& dictionary, const std::string& data = "") {
  std::string text("\x93NUMPY\x01\x00", 8);
  text += static_cast<char>(dictionary.size() & 0xff);
  text += static_cast<char>(dictionary.size() >> 8);
  return text + dictionary + data;
}

TEST(Npy, RefusesHeadersThatAreWrong) {
  auto with = [](const std::string& descr, const std::string& shape) {
    return "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + "}";
  };
  for (auto& [dictionary, message] : std::vector<std::pair<std::string, std::string>>{
           {with("<f4", "(2,)"), "f32\\[2\\] takes 8 bytes, but 4 follow"},
           {with("<c8", "(1,)"), "element type '<c8' is not supported"},
           {with("<f4", "(4294967296, 4294967296)"), "product of its sizes"},
           {with("<f4", "(0, 9223372036854775807, 9223372036854775807)"), "product"},
           {with("<f4", "(99999999999999999999,)"), "not a whole number below 2\\^64"},
           {with("<f4", "(-1,)"), "not a whole number"},
           {with("<f4", "(1, 1, 1, 1, 1, 1, 1, 1, 1)"), "9 axes"},
           {with("<f4", "(1"), "lacks '\\)'"},
           {with("<f4", "1"), "lacks '\\('"},
           {"{'descr': '<f4', 'shape': (1,)}", "fortran_order or shape is missing"},
           {"{'descr': '<f4', 'descr': '<f4'}", "unknown or there twice"},
           {"{'descr': '<f4', 'color': 1}", "'color' is unknown"},
           {"{'descr': '<f4", "has no end"},
           {"{'descr': '<f4', 'fortran_order': Maybe}", "neither True nor False"},
           {with("<f4", "(1,)") + "x", "something follows"},
           {"", "lacks '\\{'"}}) {
    SCOPED_TRACE(dictionary);
    EXPECT_FAILS(io::read_npy(*as_source(npy_of(dictionary, "abcd"))),
                 "^\\[npy\\] file: .*" + message);
  }
  EXPECT_FAILS(io::read_npy(*as_source("NUMPY, or not?")), "no npy file");
  EXPECT_FAILS(io::read_npy(*as_source(std::string("\x93NUMPY\x09\x00____", 12))), "version 9.0");
  EXPECT_FAILS(io::read_npy(*as_source(std::string("\x93NUMPY\x02\x00\xff\xff\xff\xff", 12))),
               "header of 4294967295 bytes is too long");
}

TEST(Npy, SurvivesDamage) {
  expect_survives(read_text(fixture("f4.npy")), 3000,
                  [](const std::string& text) { io::read_npy(*as_source(text)); });
  expect_survives(read_text(fixture("deflated.npz")), 3000,
                  [](const std::string& text) { io::read_npz(*as_source(text)); });
}

// The place of the directory's entry number i in an archive.
size_t directory_entry(const std::string& zip, int i) {
  size_t place = std::string::npos;
  for (size_t at = 0; i >= 0; --i) place = zip.find("PK\x01\x02", at), at = place + 1;
  return place;
}
std::string patched(std::string text, size_t place, uint32_t value, int bytes) {
  for (int i = 0; i < bytes; ++i)
    text[place + static_cast<size_t>(i)] = static_cast<char>(value >> 8 * i);
  return text;
}

TEST(Npz, RefusesHostileArchives) {
  std::string zip = read_text(fixture("deflated.npz")), stored = read_text(fixture("stored.npz"));
  size_t first = directory_entry(zip, 0), second = directory_entry(stored, 1);
  auto read = [](const std::string& text) { return io::read_npz(*as_source(text)); };
  ASSERT_EQ(read(zip).size(), 2u);
  EXPECT_FAILS(read(patched(zip, first + 8, 1, 2)), "'a.npy' is encrypted");
  EXPECT_FAILS(read(patched(zip, first + 10, 12, 2)), "compressed by method 12");
  EXPECT_FAILS(read(patched(zip, first + 16, 1, 4)), "wrong checksum");
  EXPECT_FAILS(read(patched(zip, first + 24, 0xffffffff, 4)), "needs zip64");
  EXPECT_FAILS(read(patched(zip, first + 24, 0x7fffffff, 4)), "which deflate cannot do");
  EXPECT_FAILS(read(patched(zip, first + 24, 150, 4)), "takes 24 bytes, but 22 follow");
  EXPECT_FAILS(read(patched(zip, first + 42, 0x7ffffff, 4)), "there is no room");
  EXPECT_FAILS(read(patched(zip, first + 42, 4, 4)), "no header of its own");
  // Two members over the same bytes.
  EXPECT_FAILS(read(patched(stored, second + 42, 0, 4)), "overlap");
  EXPECT_FAILS(io::read_npz(*as_source(zip), {.bytes = 200}), "more than the limit of 200 bytes");
  EXPECT_FAILS(read("PK"), "too few");
  EXPECT_FAILS(read(std::string(100, 'x')), "no end of a zip archive");
}

// An archive of one deflated member "a.npy": `packed` bytes that claim to unpack to `size`.
std::string archive_of(const std::string& packed, uint32_t crc, uint32_t size) {
  auto number = [](uint32_t value, int bytes) {
    return std::string(reinterpret_cast<const char*>(&value), static_cast<size_t>(bytes));
  };
  auto length = static_cast<uint32_t>(packed.size());
  std::string fields = number(20, 2) + number(0, 2) + number(8, 2) + number(0, 4) + number(crc, 4) +
                       number(length, 4) + number(size, 4) + number(5, 2) + number(0, 2);
  std::string local = "PK\x03\x04" + fields + "a.npy" + packed;
  std::string entry = "PK\x01\x02" + number(20, 2) + fields + number(0, 2) + number(0, 2) +
                      number(0, 2) + number(0, 4) + number(0, 4) + "a.npy";
  return local + entry + "PK\x05\x06" + number(0, 4) + number(1, 2) + number(1, 2) +
         number(static_cast<uint32_t>(entry.size()), 4) +
         number(static_cast<uint32_t>(local.size()), 4) + number(0, 2);
}
std::string deflated(const std::string& text) {
  z_stream zip = {};
  deflateInit2(&zip, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string packed(text.size() + 100, '\0');
  zip.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  zip.avail_in = static_cast<uInt>(text.size());
  zip.next_out = reinterpret_cast<Bytef*>(packed.data());
  zip.avail_out = static_cast<uInt>(packed.size());
  deflate(&zip, Z_FINISH);
  packed.resize(packed.size() - zip.avail_out);
  deflateEnd(&zip);
  return packed;
}
uint32_t checksum(const std::string& text) {
  return static_cast<uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size())));
}

TEST(Npz, AMemberMustUnpackToWhatItDeclares) {
  std::string npy = read_text(fixture("f4.npy"));
  auto size = static_cast<uint32_t>(npy.size());
  auto read = [](const std::string& text) { return io::read_npz(*as_source(text)); };
  EXPECT_EQ(read(archive_of(deflated(npy), checksum(npy), size)).size(), 1u);
  EXPECT_FAILS(read(archive_of(deflated(npy + "more"), checksum(npy), size)),
               "'a.npy' unpacks to more than it declares");
  EXPECT_FAILS(read(archive_of(deflated(npy.substr(0, size - 4)), checksum(npy), size)),
               "'a.npy' unpacks to less than it declares");
  std::string packed = deflated(npy);
  packed.pop_back();
  EXPECT_FAILS(read(archive_of(packed, checksum(npy), size)),
               "'a.npy' (is cut off|unpacks to less)");
  EXPECT_FAILS(read(archive_of("\xff" + packed, checksum(npy), size)), "cannot be unpacked");
}

}  // namespace
}  // namespace strata::test
