// Attention on the device against float64 loops: cases, the oracle, a runner of single rungs.
#pragma once

#include <string>
#include <vector>

#include "kernels/attention/rung.h"
#include "tests/kernels/support/gpu_test.h"

namespace strata::test {

// How the mask lies in [N, heads, T, S]; axes it lacks are broadcast.
enum class MaskShape { none, allowed_keys, allowed_pairs, added_pairs, added_all };

struct AttentionCase {
  std::string label;
  int64_t samples = 1, queries = 20, keys = 20, heads = 1, key_heads = 1, size = 32;
  bool causal = false;
  int64_t window = -1;
  MaskShape mask = MaskShape::none;
  bool strided = false;  // heads outside rows, and room between rows
  int64_t misalign = 0;  // elements by which data is off a multiple of 256 bytes
  double scale = 0;      // 0: 1 / sqrt(size)
  double amplitude = 1;  // of q and k
  // Offsets of packed samples; `queries` and `keys` are then the largest counts.
  std::vector<int64_t> query_offsets = {}, key_offsets = {};

  bool packed() const { return !query_offsets.empty(); }
  int64_t query_rows() const { return packed() ? query_offsets.back() : samples * queries; }
  int64_t key_rows() const { return packed() ? key_offsets.back() : samples * keys; }
  double factor() const { return scale != 0 ? scale : 1 / std::sqrt(static_cast<double>(size)); }
  bool has_mask() const { return mask != MaskShape::none; }
  bool added() const { return mask == MaskShape::added_pairs || mask == MaskShape::added_all; }
};

// Rows as in the dense arrays of attention.h; the mask as [N, heads, T, S], where an allowed one is
// 0 or -inf.
struct AttentionData {
  std::vector<double> q, k, v, dout, mask;
};

// Random values that T can hold.
template <class T>
AttentionData attention_data(const AttentionCase& c, uint64_t seed = 1) {
  auto values = [&](int64_t n, double amplitude) {
    const std::vector<T> narrow =
        random_values<T>(static_cast<size_t>(n), seed++, -amplitude, amplitude);
    return std::vector<double>(narrow.begin(), narrow.end());
  };
  AttentionData data;
  data.q = values(c.query_rows() * c.heads * c.size, c.amplitude);
  data.k = values(c.key_rows() * c.key_heads * c.size, c.amplitude);
  data.v = values(c.key_rows() * c.key_heads * c.size, 1);
  data.dout = values(c.query_rows() * c.heads * c.size, 1);
  if (!c.has_mask()) return data;
  const std::vector<double> random = values(c.samples * c.heads * c.queries * c.keys, 1);
  for (int64_t n = 0, i = 0; n < c.samples; ++n)
    for (int64_t h = 0; h < c.heads; ++h)
      for (int64_t t = 0; t < c.queries; ++t)
        for (int64_t j = 0; j < c.keys; ++j, ++i) {
          const bool rows = c.mask != MaskShape::allowed_keys;
          const bool all = c.mask == MaskShape::added_all;
          const int64_t from =
              (((all ? n : 0) * c.heads + (all ? h : 0)) * c.queries + (rows ? t : 0)) * c.keys + j;
          const double x = random[static_cast<size_t>(from)];
          data.mask.push_back(c.added() ? x : x > -0.5 ? 0 : -INFINITY);
        }
  return data;
}

struct AttentionResult {
  std::vector<double> out, log_sum_exp, dq, dk, dv, dmask;
};

// One query at a time, with every score of it in a vector. `round` is applied after each step of
// the chain: scores, probabilities, their gradients, results. With `magnitude`, each sum is of the
// absolute values of its terms: what rounding errors are in proportion to.
inline AttentionResult attention_oracle(
    const AttentionCase& c, const AttentionData& data, bool magnitude = false,
    const std::function<double(double)>& round = [](double x) { return x; }) {
  auto size = [](int64_t n) { return static_cast<size_t>(n); };
  AttentionResult r;
  r.out.assign(data.q.size(), 0);
  r.dq = r.out;
  r.log_sum_exp.assign(size(c.query_rows() * c.heads), -INFINITY);
  r.dk.assign(data.k.size(), 0);
  r.dv = r.dk;
  r.dmask.assign(data.mask.size(), 0);
  auto term = [&](double x) { return magnitude ? std::abs(x) : x; };
  for (int64_t n = 0; n < c.samples; ++n) {
    const int64_t first_query = c.packed() ? c.query_offsets[size(n)] : n * c.queries;
    const int64_t first_key = c.packed() ? c.key_offsets[size(n)] : n * c.keys;
    const int64_t T = c.packed() ? c.query_offsets[size(n + 1)] - first_query : c.queries;
    const int64_t S = c.packed() ? c.key_offsets[size(n + 1)] - first_key : c.keys;
    for (int64_t h = 0; h < c.heads; ++h) {
      const int64_t key_head = h / (c.heads / c.key_heads);
      auto key_at = [&](int64_t j) {
        return size(((first_key + j) * c.key_heads + key_head) * c.size);
      };
      for (int64_t t = 0; t < T; ++t) {
        const size_t query = size(((first_query + t) * c.heads + h) * c.size);
        const int64_t own = t + S - T;
        std::vector<double> score(size(S), -INFINITY), p(size(S), 0);
        double largest = -INFINITY, total = 0;
        for (int64_t j = 0; j < S; ++j) {
          if (c.causal && j > own) continue;
          if (c.window >= 0 && std::abs(j - own) > c.window) continue;
          double sum = 0;
          for (int64_t d = 0; d < c.size; ++d)
            sum += data.q[query + size(d)] * data.k[key_at(j) + size(d)];
          score[size(j)] = round(sum * c.factor());
          if (c.has_mask()) score[size(j)] += data.mask[size(((n * c.heads + h) * T + t) * S + j)];
          if (!(score[size(j)] <= largest)) largest = score[size(j)];
        }
        if (largest == -INFINITY) continue;
        for (int64_t j = 0; j < S; ++j) total += p[size(j)] = std::exp(score[size(j)] - largest);
        r.log_sum_exp[size(first_query * c.heads + h * T + t)] = largest + std::log(total);
        double delta = 0;
        for (int64_t j = 0; j < S; ++j) {
          if (score[size(j)] == -INFINITY) continue;
          p[size(j)] = round(p[size(j)] / total);
          for (int64_t d = 0; d < c.size; ++d)
            r.out[query + size(d)] += p[size(j)] * term(data.v[key_at(j) + size(d)]);
        }
        for (int64_t d = 0; d < c.size; ++d) {
          r.out[query + size(d)] = round(r.out[query + size(d)]);
          delta += term(data.dout[query + size(d)] * r.out[query + size(d)]);
        }
        for (int64_t j = 0; j < S; ++j) {
          if (score[size(j)] == -INFINITY) continue;
          double dp = 0;
          for (int64_t d = 0; d < c.size; ++d)
            dp += term(data.dout[query + size(d)] * data.v[key_at(j) + size(d)]);
          const double ds = round(p[size(j)] * (magnitude ? dp + delta : round(dp) - delta));
          if (c.has_mask()) r.dmask[size(((n * c.heads + h) * T + t) * S + j)] = ds;
          for (int64_t d = 0; d < c.size; ++d) {
            r.dq[query + size(d)] += term(c.factor() * ds * data.k[key_at(j) + size(d)]);
            r.dk[key_at(j) + size(d)] += term(c.factor() * ds * data.q[query + size(d)]);
            r.dv[key_at(j) + size(d)] += term(p[size(j)] * data.dout[query + size(d)]);
          }
        }
      }
    }
  }
  for (std::vector<double>* x : {&r.dq, &r.dk, &r.dv})
    for (double& value : *x) value = round(value);
  return r;
}

// What a rung leaves in device memory.
template <class T>
struct AttentionOutput {
  std::vector<T> out, dq, dk, dv, dmask;
  std::vector<Compute<T>> log_sum_exp;
};

// A head array on the device: dense rows, or [heads, rows, D] with room between rows.
template <class T>
class DeviceHeads {
 public:
  DeviceHeads(const AttentionCase& c, const std::vector<double>& dense, int64_t rows, int64_t heads)
      : row_(c.strided ? c.size + 8 : heads * c.size),
        head_(c.strided ? rows * row_ : c.size),
        buffer_(layout(c, dense, rows, heads), static_cast<size_t>(c.misalign)),
        sample_(c.packed() ? 0 : rows / std::max<int64_t>(c.samples, 1) * row_) {}
  HeadArray array() { return {buffer_.data(), sample_, row_, head_}; }

