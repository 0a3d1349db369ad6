// Tensor maps encoded by the CUDA driver, whose functions are looked up at run time so that the
// program needs no driver library to link.
#include <cuda_runtime.h>

#include <string>

#include "kernels/gpu/runtime.h"
#include "kernels/gpu/tensor_map.h"

namespace strata::gpu {

namespace {

template <class F>
F driver_function(const char* name) {
  void* function = nullptr;
  cudaDriverEntryPointQueryResult found = cudaDriverEntryPointSymbolNotFound;
  const cudaError_t status =
      cudaGetDriverEntryPointByVersion(name, &function, 12000, cudaEnableDefault, &found);
  if (status != cudaSuccess || found != cudaDriverEntryPointSuccess || !function)
    throw Error(std::string("the CUDA driver has no ") + name + ", which tensor maps need (" +
                cudaGetErrorString(status) +
                "): a driver of CUDA 12 or later and a GPU of compute capability 9.0 are needed");
  return reinterpret_cast<F>(function);
}

CUtensorMapDataType type_of(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return CU_TENSOR_MAP_DATA_TYPE_FLOAT64;
    case DType::f32:
      return CU_TENSOR_MAP_DATA_TYPE_FLOAT32;
    case DType::bf16:
      return CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;
    case DType::f16:
      return CU_TENSOR_MAP_DATA_TYPE_FLOAT16;
    case DType::i64:
      return CU_TENSOR_MAP_DATA_TYPE_INT64;
    case DType::i32:
      return CU_TENSOR_MAP_DATA_TYPE_INT32;
    case DType::u8:
    case DType::boolean:
      break;
  }
  return CU_TENSOR_MAP_DATA_TYPE_UINT8;
}

CUtensorMapSwizzle swizzle_of(Swizzle swizzle) {
  switch (swizzle) {
    case Swizzle::none:
      return CU_TENSOR_MAP_SWIZZLE_NONE;
    case Swizzle::b32:
      return CU_TENSOR_MAP_SWIZZLE_32B;
    case Swizzle::b64:
      return CU_TENSOR_MAP_SWIZZLE_64B;
    case Swizzle::b128:
      break;
  }
  return CU_TENSOR_MAP_SWIZZLE_128B;
}

}  // namespace

TensorMap encode(const TensorLayout& layout) {
  TensorMap map{};
  cuuint64_t sizes[5], strides[4];
  cuuint32_t box[5], steps[5] = {1, 1, 1, 1, 1};
  for (int axis = 0; axis < layout.rank; ++axis) {
    sizes[axis] = static_cast<cuuint64_t>(layout.sizes[axis]);
    box[axis] = static_cast<cuuint32_t>(layout.box[axis]);
    if (axis > 0) strides[axis - 1] = static_cast<cuuint64_t>(layout.strides[axis]);
  }
  const auto rank = static_cast<cuuint32_t>(layout.rank);
  void* base = const_cast<void*>(layout.base);
  CUresult result;
  if (layout.im2col) {
    static const auto encode_im2col =
        driver_function<decltype(&cuTensorMapEncodeIm2col)>("cuTensorMapEncodeIm2col");
    steps[1] = static_cast<cuuint32_t>(layout.steps[0]);
    steps[2] = static_cast<cuuint32_t>(layout.steps[1]);
    result = encode_im2col(&map, type_of(layout.dtype), rank, base, sizes, strides,
                           layout.lower.data(), layout.upper.data(), box[0], box[1], steps,
                           CU_TENSOR_MAP_INTERLEAVE_NONE, swizzle_of(layout.swizzle),
                           CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  } else {
    static const auto encode_tiled =
        driver_function<decltype(&cuTensorMapEncodeTiled)>("cuTensorMapEncodeTiled");
    result = encode_tiled(&map, type_of(layout.dtype), rank, base, sizes, strides, box, steps,
                          CU_TENSOR_MAP_INTERLEAVE_NONE, swizzle_of(layout.swizzle),
                          CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  }
  if (result != CUDA_SUCCESS)
    throw Error("the CUDA driver refused a tensor map of " + std::to_string(layout.rank) +
                " axes of " + name_of(layout.dtype) + " (CUDA error " +
                std::to_string(static_cast<int>(result)) + ")");
  return map;
}

}  // namespace strata::gpu
