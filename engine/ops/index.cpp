// Indexing ops over one kernel; see index.h. A list of rows is an index of stride 0 along the other
// axes, so index_select and index_add are gather and scatter_add with that view.
#include "engine/ops/index.h"

#include "engine/autograd/autograd.h"
#include "engine/ops/create.h"
#include "engine/ops/detail/check.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/view.h"
#include "engine/tensor/allocator.h"
#include "kernels/index/index.h"

namespace strata {
namespace {

using detail::check_defined;

void check_type(const char* op, const Tensor& index, Caller at) {
  if (index.dtype() == DType::i64 || index.dtype() == DType::i32) return;
  fail(op, at, "index {} must be i64 or i32; convert it with to(DType::i64)", describe(index));
}

// Every index lies in [0, size), the size of `what`.
void check_range(const char* op, const Tensor& index, int64_t size, const std::string& what,
                 Caller at) {
  if (capturing(index.device())) return;  // it was looked at when the step was first run
  int64_t flat =
      on(index.device(), op, at, cpu::find_bad_index, gpu::find_bad_index, index.raw(),
         index.dtype(), index.rank(), index.shape().begin(), index.strides().begin(), size);
  if (flat < 0) return;
  Dims position = index.shape();
  for (int i = index.rank() - 1; i >= 0; --i) {
    position[i] = flat % index.shape()[i];
    flat /= index.shape()[i];
  }
  int64_t offset = index.offset();
  for (int i = 0; i < index.rank(); ++i) offset += position[i] * index.strides()[i];
  int64_t value = make_view(index, {}, {}, offset).to_vector<int64_t>()[0];
  fail(op, at,
       "index {} at position {} of {} is outside {}, which has size {} (allowed: 0 to {}){}", value,
       to_string(position), describe(index), what, size, size - 1,
       value < 0 ? "; indices do not count from the end" : "");
}

int check_gather(const char* op, const Tensor& x, int axis, const Tensor& index, Caller at) {
  check_defined(op, "x", x, at);
  check_defined(op, "index", index, at);
  detail::check_one_device(op, {&x, &index}, at);
  axis = normalize_axis(op, axis, x.rank(), at);
  check_type(op, index, at);
  if (index.rank() != x.rank()) {
    fail(op, at, "index {} must have as many axes as {}: {}, not {}", describe(index), describe(x),
         x.rank(), index.rank());
  }
  for (int i = 0; i < x.rank(); ++i) {
    if (i != axis && index.shape()[i] > x.shape()[i]) {
      fail(op, at, "index {} is longer than {} along axis {}; only axis {} may differ",
           describe(index), describe(x), i, axis);
    }
  }
  check_range(op, index, x.shape()[axis], fmt::format("axis {} of {}", axis, describe(x)), at);
  return axis;
}

int check_rows(const char* op, const Tensor& x, int axis, const Tensor& index, Caller at) {
  check_defined(op, "x", x, at);
  check_defined(op, "index", index, at);
  detail::check_one_device(op, {&x, &index}, at);
  axis = normalize_axis(op, axis, x.rank(), at);
  check_type(op, index, at);
  if (index.rank() != 1) {
    fail(op, at, "index {} must have one axis, not {}; gather() takes one of x's shape",
         describe(index), index.rank());
  }
  check_range(op, index, x.shape()[axis], fmt::format("axis {} of {}", axis, describe(x)), at);
  return axis;
}

void check_source(const char* op, const Tensor& x, const Dims& shape, const Tensor& source,
                  Caller at) {
  check_defined(op, "source", source, at);
  detail::check_one_device(op, {&x, &source}, at);
  if (source.shape() != shape) {
    fail(op, at, "source {} must have the shape {} that the index asks for", describe(source),
         to_string(shape));
  }
  if (source.dtype() != x.dtype()) {
    fail(op, at, "source {} and x {} must have one type; convert one with to(DType::{})",
         describe(source), describe(x), name_of(x.dtype()));
  }
}

// A rank-1 index as one of `shape`, the same along every axis but `axis`.
Tensor as_rows(const Tensor& index, const Dims& shape, int axis) {
  Dims strides = Dims::filled(shape.rank(), 0);
  strides[axis] = index.strides()[0];
  return make_view(index, shape, strides, index.offset());
}

cpu::IndexArgs index_args(const Tensor& target, int axis, const Tensor& index,
                          const Tensor& source) {
  cpu::IndexArgs args;
  args.target = target.raw();
  args.source = source.raw();
  args.index = index.raw();
  args.dtype = target.dtype();
  args.index_type = index.dtype();
  args.rank = index.rank();
  args.axis = axis;
  args.target_size = target.shape()[axis];
  args.shape = index.shape().begin();
  args.target_strides = target.strides().begin();
  args.source_strides = source.strides().begin();
  args.index_strides = index.strides().begin();
  return args;
}

Tensor read(const char* op, const Tensor& x, int axis, const Tensor& index, Caller at) {
  memory::Holder holder(op);
  Tensor out = empty(index.shape(), x.dtype(), x.device());
  on(x.device(), op, at, cpu::gather, gpu::gather, index_args(x, axis, index, out));
  return out;
}

// A copy of x with source added at the index.
Tensor add_at(const char* op, const Tensor& x, int axis, const Tensor& index, const Tensor& source,
              Caller at) {
  if (x.dtype() == DType::boolean) {
    fail(op, at, "{} cannot be added to; convert it with to(DType::i64)", describe(x));
  }
  NoGrad off;
  memory::Holder holder(op);
  if (size_of(x.dtype()) == 2) {
    Tensor wide =
        add_at(op, to_dtype(x, DType::f32, at), axis, index, to_dtype(source, DType::f32, at), at);
    return to_dtype(wide, x.dtype(), at);
  }
  Tensor out = clone(x.detach(), at);
  on(x.device(), op, at, cpu::scatter_add, gpu::scatter_add, index_args(out, axis, index, source));
  return out;
}

}  // namespace

Tensor gather(const Tensor& x, int wanted, const Tensor& index, Caller at) {
  int axis = check_gather("gather", x, wanted, index, at);
  return record(read("gather", x, axis, index, at), "gather", at, {x}, {index},
                [shape = x.shape(), axis, at](const Tensor& g, const Saved& saved) {
                  Tensor nothing = zeros(shape, g.dtype(), g.device());
                  return Gradients{scatter_add(nothing, axis, saved[0], g, at)};
                });
}

Tensor scatter_add(const Tensor& x, int wanted, const Tensor& index, const Tensor& source,
                   Caller at) {
  int axis = check_gather("scatter_add", x, wanted, index, at);
  check_source("scatter_add", x, index.shape(), source, at);
  return record(add_at("scatter_add", x, axis, index, source, at), "scatter_add", at, {x, source},
                {index}, [axis, at](const Tensor& g, const Saved& saved) {
                  return Gradients{g, saved.needs(1) ? gather(g, axis, saved[0], at) : Tensor()};
                });
}

Tensor scatter(const Tensor& x, int wanted, const Tensor& index, const Tensor& source, Caller at) {
  int axis = check_gather("scatter", x, wanted, index, at);
  check_source("scatter", x, index.shape(), source, at);
  memory::Holder holder("scatter");
  Tensor out;
  {
    NoGrad off;
    out = clone(x.detach(), at);
    on(x.device(), "scatter", at, cpu::scatter, gpu::scatter, index_args(out, axis, index, source));
  }
  auto vjp = [shape = x.shape(), axis, at](const Tensor& g, const Saved& saved) {
    const Tensor index = saved[0];
    Gradients gradients(2);
    if (saved.needs(0)) {
      Tensor nothing = zeros(index.shape(), g.dtype(), g.device());
      gradients[0] = scatter(g, axis, index, nothing, at);
    }
    if (saved.needs(1)) {
      // Which write won at each place, and so whether this one did.
      Tensor order = reshape(arange(1, static_cast<double>(index.numel()) + 1).to(index.device()),
                             index.shape(), at);
      Tensor winner = scatter(zeros(shape, DType::i64, index.device()), axis, index, order, at);
      Tensor won = equal(gather(winner, axis, index, at), order, at);
      Tensor back = gather(g, axis, index, at);
      gradients[1] = where(won, back, zeros_like(back), at);
    }
    return gradients;
  };
  return record(std::move(out), "scatter", at, {x, source}, {index}, vjp);
}

Tensor index_select(const Tensor& x, int wanted, const Tensor& index, Caller at) {
  int axis = check_rows("index_select", x, wanted, index, at);
  Dims shape = x.shape();
  shape[axis] = index.numel();
  Tensor out = read("index_select", x, axis, as_rows(index, shape, axis), at);
  return record(std::move(out), "index_select", at, {x}, {index},
                [before = x.shape(), axis, at](const Tensor& g, const Saved& saved) {
                  Tensor nothing = zeros(before, g.dtype(), g.device());
                  return Gradients{index_add(nothing, axis, saved[0], g, at)};
                });
}

Tensor index_add(const Tensor& x, int wanted, const Tensor& index, const Tensor& source,
                 Caller at) {
  int axis = check_rows("index_add", x, wanted, index, at);
  Dims shape = x.shape();
  shape[axis] = index.numel();
  check_source("index_add", x, shape, source, at);
  Tensor out = add_at("index_add", x, axis, as_rows(index, shape, axis), source, at);
  return record(
      std::move(out), "index_add", at, {x, source}, {index},
      [axis, at](const Tensor& g, const Saved& saved) {
        return Gradients{g, saved.needs(1) ? index_select(g, axis, saved[0], at) : Tensor()};
      });
}

Tensor embedding(const Tensor& table, const Tensor& index, Caller at) {
  check_defined("embedding", "table", table, at);
  check_defined("embedding", "index", index, at);
  detail::check_one_device("embedding", {&table, &index}, at);
  if (table.rank() != 2) {
    fail("embedding", at, "table {} must be [V, C]: rows of C features", describe(table));
  }
  check_type("embedding", index, at);
  check_range("embedding", index, table.shape()[0], "table " + describe(table), at);
  Dims shape = index.shape();
  shape.push_back(table.shape()[1]);
  Tensor list = index.is_contiguous() ? reshape(index, {index.numel()}, at)
                                      : reshape(contiguous(index, at), {index.numel()}, at);
  Tensor rows = read("embedding", table, 0, as_rows(list, {list.numel(), table.shape()[1]}, 0), at);
  Tensor out = make_view(rows, shape, contiguous_strides(shape), 0);
  return record(std::move(out), "embedding", at, {table}, {list},
                [before = table.shape(), at](const Tensor& g, const Saved& saved) {
                  const Tensor list = saved[0];
                  Tensor nothing = zeros(before, g.dtype(), g.device());
                  Tensor rows = reshape(g, {list.numel(), before[1]}, at);
                  return Gradients{index_add(nothing, 0, list, rows, at)};
                });
}

Tensor one_hot(const Tensor& index, int64_t classes, DType dtype, Caller at) {
  check_defined("one_hot", "index", index, at);
  check_type("one_hot", index, at);
  if (classes < 0) fail("one_hot", at, "{} classes: there cannot be fewer than 0", classes);
  check_range("one_hot", index, classes, fmt::format("{} classes", classes), at);
  memory::Holder holder("one_hot");
  Dims shape = index.shape();
  shape.push_back(classes);
  Tensor out = zeros(shape, dtype, index.device()), one = ones({}, dtype, index.device());
  Dims places = index.shape(), strides = index.strides();
  places.push_back(1);
  strides.push_back(1);
  Tensor last = make_view(index, places, strides, index.offset());
  Tensor source = make_view(one, places, Dims::filled(places.rank(), 0), 0);
  on(index.device(), "one_hot", at, cpu::scatter, gpu::scatter,
     index_args(out, index.rank(), last, source));
  return record(std::move(out), "one_hot", at);
}

}  // namespace strata
