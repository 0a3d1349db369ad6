// cuDNN's convolutions and attention, as graphs of its backend API.
#include <fmt/format.h>

#include <limits>

#include "bench/gpu/cudnn_graph.h"
#include "bench/gpu/rivals.h"

namespace strata::bench {

namespace {

using gpu::conv::Pass;
using Sizes = std::vector<int64_t>;

// ---- convolution: axes in the order N, C, H, W; memory NHWC and OHWI ----

Sizes channels_last(const Sizes& s) { return {s[1] * s[2] * s[3], 1, s[1] * s[3], s[1]}; }

CudnnDescriptor convolution_of(const ConvShape& s) {
  const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
  CudnnDescriptor made(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  made.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, int64_t{2})
      .set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT)
      .set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode)
      .set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, Sizes{s.top, s.left})
      .set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, Sizes{s.bottom, s.right})
      .set(CUDNN_ATTR_CONVOLUTION_DILATIONS, Sizes{s.dilation_h, s.dilation_w})
      .set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, Sizes{s.stride_h, s.stride_w});
  return made.finalize();
}

// The names of the attributes of the three passes' operations.
struct PassNames {
  cudnnBackendDescriptorType_t operation;
  cudnnBackendAttributeName_t convolution, image, weight, result, alpha, beta;
};
constexpr PassNames names_of(Pass pass) {
  switch (pass) {
    case Pass::forward:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA};
    case Pass::input_gradient:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA};
    case Pass::weight_gradient:
      break;
  }
  return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA};
}

enum Number : int64_t { image = 1, weight, result };

CudnnGraph::Bindings bindings_of(const gpu::conv::Problem& p) {
  const auto pointer = [](const void* data) { return const_cast<void*>(data); };
  return {{image, p.pass == Pass::input_gradient ? p.out : pointer(p.x)},
          {weight, p.pass == Pass::weight_gradient ? p.out : pointer(p.weight)},
          {result, p.pass == Pass::forward ? p.out : pointer(p.gradient)}};
}

Rival conv_rival(const std::vector<gpu::conv::Problem>& sets) {
  const ConvShape& s = sets[0].shape;
  const cudnnDataType_t type = cudnn_type(s.dtype);
  const Sizes x{s.N, s.C, s.H, s.W}, w{s.O, s.C / s.groups, s.R, s.S}, y{s.N, s.O, s.P, s.Q};
  CudnnGraph graph;
  const PassNames names = names_of(sets[0].pass);
  CudnnDescriptor operation(names.operation);
  operation.set(names.convolution, std::vector{convolution_of(s)})
      .set(names.image, std::vector{graph.tensor(type, x, channels_last(x), image)})
      .set(names.weight, std::vector{graph.tensor(type, w, channels_last(w), weight)})
      .set(names.result, std::vector{graph.tensor(type, y, channels_last(y), result)});
  const float one = 1, zero = 0;
  operation.set(names.alpha, CUDNN_TYPE_FLOAT, 1, &one).set(names.beta, CUDNN_TYPE_FLOAT, 1, &zero);
  graph.add(operation);
  std::vector<CudnnGraph::Bindings> bindings;
  for (const auto& set : sets) bindings.push_back(bindings_of(set));
  return {"cuDNN", graph.plan(bindings), {}};
}

// ---- attention: axes N, heads, T, D; the graph that cuDNN runs as one kernel ----

enum AttentionNumber : int64_t { q = 1, k, v, out, statistics, scale, minus_infinity };

// Scores below the diagonal, -inf above.
CudnnDescriptor masked(CudnnGraph& graph, const CudnnDescriptor& scores, const Sizes& size) {
  const CudnnDescriptor row = graph.between(CUDNN_DATA_INT32, size),
                        column = graph.between(CUDNN_DATA_INT32, size),
                        seen = graph.between(CUDNN_DATA_BOOLEAN, size),
                        result = graph.between(CUDNN_DATA_FLOAT, size);
  graph.pointwise({CUDNN_POINTWISE_GEN_INDEX, CUDNN_DATA_INT32, 2}, {scores}, row);
  graph.pointwise({CUDNN_POINTWISE_GEN_INDEX, CUDNN_DATA_INT32, 3}, {scores}, column);
  graph.pointwise({CUDNN_POINTWISE_CMP_GE, CUDNN_DATA_BOOLEAN}, {row, column}, seen);
  graph.pointwise({CUDNN_POINTWISE_BINARY_SELECT}, {scores, graph.number(4, minus_infinity), seen},
                  result);
  return result;
}

