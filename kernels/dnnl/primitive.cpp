#include "kernels/dnnl/primitive.h"

#include <atomic>

namespace strata::onednn {
namespace {

std::atomic<uint64_t> made{0};

dnnl::primitive_attr attributes(const Epilogue& epilogue) {
  dnnl::primitive_attr attributes;
  dnnl::post_ops steps;
  if (epilogue.add_to_out) steps.append_sum(1.0f);
  if (epilogue.relu) {
#if DNNL_VERSION_MAJOR >= 3
    steps.append_eltwise(dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
#else
    steps.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
#endif
  }
  attributes.set_post_ops(steps);
  return attributes;
}

// Direct, not Winograd: Winograd pays for some shapes only and rounds differently.
constexpr auto direct = dnnl::algorithm::convolution_direct;

dnnl::convolution_forward::primitive_desc describe_forward(const ConvolutionLayouts& l,
                                                           const dnnl::primitive_attr& attributes) {
  constexpr auto training = dnnl::prop_kind::forward_training;
#if DNNL_VERSION_MAJOR >= 3
  return {engine(), training,   direct,          l.x,           l.weight,  l.bias, l.out,
          l.stride, l.dilation, l.padding_begin, l.padding_end, attributes};
#else
  dnnl::convolution_forward::desc description(training, direct, l.x, l.weight, l.bias, l.out,
                                              l.stride, l.dilation, l.padding_begin, l.padding_end);
  return {description, attributes, engine()};
#endif
}

}  // namespace

const dnnl::engine& engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

dnnl::stream& stream() {
  static thread_local dnnl::stream stream(engine());
  return stream;
}

uint64_t primitives_made() { return made.load(); }

Prepared::Prepared(const dnnl::primitive& primitive, const std::vector<Argument>& arguments)
    : primitive_(primitive), pointers_(arguments.size(), nullptr) {
  made.fetch_add(1, std::memory_order_relaxed);
  memories_.reserve(arguments.size());
  for (const Argument& argument : arguments) {
    memories_.push_back(Memory(argument.layout, engine(), DNNL_MEMORY_NONE));
    arguments_.push_back({argument.slot, memories_.back().get()});
  }
}

void Prepared::run(std::initializer_list<const void*> pointers) {
  size_t i = 0;
  for (const void* pointer : pointers) {
    if (pointers_[i] != pointer) {
      memories_[i].set_data_handle(const_cast<void*>(pointer));
      pointers_[i] = pointer;
    }
    ++i;
  }
  dnnl::error::wrap_c_api(
      dnnl_primitive_execute(primitive_.get(), stream().get(), static_cast<int>(arguments_.size()),
                             arguments_.data()),
      "could not execute a primitive");
}

Prepared prepare_reorder(const Layout& from, const Layout& to) {
  dnnl::reorder::primitive_desc description(engine(), from, engine(), to);
  return {dnnl::reorder(description), {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}}};
}

dnnl::matmul::primitive_desc describe_matmul(const Layout& a, const Layout& b, const Layout* bias,
                                             const Layout& out, const Epilogue& epilogue) {
  const Layout no_bias;
  const Layout& c = bias ? *bias : no_bias;
#if DNNL_VERSION_MAJOR >= 3
  return {engine(), a, b, c, out, attributes(epilogue)};
#else
  return {dnnl::matmul::desc(a, b, c, out), attributes(epilogue), engine()};
#endif
}

dnnl::convolution_forward::primitive_desc describe_convolution(const ConvolutionLayouts& layouts,
                                                               const Epilogue& epilogue) {
  return describe_forward(layouts, attributes(epilogue));
}

// The backward descriptions ask for the forward one as a hint.
dnnl::convolution_backward_data::primitive_desc describe_convolution_input_gradient(
    const ConvolutionLayouts& l) {
  auto hint = describe_forward(l, {});
#if DNNL_VERSION_MAJOR >= 3
  return {engine(),   direct,          l.x,           l.weight, l.out, l.stride,
          l.dilation, l.padding_begin, l.padding_end, hint};
#else
  dnnl::convolution_backward_data::desc description(direct, l.x, l.weight, l.out, l.stride,
                                                    l.dilation, l.padding_begin, l.padding_end);
  return {description, engine(), hint};
#endif
}

dnnl::convolution_backward_weights::primitive_desc describe_convolution_weight_gradient(
    const ConvolutionLayouts& l) {
  auto hint = describe_forward(l, {});
#if DNNL_VERSION_MAJOR >= 3
  return {engine(),   direct,          l.x,           l.weight, l.bias, l.out, l.stride,
          l.dilation, l.padding_begin, l.padding_end, hint};
#else
  dnnl::convolution_backward_weights::desc description(
      direct, l.x, l.weight, l.bias, l.out, l.stride, l.dilation, l.padding_begin, l.padding_end);
  return {description, engine(), hint};
#endif
}

}  // namespace strata::onednn
