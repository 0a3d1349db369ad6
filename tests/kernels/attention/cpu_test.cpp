// The CPU twin on what the engine's tests do not reach: windows and packed samples.
#include <cstdlib>

#include "tests/kernels/attention/attention_support.h"

namespace strata::test {
namespace {

template <class T>
void expect_cpu(const AttentionCase& c) {
  const AttentionData data = attention_data<T>(c);
  std::vector<T> q(data.q.begin(), data.q.end()), k(data.k.begin(), data.k.end()),
      v(data.v.begin(), data.v.end()), dout(data.dout.begin(), data.dout.end());
  auto array = [&](const std::vector<T>& x, int64_t rows, int64_t heads) {
    return HeadArray{x.data(), rows * heads * c.size, heads * c.size, c.size};
  };
  AttentionShape s;
  s.samples = c.samples;
  s.queries = c.queries;
  s.keys = c.keys;
  s.heads = c.heads;
  s.key_heads = c.key_heads;
  s.size = c.size;
  s.scale = c.factor();
  s.causal = c.causal;
  s.window = c.window;
  s.dtype = dtype_of<T>();
  s.q = array(q, c.queries, c.heads);
  s.k = array(k, c.keys, c.key_heads);
  s.v = array(v, c.keys, c.key_heads);
  if (c.packed()) {
    s.query_offsets = c.query_offsets.data();
    s.key_offsets = c.key_offsets.data();
  }
  AttentionOutput<T> run;
  run.out.resize(q.size());
  run.dq.resize(q.size());
  run.dk.resize(k.size());
  run.dv.resize(k.size());
  run.log_sum_exp.resize(static_cast<size_t>(c.query_rows() * c.heads));
  auto workspace = [](size_t bytes) {
    return std::unique_ptr<void, decltype(&std::free)>(
        std::aligned_alloc(64, (bytes + 127) / 64 * 64), std::free);
  };
  cpu::attention(
      {s, run.out.data(), run.log_sum_exp.data(), workspace(cpu::attention_workspace(s)).get()});
  AttentionGradientArgs args;
  args.shape = s;
  args.dout = array(dout, c.queries, c.heads);
  args.out = run.out.data();
  args.log_sum_exp = run.log_sum_exp.data();
  args.dq = run.dq.data();
  args.dk = run.dk.data();
  args.dv = run.dv.data();
  const auto scratch = workspace(cpu::attention_gradient_workspace(s));
  args.workspace = scratch.get();
  cpu::attention_gradient(args);
  expect_close(c, data, run, true);
}

TEST(AttentionOnTheCpu, WindowsAndPackedSamples) {
  const AttentionCase cases[] = {
      {.label = "window", .queries = 300, .keys = 300, .causal = true, .window = 20},
      {.label = "window both ways", .queries = 200, .keys = 330, .window = 30},
      {.label = "window, many heads",
       .queries = 150,
       .keys = 150,
       .heads = 16,
       .key_heads = 16,
       .size = 8,
       .window = 10},
      {.label = "window, some see nothing", .queries = 100, .keys = 40, .window = 3},
      {.label = "packed",
       .samples = 4,
       .queries = 90,
       .keys = 80,
       .heads = 4,
       .key_heads = 2,
       .causal = true,
       .query_offsets = {0, 13, 13, 103, 104},
       .key_offsets = {0, 13, 20, 100, 133}}};
  for (const AttentionCase& c : cases) {
    expect_cpu<float>(c);
    expect_cpu<double>(c);
  }
}

}  // namespace
}  // namespace strata::test
