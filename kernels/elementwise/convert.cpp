// Copies with conversion of the element type: all 64 pairs, and the 16-bit floats by the vector
// instructions of the machine where it has them.
#include "kernels/elementwise/cast.h"
#include "kernels/elementwise/loop.h"
#ifdef __F16C__
#include <immintrin.h>
#endif

namespace strata::cpu {
namespace {

#ifdef __F16C__
int64_t convert_vector(int64_t n, const f16* in, float* out) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + i));
    _mm256_storeu_ps(out + i, _mm256_cvtph_ps(half));
  }
  return i;
}
int64_t convert_vector(int64_t n, const float* in, f16* out) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    __m128i half = _mm256_cvtps_ph(_mm256_loadu_ps(in + i), _MM_FROUND_TO_NEAREST_INT);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), half);
  }
  return i;
}
#endif

template <class From, class To>
void convert_row(int64_t n, const Run& run) {
  const From* in = as<From>(run.data[1]);
  To* out = as<To>(run.data[0]);
  int64_t in_stride = run.stride[1], out_stride = run.stride[0];
  if (in_stride == 1 && out_stride == 1) {
    int64_t i = 0;
    if constexpr (std::is_same_v<To, From>) {
      if (n > 0) std::memmove(out, in, static_cast<size_t>(n) * sizeof(To));
      return;
    }
#ifdef __F16C__
    if constexpr ((std::is_same_v<From, f16> && std::is_same_v<To, float>) ||
                  (std::is_same_v<From, float> && std::is_same_v<To, f16>)) {
      i = convert_vector(n, in, out);
    }
#endif
#pragma omp simd
    for (int64_t j = i; j < n; ++j) out[j] = cast<To>(in[j]);
  } else if (in_stride == 0 && out_stride == 1) {
    const To value = cast<To>(*in);
    for (int64_t i = 0; i < n; ++i) out[i] = value;
  } else {
    for (int64_t i = 0; i < n; ++i) out[i * out_stride] = cast<To>(in[i * in_stride]);
  }
}

Row row_for(DType from, DType to) {
  return visit(from, [&]<class From>(Type<From>) {
    return visit(to, []<class To>(Type<To>) -> Row { return convert_row<From, To>; });
  });
}

}  // namespace

void convert(int64_t n, const void* in, DType in_type, int64_t in_stride, void* out, DType out_type,
             int64_t out_stride) {
  Run run;
  run.data[0] = static_cast<char*>(out);
  run.data[1] = static_cast<char*>(const_cast<void*>(in));
  run.stride[0] = out_stride;
  run.stride[1] = in_stride;
  row_for(in_type, out_type)(n, run);
}

void copy(ElementwiseArgs& args) {
  run({row_for(args.dtype[1], args.dtype[0]), {args.dtype[0], args.dtype[1]}}, args);
}

void fill(ElementwiseArgs& args) {
  // The value, converted once, is an input with stride 0.
  alignas(8) char value[8];
  convert(1, args.parameter, DType::f64, 0, value, args.dtype[0], 0);
  args.operands = 2;
  args.data[1] = value;
  args.dtype[1] = args.dtype[0];
  for (int axis = 0; axis < args.rank; ++axis) args.strides[1][axis] = 0;
  copy(args);
}

}  // namespace strata::cpu
