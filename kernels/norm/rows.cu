// The launcher of the row norms: which rung runs; and the sums over rows, dscale and dshift.
#include "kernels/gpu/scratch.h"
#include "kernels/norm/row_chunks.h"
#include "kernels/norm/rung.h"

namespace strata::gpu {
namespace {

constexpr int rows_of_block = 8;

// Blocks of 32 columns and 8 rows; blockIdx.y takes its share of the rows. partial is
// [gridDim.y][2][C].
template <class T>
__global__ void __launch_bounds__(32 * rows_of_block, 1)
    row_norm_parameter_kernel(RowNormGradientArgs args, Compute<T>* partial) {
  using C = Compute<T>;
  const int n = static_cast<int>(args.channels);
  const int column = static_cast<int>(blockIdx.x * 32 + threadIdx.x);
  Sums<C, 2> sums{};
  if (column < n) {
    for (int64_t row = int64_t{blockIdx.y} * rows_of_block + threadIdx.y; row < args.rows;
         row += int64_t{gridDim.y} * rows_of_block) {
      const auto of = saved_statistics<C>(args, row);
      const C g = to_compute(static_cast<const T*>(args.dy)[row * n + column]);
      const C x = to_compute(static_cast<const T*>(args.x)[row * n + column]);
      sums = sums + Sums<C, 2>{g * ((x - of.mean) * of.inverse), g};
    }
  }
  sums = column_combine<rows_of_block>(sums, Add{});
  if (threadIdx.y != 0 || column >= n) return;
  partial += int64_t{blockIdx.y} * 2 * n;
  partial[column] = sums.value[0];
  partial[n + column] = sums.value[1];
}

// Blocks of 32 columns, and Rows parts at a time.
template <int Rows, class C>
__global__ void __launch_bounds__(32 * Rows, 1)
    sum_parameter_partials_kernel(const C* partial, int parts, int n, C* dscale, C* dshift) {
  const int column = static_cast<int>(blockIdx.x * 32 + threadIdx.x);
  Sums<double, 2> sums{};
  if (column < n)
    for (int64_t part = threadIdx.y; part < parts; part += Rows)
      sums = sums + Sums<double, 2>{static_cast<double>(partial[part * 2 * n + column]),
                                    static_cast<double>(partial[(part * 2 + 1) * n + column])};
  sums = column_combine<Rows>(sums, Add{});
  if (threadIdx.y != 0 || column >= n) return;
  if (dscale) dscale[column] = static_cast<C>(sums.value[0]);
  if (dshift) dshift[column] = static_cast<C>(sums.value[1]);
}

}  // namespace

// Few columns make few blocks, which then have 32 loads of a column under way instead of 8.
void sum_parameter_partials(const RowNormGradientArgs& args, const void* partial, int parts) {
  const unsigned blocks = divide_up(args.channels, 32);
  auto run = [&]<int Rows, class C>() {
    launch<sum_parameter_partials_kernel<Rows, C>>(
        {.grid = blocks, .block = dim3(32, Rows)}, static_cast<const C*>(partial), parts,
        static_cast<int>(args.channels), static_cast<C*>(args.dscale),
        static_cast<C*>(args.dshift));
  };
  const bool few = blocks < static_cast<unsigned>(device().multiprocessors);
  if (args.dtype == DType::f64)
    few ? run.template operator()<32, double>() : run.template operator()<8, double>();
  else
    few ? run.template operator()<32, float>() : run.template operator()<8, float>();
}

void row_norm_parameter_gradient(const RowNormGradientArgs& args) {
  if (!args.dscale && !args.dshift) return;
  const unsigned columns = divide_up(args.channels, 32);
  const unsigned wanted = divide_up(args.rows, rows_of_block * 4);
  const unsigned room = divide_up(8 * device().multiprocessors, columns);
  const unsigned parts = wanted < room ? wanted : room;
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    const Scratch partial(sizeof(Compute<T>) * parts * 2 * static_cast<size_t>(args.channels));
    launch<row_norm_parameter_kernel<T>>(
        {.grid = dim3(columns, parts), .block = dim3(32, rows_of_block)}, args,
        partial.as<Compute<T>>());
    sum_parameter_partials(args, partial.as<Compute<T>>(), static_cast<int>(parts));
  });
}

const RowNormRung& pick_row_norm(const RowNormArgs& args) {
  const RowNormRung &one_pass = row_norm_rungs[1], &registers = row_norm_rungs[2],
                    &cluster = row_norm_rungs[3], &stream = row_norm_rungs[4];
  if (row_norm_wants_stream(args)) return stream;       // 1 read, many rows
  if (row_norm_fits_registers(args)) return registers;  // 1 read: up to 16384 elements of 16 bits
  if (row_norm_fits_cluster(args)) return cluster;      // 1 read: up to 900 thousand on sm_90
  return one_pass;                                      // 2 reads
}
const RowNormRung& pick_row_norm_gradient(const RowNormGradientArgs& args) {
  const RowNormRung &one_pass = row_norm_rungs[1], &registers = row_norm_rungs[2],
                    &cluster = row_norm_rungs[3], &stream = row_norm_rungs[4];
  if (row_norm_gradient_wants_stream(args)) return stream;  // 1 read, many rows
  if (row_norm_gradient_fits_registers(args))
    return registers;  // 1 read: C a multiple of a chunk, up to 8192
  if (row_norm_gradient_fits_cluster(args)) return cluster;  // 2 reads
  return one_pass;                                           // 3 reads
}

void row_norm(const RowNormArgs& args) {
  if (args.rows * args.channels == 0) return;
  check_row_length("row_norm", args.channels);
  pick_row_norm(args).run(args);
}

// Without rows dscale and dshift are 0: the second stage adds up nothing.
void row_norm_gradient(const RowNormGradientArgs& args) {
  if (args.channels == 0) return;
  check_row_length("row_norm_gradient", args.channels);
  if (args.rows == 0) return row_norm_parameter_gradient(args);
  pick_row_norm_gradient(args).gradient(args);
}

}  // namespace strata::gpu
