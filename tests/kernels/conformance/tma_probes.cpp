#include <fmt/format.h>

#include <algorithm>

#include "kernels/gpu/tensor_map.h"
#include "tests/kernels/conformance/device_memory.h"
#include "tests/kernels/sim/tma_probe.h"

namespace strata::test {

namespace {

using gpu::Swizzle;

constexpr Swizzle swizzles[] = {Swizzle::none, Swizzle::b32, Swizzle::b64, Swizzle::b128};

// A 3-D tensor of f32, 40 x 12 x 3, its rows 48 apart.
Tensor tensor_of(const void* base, Swizzle swizzle) {
  Tensor tensor;
  tensor.dtype = DType::f32;
  tensor.base = base;
  tensor.rank = 3;
  tensor.sizes = {40, 12, 3};
  tensor.strides = {0, 48, 48 * 12};
  tensor.box = {swizzle == Swizzle::none ? 8 : gpu::swizzle_span(swizzle) / 4, 8, 2};
  tensor.swizzle = swizzle;
  return tensor;
}
constexpr size_t tensor_bytes = 48 * 12 * 3 * 4;

unsigned box_bytes(const Tensor& tensor) {
  return static_cast<unsigned>(tensor.box[0] * tensor.box[1] * tensor.box[2]) * 4;
}

// The raw bytes of a tile. Every load waits for the bytes of a whole box, so a clipped one that
// completed fewer would hang: that it returns is part of what is probed.
Outcome load(Swizzle swizzle, const Coordinates& at) {
  const OnDevice<unsigned char> memory(random_bytes(tensor_bytes, 1));
  const Tensor tensor = tensor_of(memory.data(), swizzle);
  const OnDevice<unsigned char> tile(box_bytes(tensor));
  probe_load(tensor, at, 0, box_bytes(tensor), tile.data());
  return {tile.bytes()};
}

Outcome store(Swizzle swizzle, const Coordinates& at, bool add) {
  std::vector<float> values(tensor_bytes / 4);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 97);
  const OnDevice<float> memory(values);
  const Tensor tensor = tensor_of(memory.data(), swizzle);
  std::vector<float> tile(box_bytes(tensor) / 4);
  for (size_t i = 0; i < tile.size(); ++i) tile[i] = static_cast<float>(1000 + i);
  const OnDevice<float> from(tile);
  probe_store(tensor, at, add, box_bytes(tensor),
              reinterpret_cast<const unsigned char*>(from.data()));
  return {memory.bytes()};
}

// A matrix of `type` elements whose box is one swizzle span wide, loaded past its end.
Outcome load_type(DType type) {
  const auto size = static_cast<int>(size_of(type));
  const OnDevice<unsigned char> memory(random_bytes(64 * 16 * static_cast<size_t>(size), 2));
  Tensor tensor;
  tensor.dtype = type;
  tensor.base = memory.data();
  tensor.rank = 2;
  tensor.sizes = {64, 16};
  tensor.strides = {0, 64};
  tensor.box = {64 / size, 8};
  tensor.swizzle = Swizzle::b64;
  const OnDevice<unsigned char> tile(64 * 8);
  probe_load(tensor, {64 - 32 / size, 12}, 0, 64 * 8, tile.data());
  return {tile.bytes()};
}

Outcome multicast(uint16_t mask) {
  constexpr unsigned bytes = 32 * 8 * 4;
  const OnDevice<unsigned char> memory(random_bytes(32 * 32 * 4, 3));
  Tensor tensor;
  tensor.dtype = DType::f32;
  tensor.base = memory.data();
  tensor.rank = 2;
  tensor.sizes = {32, 32};
  tensor.strides = {0, 32};
  tensor.box = {32, 8};
  tensor.swizzle = Swizzle::b128;
  const OnDevice<unsigned char> tiles(4 * 4 * bytes);
  probe_multicast(tensor, {0, -4}, 8, 4, mask, bytes, tiles.data());
  return {tiles.bytes()};
}

// A 3x3 convolution's loads: padding 1, stride 1 or 2, the filter's place (w, h).
Outcome im2col(int stride, uint16_t w, uint16_t h) {
  constexpr unsigned bytes = 16 * 32 * 4;  // pixels, channels
  const OnDevice<unsigned char> memory(random_bytes(32 * 7 * 6 * 2 * 4, 4));
  Image image;
  image.dtype = DType::f32;
  image.base = memory.data();
  image.sizes = {32, 7, 6, 2};
  image.strides = {32, 32 * 7, 32 * 7 * 6};
  image.lower = {-1, -1};
  image.upper = {-1, -1};
  image.steps = {stride, stride};
  image.channels = 32;
  image.pixels = 16;
  image.swizzle = Swizzle::b128;
  const OnDevice<unsigned char> tile(bytes);
  probe_im2col(image, {0, -1, -1, 0}, {w, h}, bytes, tile.data());
  return {tile.bytes()};
}

Outcome bulk(bool add) {
  std::vector<float> from(256), to(256);
  for (size_t i = 0; i < from.size(); ++i) {
    from[i] = static_cast<float>(i);
    to[i] = static_cast<float>(3 * i);
  }
  const OnDevice<float> device_from(from), device_to(to);
  probe_bulk(device_from.data(), device_to.data(), add, 1024, add ? 3 : 1);
  return {device_to.bytes()};
}

}  // namespace

std::vector<Probe> tma_probes() {
  std::vector<Probe> probes;
  const Coordinates places[] = {{0, 0, 0},  {8, 2, 1},    {-4, -2, -1},
                                {36, 9, 2}, {-100, 0, 0}, {40, 12, 3}};
  for (Swizzle swizzle : swizzles)
    for (const Coordinates& at : places) {
      const std::string name = fmt::format(
          "swizzle {} at {},{},{}", static_cast<int>(swizzle) ? gpu::swizzle_span(swizzle) : 0,
          at[0], at[1], at[2]);
      probes.push_back({"tma load " + name, 90, [=] { return load(swizzle, at); }});
      if (std::min({at[0], at[1], at[2]}) < 0) continue;  // no coordinates of a store
      probes.push_back({"tma store " + name, 90, [=] { return store(swizzle, at, false); }});
      probes.push_back({"tma add " + name, 90, [=] { return store(swizzle, at, true); }});
    }
  for (DType type : {DType::u8, DType::bf16, DType::f16, DType::i32, DType::f64})
    probes.push_back(
        {fmt::format("tma load {}", name_of(type)), 90, [=] { return load_type(type); }});
  for (uint16_t mask : {0xf, 0x5, 0x8})
    probes.push_back(
        {fmt::format("tma multicast {:x}", mask), 90, [=] { return multicast(mask); }});
  for (int stride : {1, 2})
    for (uint16_t place = 0; place < 9; ++place)
      probes.push_back({fmt::format("tma im2col stride {} place {}", stride, place), 90,
                        [=] { return im2col(stride, place % 3, place / 3); }});
  probes.push_back({"bulk copy", 90, [] { return bulk(false); }});
  probes.push_back({"bulk add", 90, [] { return bulk(true); }});
  return probes;
}

}  // namespace strata::test
