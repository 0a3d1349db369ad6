// Kernels that compute each element alone: elementwise functions, random numbers, recurrent cells,
// optimisers. What counts is that every request is whole and that nothing is moved twice.
#include "kernels/elementwise/rungs.h"
#include "kernels/optim/optim.h"
#include "kernels/recurrent/recurrent.h"
#include "tools/xray/subjects.h"

namespace strata::xray {

namespace {

namespace rungs = gpu::elementwise;

const std::vector<DType> floats{DType::f32, DType::bf16, DType::f16, DType::f64};

// Arguments over [rows, C] whose operands have the given strides.
rungs::Work work_of(rungs::Kind kind, const Shape& s, DType dtype,
                    std::initializer_list<std::pair<void*, Shape>> operands) {
  rungs::Work work{.kind = kind, .args = {}};
  work.args.rank = 2;
  work.args.sizes[0] = s[0], work.args.sizes[1] = s[1];
  work.args.compute = dtype == DType::f64 ? DType::f64 : DType::f32;
  for (const auto& [data, strides] : operands) {
    const int k = work.args.operands++;
    work.args.data[k] = data, work.args.dtype[k] = dtype;
    work.args.strides[k][0] = strides[0], work.args.strides[k][1] = strides[1];
  }
  return work;
}

using Rung = void (*)(const rungs::Work&);
void by_vectors(const rungs::Work& work) { rungs::vectors(work, rungs::vector_size(work)); }

Prepare sum_of_two(Rung rung) {
  return [rung](Operands& o, const Shape& s, DType dtype) -> Ready {
    const int64_t n = s[0] * s[1];
    const Shape dense{s[1], 1};
    rungs::Work work = work_of(
        rungs::Kind::binary, s, dtype,
        {{o.empty(n, dtype), dense}, {o.random(n, dtype), dense}, {o.random(n, dtype), dense}});
    cpu::collapse(work.args);
    if (rung == by_vectors && rungs::vector_size(work) == 1)
      throw gpu::Error(fmt::format("elementwise/02_vector does not take {} of {}: see rung 1",
                                   to_string(s), name_of(dtype)));
    return {0, 3 * bytes_of(n, dtype), [=] { rung(work); }};
  };
}

// out [rows, C] from its transpose.
Prepare transposed_copy(Rung rung) {
  return [rung](Operands& o, const Shape& s, DType dtype) -> Ready {
    const int64_t n = s[0] * s[1];
    rungs::Work work = work_of(rungs::Kind::move, s, dtype,
                               {{o.empty(n, dtype), {s[1], 1}}, {o.random(n, dtype), {1, s[0]}}});
    cpu::collapse(work.args);
    if (rung == rungs::transpose && !rungs::transposes(work))
      throw gpu::Error(
          fmt::format("elementwise/03_transpose does not take {}: both sizes are 8 "
                      "or more",
                      to_string(s)));
    if (rung == rungs::transpose_blocks && !rungs::transposes_blocks(work))
      throw gpu::Error(fmt::format(
          "elementwise/04_transpose_blocks does not take {}: both sizes are whole vectors of 16 "
          "bytes, 8 elements or more",
          to_string(s)));
    return {0, 2 * bytes_of(n, dtype), [=] { rung(work); }};
  };
}

// gelu(x scale + shift), scale and shift a row each.
Ready chain(Operands& o, const Shape& s, DType dtype) {
  const int64_t n = s[0] * s[1];
  rungs::Work work = work_of(rungs::Kind::chain, s, dtype,
                             {{o.empty(n, dtype), {s[1], 1}},
                              {o.random(n, dtype), {s[1], 1}},
                              {o.random(s[1], dtype), {0, 1}},
                              {o.random(s[1], dtype), {0, 1}}});
  Chain steps;
  then(then(then(steps, Binary::mul, 2), Binary::add, 3), Unary::gelu);
  return {0, bytes_of(2 * n + 2 * s[1], dtype), [=]() mutable { gpu::chain(steps, work.args); }};
}

std::vector<Subject> elementwise_subjects() {
  const Shape shape{64, 1024};
  const char* axes = "rowsxC";
  return {
      made_by("elementwise/01_strided", "x + y, a thread an element", axes, shape, floats,
              sum_of_two(rungs::strided)),
      made_by("elementwise/02_vector", "x + y, 16 bytes an instruction", axes, shape, floats,
              sum_of_two(by_vectors)),
      made_by("elementwise/chain", "gelu(x scale + shift) in one pass", axes, shape, floats, chain),
      made_by("elementwise/01_strided/transpose", "a copy that turns two axes, by rung 1", axes,
              shape, floats, transposed_copy(rungs::strided)),
      made_by("elementwise/03_transpose", "the same through a tile in shared memory", axes, shape,
              floats, transposed_copy(rungs::transpose)),
      made_by("elementwise/04_transpose_blocks", "the same by squares in registers", axes, shape,
              floats, transposed_copy(rungs::transpose_blocks)),
  };
}

std::vector<Subject> random_subjects() {
  using cpu::RandomArgs;
  const Shape shape{65536};
  auto drawn = [](auto draw) {
    return [draw](Operands& o, const Shape& s, DType dtype) -> Ready {
      const RandomArgs args{o.empty(s[0], dtype), s[0], dtype, 1, 0};
      return {0, bytes_of(s[0], dtype), [=] { draw(args); }};
    };
  };
  auto dropout = [](Operands& o, const Shape& s, DType dtype) -> Ready {
    const RandomArgs args{o.empty(s[0], dtype), s[0], dtype, 1, 0};
    const void* x = o.random(s[0], dtype);
    return {0, 2 * bytes_of(s[0], dtype), [=] { gpu::dropout(args, x, 0.9, 1 / 0.9, nullptr); }};
  };
  auto permutation = [](Operands& o, const Shape& s, DType) -> Ready {
    const RandomArgs args{o.empty(s[0], DType::i64), s[0], DType::i64, 1, 0};
    return {0, bytes_of(s[0], DType::i64), [=] { gpu::permutation(args); }};
  };
  return {
      made_by("random/uniform", "a Philox block a thread", "count", shape, floats,
              drawn([](const RandomArgs& a) { gpu::uniform(a, -1, 1); })),
      made_by("random/normal", "Box and Muller, a pair at a time", "count", shape, floats,
              drawn([](const RandomArgs& a) { gpu::normal(a, 0, 1); })),
      made_by("random/dropout", "draw, scale and choose in one pass", "count", shape, floats,
              dropout),
      made_by("random/permutation", "targets in parallel, swaps by one thread", "count", {1024},
              {DType::f32}, permutation),
  };
}

std::vector<Subject> recurrent_subjects() {
  const Shape shape{64, 256};
  // Rows of `width` times H elements.
  auto rows = [](const Shape& s, int64_t width, void* data) { return Rows{data, width * s[1]}; };
  auto lstm = [=](Operands& o, const Shape& s, DType dtype) -> Ready {
    const int64_t n = s[0] * s[1];
    auto in = [&](int64_t width) { return rows(s, width, o.random(width * n, dtype)); };
    auto out = [&](int64_t width) { return rows(s, width, o.empty(width * n, dtype)); };
    const LstmArgs args{s[0], s[1], dtype, in(4), in(4), in(1), out(1), out(1), out(4)};
    return {0, 15 * bytes_of(n, dtype), [=] { gpu::lstm_step(args); }};
  };
  auto lstm_gradient = [=](Operands& o, const Shape& s, DType dtype) -> Ready {
    const int64_t n = s[0] * s[1];
    auto in = [&](int64_t width) { return rows(s, width, o.random(width * n, dtype)); };
    auto out = [&](int64_t width) { return rows(s, width, o.empty(width * n, dtype)); };
    const LstmGradientArgs args{s[0],  s[1],  dtype, in(4),  in(1),
                                in(1), in(1), in(1), out(4), out(1)};
    return {0, 13 * bytes_of(n, dtype), [=] { gpu::lstm_step_gradient(args); }};
  };
  auto gru = [=](Operands& o, const Shape& s, DType dtype) -> Ready {
    const int64_t n = s[0] * s[1];
    auto in = [&](int64_t width) { return rows(s, width, o.random(width * n, dtype)); };
    auto out = [&](int64_t width) { return rows(s, width, o.empty(width * n, dtype)); };
    const GruArgs args{s[0], s[1], dtype, in(3), in(3), in(1), out(1), out(4)};
    return {0, 12 * bytes_of(n, dtype), [=] { gpu::gru_step(args); }};
  };
  auto gru_gradient = [=](Operands& o, const Shape& s, DType dtype) -> Ready {
    const int64_t n = s[0] * s[1];
    auto in = [&](int64_t width) { return rows(s, width, o.random(width * n, dtype)); };
    auto out = [&](int64_t width) { return rows(s, width, o.empty(width * n, dtype)); };
    const GruGradientArgs args{s[0], s[1], dtype, in(4), in(1), in(1), out(3), out(3), out(1)};
    return {0, 13 * bytes_of(n, dtype), [=] { gpu::gru_step_gradient(args); }};
  };
  const char* axes = "NxH";
  return {
      made_by("recurrent/lstm_step", "gates, cell and hidden state in one pass", axes, shape,
              floats, lstm),
      made_by("recurrent/lstm_step/gradient", "its gradients", axes, shape, floats, lstm_gradient),
      made_by("recurrent/gru_step", "gates and hidden state in one pass", axes, shape, floats, gru),
      made_by("recurrent/gru_step/gradient", "its gradients", axes, shape, floats, gru_gradient),
  };
}

// `count` tensors of `size` elements with as many states.
std::vector<cpu::OptimTensor> tensors_of(Operands& o, const Shape& s, DType dtype, int states) {
  const DType state = dtype == DType::f64 ? DType::f64 : DType::f32;
  std::vector<cpu::OptimTensor> tensors;
  for (int64_t i = 0; i < s[0]; ++i) {
    cpu::OptimTensor t{o.random(s[1], dtype), o.random(s[1], dtype), {}, s[1], dtype};
    for (int k = 0; k < states; ++k) {
      t.state[k] = o.empty(s[1], state);
      gpu::fill_bytes(t.state[k], 0, static_cast<size_t>(s[1]) * size_of(state),
                      gpu::current_stream());
    }
    tensors.push_back(t);
  }
  return tensors;
}

std::vector<Subject> optim_subjects() {
  const Shape shape{16, 3000};
  const char* axes = "tensorsxsize";
  auto sgd = [](Operands& o, const Shape& s, DType dtype) -> Ready {
    const auto tensors = tensors_of(o, s, dtype, 0);
    return {0, 3 * bytes_of(s[0] * s[1], dtype), [=] {
              gpu::sgd(tensors, {.learning_rate = 0.1,
                                 .momentum = 0,
                                 .dampening = 0,
                                 .weight_decay = 0,
                                 .nesterov = false,
                                 .first_step = true});
            }};
  };
  auto adam = [](Operands& o, const Shape& s, DType dtype) -> Ready {
    const auto tensors = tensors_of(o, s, dtype, 2);
    const DType state = dtype == DType::f64 ? DType::f64 : DType::f32;
    const cpu::AdamArgs args{.learning_rate = 1e-3,
                             .beta1 = 0.9,
                             .beta2 = 0.999,
                             .epsilon = 1e-8,
                             .weight_decay = 0.01,
                             .correction1 = 0.1,
                             .correction2 = 0.001,
                             .decoupled = true};
    return {0, 3 * bytes_of(s[0] * s[1], dtype) + 4 * bytes_of(s[0] * s[1], state),
            [=] { gpu::adam(tensors, args); }};
  };
  auto norm = [](Operands& o, const Shape& s, DType dtype) -> Ready {
    const auto tensors = tensors_of(o, s, dtype, 0);
    return {0, bytes_of(s[0] * s[1], dtype), [=] { gpu::gradient_square_sum(tensors); }};
  };
  return {
      made_by("optim/sgd", "all tensors in one launch", axes, shape, floats, sgd),
      made_by("optim/adam", "AdamW, all tensors in one launch", axes, shape, floats, adam),
      made_by("optim/norm", "the sum of squares of all gradients", axes, shape, floats, norm),
  };
}

}  // namespace

std::vector<Subject> element_subjects() {
  std::vector<Subject> subjects;
  for (auto family : {elementwise_subjects, random_subjects, recurrent_subjects, optim_subjects})
    for (Subject& subject : family()) subjects.push_back(std::move(subject));
  return subjects;
}

}  // namespace strata::xray