 private:
  std::vector<T> layout(const AttentionCase& c, const std::vector<double>& dense, int64_t rows,
                        int64_t heads) const {
    // What lies between rows is not a number: it must not be read into a result.
    std::vector<T> values(static_cast<size_t>(c.strided ? heads * head_ : rows * row_),
                          static_cast<T>(std::numeric_limits<float>::quiet_NaN()));
    for (int64_t i = 0; i < rows * heads * c.size; ++i) {
      const int64_t d = i % c.size, head = i / c.size % heads, row = i / c.size / heads;
      values[static_cast<size_t>(row * row_ + head * head_ + d)] =
          static_cast<T>(static_cast<float>(dense[static_cast<size_t>(i)]));
    }
    return values;
  }
  int64_t row_, head_;
  DeviceBuffer<T> buffer_;
  int64_t sample_;
};

// Runs the rungs of these names; "": the launcher's choice, "none": no backward pass.
template <class T>
AttentionOutput<T> run_attention(const AttentionCase& c, const AttentionData& data,
                                 const std::string& forward, const std::string& backward = "none") {
  using C = Compute<T>;
  DeviceHeads<T> q(c, data.q, c.query_rows(), c.heads), k(c, data.k, c.key_rows(), c.key_heads),
      v(c, data.v, c.key_rows(), c.key_heads), dout(c, data.dout, c.query_rows(), c.heads);
  DeviceBuffer<int64_t> query_offsets(c.query_offsets), key_offsets(c.key_offsets);
  const size_t misalign = static_cast<size_t>(c.misalign);
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
  s.q = q.array();
  s.k = k.array();
  s.v = v.array();
  if (c.packed()) {
    s.query_offsets = query_offsets.data();
    s.key_offsets = key_offsets.data();
  }
  std::vector<T> added;
  std::vector<unsigned char> allowed;
  for (double x : data.mask) {
    added.push_back(static_cast<T>(static_cast<float>(x)));
    allowed.push_back(x == 0);
  }
  DeviceBuffer<T> added_mask(added);
  DeviceBuffer<unsigned char> allowed_mask(allowed);
  if (c.has_mask()) {
    s.mask_kind = c.added() ? MaskKind::added : MaskKind::allowed;
    s.mask = c.added() ? static_cast<const void*>(added_mask.data()) : allowed_mask.data();
    const bool all = c.mask == MaskShape::added_all, rows = c.mask != MaskShape::allowed_keys;
    s.mask_strides[0] = all ? c.heads * c.queries * c.keys : 0;
    s.mask_strides[1] = all ? c.queries * c.keys : 0;
    s.mask_strides[2] = rows ? c.keys : 0;
    s.mask_strides[3] = 1;
  }
  DeviceBuffer<T> out(data.q.size(), misalign), dq(data.q.size(), misalign),
      dk(data.k.size(), misalign), dv(data.k.size(), misalign), dmask(data.mask.size());
  DeviceBuffer<C> log_sum_exp(static_cast<size_t>(c.query_rows() * c.heads));
  AttentionOutput<T> result;
  {
    const size_t bytes =
        forward.empty() ? gpu::attention_workspace(s) : gpu::attention_rung(forward).workspace(s);
    DeviceBuffer<unsigned char> workspace(bytes);
    const AttentionArgs args{s, out.data(), log_sum_exp.data(), workspace.data()};
    if (!forward.empty()) {
      EXPECT_TRUE(gpu::attention_rung(forward).supports(args)) << c.label;
    }
    forward.empty() ? gpu::attention(args) : gpu::attention_rung(forward).run(args);
    workspace.host();
    result.out = out.host();
    result.log_sum_exp = log_sum_exp.host();
  }
  if (backward == "none") return result;
  const size_t bytes = backward.empty() ? gpu::attention_gradient_workspace(s)
                                        : gpu::attention_gradient_rung(backward).workspace(s);
  DeviceBuffer<unsigned char> workspace(bytes);
  AttentionGradientArgs args;
  args.shape = s;
  args.dout = dout.array();
  args.out = out.data();
  args.log_sum_exp = log_sum_exp.data();
  args.dq = dq.data();
  args.dk = dk.data();
  args.dv = dv.data();
  args.dmask = c.has_mask() ? dmask.data() : nullptr;
  args.workspace = workspace.data();
  if (!backward.empty()) {
    EXPECT_TRUE(gpu::attention_gradient_rung(backward).supports(args)) << c.label;
  }
  backward.empty() ? gpu::attention_gradient(args)
                   : gpu::attention_gradient_rung(backward).run(args);
  workspace.host();
  result.dq = dq.host();
  result.dk = dk.host();
  result.dv = dv.host();
  result.dmask = dmask.host();
  return result;
}

// f32 and f64: each element within 8 sqrt(T + S + D) u (1 + typical score) of the sum of
// magnitudes: an error of a score is a relative error of its probability. 16 bits: within twice the
// largest error of the chain that rounds after each step, plus one roundoff of the largest element.
template <class T>
void expect_close(const AttentionCase& c, const AttentionData& data, const AttentionOutput<T>& run,
                  bool gradients) {
  const AttentionResult expected = attention_oracle(c, data);
  const bool narrow = sizeof(T) == 2;
  const AttentionResult allowance =
      narrow
          ? attention_oracle(c, data, false,
                             [](double x) { return static_cast<double>(T(static_cast<float>(x))); })
          : attention_oracle(c, data, true);
  const double u = std::is_same_v<T, double> ? 0x1p-53 : 0x1p-24;
  const double score =
      std::abs(c.factor()) * c.amplitude * c.amplitude * std::sqrt(static_cast<double>(c.size));
  const double growth =
      8 * std::sqrt(static_cast<double>(c.queries + c.keys + c.size)) * u * (1 + score);
  auto compare = [&](const auto& actual, const std::vector<double>& oracle,
                     const std::vector<double>& other, const char* what) {
    double worst = 0, largest = 0;
    for (size_t i = 0; i < oracle.size(); ++i) {
      worst = std::max(worst, std::abs(other[i] - oracle[i]));
      largest = std::max(largest, std::abs(oracle[i]));
    }
    const double atol = unit_roundoff<T>() * largest;
    expect_within(
        actual, oracle,
        [&](size_t i) { return narrow ? 2 * worst + atol : growth * other[i] + growth * 1e-3; },
        (c.label + ": " + what).c_str());
  };
  compare(run.out, expected.out, allowance.out, "out");
  expect_within(
      run.log_sum_exp, expected.log_sum_exp,
      [&](size_t i) { return growth * (std::abs(expected.log_sum_exp[i]) + 1); },
      (c.label + ": log-sum-exp").c_str());
  if (!gradients) return;
  compare(run.dq, expected.dq, allowance.dq, "dq");
  compare(run.dk, expected.dk, allowance.dk, "dk");
  compare(run.dv, expected.dv, allowance.dv, "dv");
  compare(run.dmask, expected.dmask, allowance.dmask, "dmask");
}

template <class T>
void expect_attention(const AttentionCase& c, const std::string& forward,
                      const std::string& backward = "none") {
  const AttentionData data = attention_data<T>(c);
  expect_close(c, data, run_attention<T>(c, data, forward, backward), backward != "none");
}

}  // namespace strata::test
