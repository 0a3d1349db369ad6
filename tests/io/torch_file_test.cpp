// PyTorch's files: against those torch.save wrote (tests/fixtures/make_torch_golden.py), there and
// back, and what must be refused.
#include "engine/io/torch_file.h"

#include "engine/io/unpickle.h"
#include "engine/io/zip.h"
#include "engine/ops/create.h"
#include "tests/io/io_support.h"

namespace strata::test {
namespace {

std::string fixture(const std::string& name) {
  return STRATA_SOURCE_DIR "/tests/fixtures/torch/" + name;
}

std::vector<double> ramp(std::initializer_list<int> places) {
  return {places.begin(), places.end()};
}

void expect_state(const StateDict& state) {
  ASSERT_EQ(state.size(), 14u);
  const Tensor& transposed = state.at("transposed");  // [2, 3, 4] permuted by (2, 0, 1)
  EXPECT_EQ(describe(transposed), "f32[4,2,3]");
  EXPECT_EQ(values(transposed), ramp({0, 4, 8,  12, 16, 20, 1, 5, 9,  13, 17, 21,
                                      2, 6, 10, 14, 18, 22, 3, 7, 11, 15, 19, 23}));
  EXPECT_EQ(values(state.at("row")), ramp({4, 5, 6, 7}));
  EXPECT_EQ(values(state.at("step")), ramp({1, 6, 11, 16, 21}));
  EXPECT_EQ(state.at("row").storage().get(), transposed.storage().get()) << "shared in the file";
  EXPECT_EQ(values(state.at("parameter")), (std::vector<double>{1.5, -2}));
  EXPECT_EQ(describe(state.at("scalar")), "i64[]");
  EXPECT_EQ(state.at("scalar").item(), 7);
  EXPECT_EQ(describe(state.at("empty")), "f32[0,3]");
  const std::pair<const char*, DType> types[] = {
      {"float64", DType::f64}, {"float32", DType::f32}, {"bfloat16", DType::bf16},
      {"float16", DType::f16}, {"int64", DType::i64},   {"int32", DType::i32},
      {"uint8", DType::u8},    {"bool", DType::boolean}};
  for (auto [name, dtype] : types) {
    Tensor exact = from_vector(std::vector<double>{0, 1, 2, 3, 250, 0.5}, {2, 3});
    expect_same(state.at(name), exact.to(dtype));
  }
}

TEST(TorchFile, ReadsEveryProtocol) {
  for (const char* name : {"state.pt", "protocol3.pt", "protocol4.pt", "protocol5.pt"}) {
    SCOPED_TRACE(name);
    expect_state(io::load_torch(fixture(name)));
  }
}

TEST(TorchFile, FindsTheStateDictOfATrainingRun) {
  StateDict state = io::load_torch(fixture("training.pt"));
  ASSERT_EQ(state.size(), 2u);
  EXPECT_EQ(describe(state.at("weight")), "f32[3,2]");
  expect_same(io::load_torch(fixture("training.pt"), "model").at("bias"), state.at("bias"));
  EXPECT_FAILS(io::load_torch(fixture("training.pt"), "ema"),
               "no 'ema'.*epoch, best, seed, type, shape, model, optimizer");
  EXPECT_FAILS(io::load_torch(fixture("two.pt")), "must be said by a key; there are a, b");
  EXPECT_EQ(io::load_torch(fixture("two.pt"), "b").size(), 2u);
}

TEST(TorchFile, GoesRound) {
  Folder folder;
  StateDict tensors;
  for (auto& [name, tensor] : one_of_each_type()) tensors[name] = tensor;
  tensors["view"] = tensors.at("f32").transpose(0, 1);
  tensors["none"] = empty({0, 3});
  tensors["scalar"] = full({}, 4, DType::i64);
  io::save_torch(folder / "x.pt", tensors);
  StateDict got = io::load_torch(folder / "x.pt");
  ASSERT_EQ(got.size(), tensors.size());
  for (auto& [name, tensor] : tensors) expect_same(got.at(name), tensor);
  std::string first = read_text(folder / "x.pt");
  io::save_torch(folder / "y.pt", tensors);
  EXPECT_EQ(first, read_text(folder / "y.pt"));
}

TEST(TorchFile, RunsNothing) {
  for (const char* name : {"command.pt", "command4.pt"}) {
    EXPECT_FAILS(io::load_torch(fixture(name)), "names 'posix.system'.*nothing was run");
    EXPECT_FALSE(std::filesystem::exists("strata_was_here"));
  }
  EXPECT_FAILS(io::load_torch(fixture("model.pt")), "names 'torch.nn.modules.linear.Linear'");
}

TEST(TorchFile, RefusesWhatItCannotRead) {
  EXPECT_FAILS(io::load_torch(fixture("legacy.pt")), "before 1.6; write it anew: python3 -c");
  EXPECT_FAILS(io::load_torch(fixture("script.pt")), "TorchScript program; save its state dict");
  EXPECT_FAILS(io::load_torch(fixture("tensor.pt")), "a single tensor, not a dictionary");
  EXPECT_FAILS(io::load_torch(fixture("expanded.pt")), "more elements than the 1 stored");
  EXPECT_FAILS(io::load_torch(fixture("complex.pt")), "torch.ComplexFloatStorage is not supported");
  EXPECT_FAILS(io::load_torch(fixture("bomb.pt")),
               "data/0' is compressed \\([0-9]{4} bytes, 8388608 unpacked\\)");
  EXPECT_FAILS(io::load_torch(STRATA_SOURCE_DIR "/tests/fixtures/npy/stored.npz"), "no data.pkl");
}

// Tensors that do not fit their storage of 16 bytes.
TEST(TorchFile, RefusesViewsBeyondTheirStorage) {
  EXPECT_EQ(values(io::load_torch(fixture("fits.pt")).at("x")), ramp({0, 0, 0, 0}));
  EXPECT_FAILS(io::load_torch(fixture("offset.pt")), "'x': offset, shape .4. and .* 4 elements");
  EXPECT_FAILS(io::load_torch(fixture("negative.pt")), "go beyond the 4 elements");
  EXPECT_FAILS(io::load_torch(fixture("stride.pt")), "go beyond the 4 elements");
  EXPECT_FAILS(io::load_torch(fixture("overflow.pt")), "product of its sizes is too large");
  EXPECT_FAILS(io::load_torch(fixture("ranks.pt")), "1 sizes and 2 strides");
  EXPECT_FAILS(io::load_torch(fixture("elements.pt")), "1000000000000 elements of f32.* 16 bytes");
  EXPECT_FAILS(io::load_torch(fixture("missing.pt")), "no storage '../1'");
  EXPECT_FAILS(io::load_torch(fixture("twice.pt")), "more elements than the 4 stored");
}

TEST(TorchFile, ReadsArchivesWithNumbersOf64Bits) {
  std::string file = read_text(fixture("zip64.pt"));
  auto read = [](const std::string& text) { return io::read_torch(*as_source(text)); };
  EXPECT_EQ(values(read(file).at("x")), ramp({0, 0, 0, 0}));
  expect_survives(file, 3000, [&](const std::string& text) { read(text); });
  const size_t entry = file.find("PK\x01\x02"), record = file.find("PK\x06\x06"),
               locator = file.find("PK\x06\x07");
  auto patched = [&](size_t place, char value) {
    std::string text = file;
    text[place] = value;
    return text;
  };
  const size_t extra = entry + 46 + std::string("archive/data.pkl").size();
  EXPECT_FAILS(read(patched(extra + 2, 16)), "needs zip64 numbers, which its entry lacks");
  EXPECT_FAILS(read(patched(extra + 4 + 7, 1)), "has two sizes, 130 and 72057594037");
  EXPECT_FAILS(read(patched(extra + 4 + 16 + 7, 1)), "there is no room");
  EXPECT_FAILS(read(patched(record + 48 + 7, 1)), "directory should lie at byte 72057594037");
  EXPECT_FAILS(read(patched(record + 16, 1)), "one of several disks");
  EXPECT_FAILS(read(patched(locator + 8 + 7, 1)), "zip64 record should lie at byte .*no room");
  EXPECT_FAILS(read(patched(locator + 8, 0)), "no zip64 record");
}

TEST(TorchFile, SurvivesDamage) {
  std::string file = read_text(fixture("training.pt"));
  expect_survives(file, 3000, [](const std::string& text) { io::read_torch(*as_source(text)); });
}

// Entries that share one long key: the names made of it would take 100 MB.
TEST(TorchFile, RefusesNamesThatGrow) {
  Folder folder;
  const std::string key = std::string("X\x00\x00\x10\x00", 5) + std::string(1 << 20, 'a') + "q\x01";
  std::string pickle = "\x80\x02}U\x01k}(" + key + "N";
  for (int i = 0; i < 99; ++i) pickle += "h\x01N";
  pickle += "us.";
  io::AtomicFile file(folder / "names.pt");
  io::ZipWriter zip(file, "torch");
  zip.add("archive/data.pkl", {pickle}, false);
  zip.finish();
  file.commit();
  EXPECT_FAILS(io::load_torch(folder / "names.pt", "k"), "names .* more than 64 MiB together");
}

io::PickleValue::Kind root_kind(const std::string& text, io::PickleLimits limits = {}) {
  std::span bytes(reinterpret_cast<const uint8_t*>(text.data()), text.size());
  io::Pickle pickle(
      bytes, "file", [](std::string_view name) { return name == "a.b"; }, limits);
  return pickle.root().kind;
}

TEST(Pickle, RefusesWhatIsOutOfPlace) {
  using Kind = io::PickleValue::Kind;
  const std::string begin = "\x80\x02";
  EXPECT_EQ(root_kind(begin + "}."), Kind::dict);
  EXPECT_EQ(root_kind(begin + "ca\nb\n)R."), Kind::call);
  EXPECT_FAILS(root_kind("\x80\x01}."), "protocol 2 to 5");
  EXPECT_FAILS(root_kind(begin + "cos\nsystem\n."), "names 'os.system'");
  EXPECT_FAILS(root_kind(begin + "ca\nb"), "name at its byte .* has no end");
  EXPECT_FAILS(root_kind(begin + "ca\nb\n)\x81."), "0x81 at its byte 8 makes an object of a class");
  EXPECT_FAILS(root_kind(begin + "(i"), "makes an object");
  EXPECT_FAILS(root_kind(begin + "}"), "cut off at byte 3");
  EXPECT_FAILS(root_kind(begin + "X\xff\xff\xff\xff."), "cut off");
  EXPECT_FAILS(root_kind(begin + "."), "finds no value");
  EXPECT_FAILS(root_kind(begin + "}(a."), "finds no value");  // the dict lies below the mark
  EXPECT_FAILS(root_kind(begin + "t."), "finds no mark");
  EXPECT_FAILS(root_kind(begin + "}}."), "left over");
  EXPECT_FAILS(root_kind(begin + "](K\x01u."), "a key at byte 6 has no value");
  EXPECT_FAILS(root_kind(begin + "}K\x01"
                                 "a."),
               "to what is no list");
  EXPECT_FAILS(root_kind(begin + "h\x07."), "nothing was remembered under 7");
  EXPECT_FAILS(root_kind(begin + "})R."), "not of a function");
}

TEST(Pickle, HasLimits) {
  const std::string begin = "\x80\x02";
  io::PickleLimits small{.bytes = 100, .values = 10, .stack = 5};
  EXPECT_FAILS(root_kind(begin + std::string(200, 'N'), small), "202 bytes .* limit of 100");
  EXPECT_FAILS(root_kind(begin + std::string(6, 'N'), small), "more than 5 values wait");
  EXPECT_FAILS(root_kind(begin + std::string(6, '('), small), "more than 5 marks wait");
  std::string made, remembered = begin + "N";
  for (int i = 0; i < 11; ++i) made += "N0", remembered += "\x94";
  EXPECT_FAILS(root_kind(begin + made, small), "more values than the limit of 10");
  EXPECT_FAILS(root_kind(remembered, small), "more than 10 values are remembered");
}

}  // namespace
}  // namespace strata::test