// exp(s - max) / sum, and max + log sum, which the backward pass needs.
CudnnDescriptor softmax(CudnnGraph& graph, const CudnnDescriptor& scores, const Sizes& size,
                        const CudnnDescriptor& log_sum_exp, cudnnDataType_t type) {
  const Sizes row{size[0], size[1], size[2], 1};
  const CudnnDescriptor most = graph.between(CUDNN_DATA_FLOAT, row),
                        sum = graph.between(CUDNN_DATA_FLOAT, row),
                        log_sum = graph.between(CUDNN_DATA_FLOAT, row),
                        below = graph.between(CUDNN_DATA_FLOAT, size),
                        powers = graph.between(CUDNN_DATA_FLOAT, size),
                        result = graph.between(type, size);
  graph.reduction(CUDNN_REDUCE_TENSOR_MAX, scores, most);
  graph.pointwise({CUDNN_POINTWISE_SUB}, {scores, most}, below);
  graph.pointwise({CUDNN_POINTWISE_EXP}, {below}, powers);
  graph.reduction(CUDNN_REDUCE_TENSOR_ADD, powers, sum);
  graph.pointwise({CUDNN_POINTWISE_LOG}, {sum}, log_sum);
  graph.pointwise({CUDNN_POINTWISE_ADD}, {most, log_sum}, log_sum_exp);
  graph.pointwise({CUDNN_POINTWISE_DIV}, {powers, sum}, result);
  return result;
}

Rival attention_rival(const std::vector<AttentionArgs>& sets) {
  const AttentionShape& s = sets[0].shape;
  const cudnnDataType_t type = cudnn_type(s.dtype);
  const Sizes scores{s.samples, s.heads, s.queries, s.keys};
  const Sizes rows{s.samples, s.heads, s.queries, s.size};
  CudnnGraph graph;
  const CudnnDescriptor queries = graph.tensor(type, rows, {s.q.sample, s.q.head, s.q.row, 1}, q);
  const CudnnDescriptor keys = graph.tensor(type, {s.samples, s.heads, s.size, s.keys},
                                            {s.k.sample, s.k.head, 1, s.k.row}, k);
  const CudnnDescriptor values = graph.tensor(type, rows, {s.v.sample, s.v.head, s.v.row, 1}, v);
  const CudnnDescriptor log_sum_exp =
      graph.tensor(CUDNN_DATA_FLOAT, {s.samples, s.heads, s.queries, 1},
                   {s.heads * s.queries, s.queries, 1, 1}, statistics);
  const CudnnDescriptor products = graph.between(CUDNN_DATA_FLOAT, scores),
                        scaled = graph.between(CUDNN_DATA_FLOAT, scores);
  graph.product(queries, keys, products);
  graph.pointwise({CUDNN_POINTWISE_MUL}, {products, graph.number(4, scale)}, scaled);
  const CudnnDescriptor visible = s.causal ? masked(graph, scaled, scores) : scaled;
  const CudnnDescriptor weights = softmax(graph, visible, scores, log_sum_exp, type);
  graph.product(
      weights, values,
      graph.tensor(type, rows, {s.queries * s.heads * s.size, s.size, s.heads * s.size, 1}, out));

  // Numbers passed by value must stay.
  const auto numbers = std::make_shared<std::pair<float, float>>(
      static_cast<float>(s.scale), std::numeric_limits<float>::lowest());
  std::vector<CudnnGraph::Bindings> bindings;
  for (const AttentionArgs& set : sets) {
    CudnnGraph::Bindings b = {{q, const_cast<void*>(set.shape.q.data)},
                              {k, const_cast<void*>(set.shape.k.data)},
                              {v, const_cast<void*>(set.shape.v.data)},
                              {out, set.out},
                              {statistics, set.log_sum_exp},
                              {scale, &numbers->first}};
    if (s.causal) b[minus_infinity] = &numbers->second;
    bindings.push_back(b);
  }
  return {"cuDNN", graph.plan(bindings), {numbers}};
}

template <class Sets>
Rivals only(Rival (*make)(const Sets&), const Sets& sets) {
  Rivals rivals;
  if (!cudnn_installed()) {
    rivals.notes.push_back("cuDNN 9 is not installed");
    return rivals;
  }
  try {
    rivals.found.push_back(make(sets));
  } catch (const std::exception& error) {
    rivals.notes.push_back(fmt::format("cuDNN: {}", error.what()));
  }
  return rivals;
}

}  // namespace

Rivals conv_rivals(const std::vector<gpu::conv::Problem>& sets) { return only(conv_rival, sets); }
Rivals attention_rivals(const std::vector<AttentionArgs>& sets) {
  return only(attention_rival, sets);
}

}  // namespace strata::bench
