// Which rung the launcher picks, what it refuses, and that its workspace suffices.
#include <algorithm>
#include <mutex>

#include "tests/kernels/attention/attention_support.h"

namespace strata::test {
namespace {

std::mutex seen_mutex;
std::vector<std::string> seen;

// Names of the kernels that are launched in the scope.
class Observed {
 public:
  Observed() {
    seen.clear();
    gpu::observe_launches([](std::string_view kernel, const gpu::LaunchConfig&) {
      std::lock_guard lock(seen_mutex);
      seen.emplace_back(kernel);
    });
  }
  ~Observed() { gpu::observe_launches(nullptr); }
  static bool has(const std::string& name) {
    return std::any_of(seen.begin(), seen.end(), [&](const std::string& kernel) {
      return kernel.find(name) != std::string::npos;
    });
  }
};

template <class T>
void expect_launches(const AttentionCase& c, const std::string& forward,
                     const std::string& backward) {
  Observed observed;
  expect_attention<T>(c, "", "");
  EXPECT_TRUE(Observed::has(forward + "_kernel")) << c.label << ": " << seen.front();
  EXPECT_TRUE(Observed::has(backward + "_query_gradient_kernel")) << c.label;
}

TEST(AttentionLauncher, PicksByDeviceTypeSizeAndAlignment) {
  SKIP_ON_A_GPU();
  const AttentionCase plain{.label = "plain", .heads = 2, .causal = true};
  const AttentionCase packed{.label = "packed",
                             .samples = 2,
                             .heads = 2,
                             .query_offsets = {0, 20, 27},
                             .key_offsets = {0, 11, 31}};
  {
    Pretend pretend(gpu::h100());
    expect_launches<bf16>(plain, "flash3", "flash3");
    expect_launches<f16>(plain, "flash3", "flash3");
    expect_launches<bf16>({.label = "size 256", .size = 256}, "flash3", "flash2");
    expect_launches<bf16>(packed, "flash2", "flash2");
    expect_launches<float>(plain, "online", "online");
    expect_launches<double>(plain, "online", "online");
    expect_launches<bf16>({.label = "odd size", .size = 33}, "online", "online");
    expect_launches<bf16>({.label = "misaligned", .misalign = 1}, "online", "online");
    expect_launches<bf16>({.label = "wide", .queries = 5, .keys = 9, .size = 264}, "naive_output",
                          "naive");
  }
  {
    Pretend pretend(gpu::a100());
    expect_launches<bf16>(plain, "flash2", "flash2");
    expect_launches<f16>(packed, "flash2", "flash2");
  }
  {
    Pretend pretend(gpu::rtx4090());  // 99 KiB of shared memory: the largest head must still fit
    expect_launches<bf16>({.label = "size 256", .size = 256}, "flash2", "flash2");
    expect_launches<double>({.label = "size 256", .size = 256}, "online", "online");
  }
  {
    gpu::DeviceInfo old = gpu::a100();
    old.arch = 75;
    Pretend pretend(old);
    expect_launches<bf16>(plain, "online", "online");
  }
}

TEST(AttentionLauncher, TakesEmptyArrays) {
  for (const AttentionCase& c : {AttentionCase{.label = "no keys", .keys = 0},
                                 AttentionCase{.label = "no queries", .queries = 0},
                                 AttentionCase{.label = "no samples", .samples = 0},
                                 AttentionCase{.label = "no heads", .heads = 0},
                                 AttentionCase{.label = "no size", .size = 0, .scale = 1}}) {
    expect_attention<float>(c, "", "");
    expect_attention<bf16>(c, "", "");
  }
}

TEST(AttentionLauncher, WritesOnlyTheGradientsThatAreWanted) {
  const AttentionCase c{.label = "one of each"};
  const AttentionData data = attention_data<bf16>(c);
  const AttentionOutput<bf16> all = run_attention<bf16>(c, data, "", "");
  DeviceHeads<bf16> q(c, data.q, 20, 1), k(c, data.k, 20, 1), v(c, data.v, 20, 1),
      dout(c, data.dout, 20, 1);
  DeviceBuffer<bf16> out(all.out), wanted(all.dv.size());
  DeviceBuffer<float> log_sum_exp(all.log_sum_exp);
  AttentionGradientArgs args;
  args.shape.samples = args.shape.heads = args.shape.key_heads = 1;
  args.shape.queries = args.shape.keys = 20;
  args.shape.size = 32;
  args.shape.scale = c.factor();
  args.shape.dtype = DType::bf16;
  args.shape.q = q.array();
  args.shape.k = k.array();
  args.shape.v = v.array();
  args.dout = dout.array();
  args.out = out.data();
  args.log_sum_exp = log_sum_exp.data();
  DeviceBuffer<unsigned char> workspace(gpu::attention_gradient_workspace(args.shape));
  args.workspace = workspace.data();
  for (void* AttentionGradientArgs::*gradient :
       {&AttentionGradientArgs::dq, &AttentionGradientArgs::dk, &AttentionGradientArgs::dv}) {
    AttentionGradientArgs one = args;
    one.*gradient = wanted.data();
    gpu::attention_gradient(one);
    const std::vector<bf16> actual = wanted.host();
    expect_same_bits(actual, gradient == &AttentionGradientArgs::dq   ? all.dq
                             : gradient == &AttentionGradientArgs::dk ? all.dk
                                                                      : all.dv);
  }
}

TEST(AttentionLauncher, RefusesWithAReason) {
  AttentionArgs args;
  args.shape.samples = args.shape.queries = args.shape.heads = args.shape.key_heads = 1;
  auto message = [&] {
    try {
      gpu::attention(args);
    } catch (const gpu::Error& error) {
      return std::string(error.what());
    }
    return std::string("nothing was thrown");
  };
  args.shape.dtype = DType::i32;
  EXPECT_NE(message().find("not i32"), std::string::npos) << message();
  args.shape.dtype = DType::f32;
  const int64_t offsets[2] = {0, 1};
  args.shape.query_offsets = offsets;
  EXPECT_NE(message().find("key_offsets"), std::string::npos) << message();
  args.shape.key_offsets = offsets;
  args.shape.mask_kind = MaskKind::allowed;
  EXPECT_NE(message().find("no mask"), std::string::npos) << message();
  try {
    gpu::attention_rung("03_flash");
    FAIL() << "there is no such rung";
  } catch (const gpu::Error& error) {
    EXPECT_NE(std::string(error.what()).find("03_flash2"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace strata::test
