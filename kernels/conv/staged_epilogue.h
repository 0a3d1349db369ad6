// The end of a kernel whose tile of 128 pixels x N channels lies in shared memory as floats: whole
// vectors of 16 bytes go out, with residuals read the same way, and a thread adds up a column for
// the statistics, in the order of its pixels.
#pragma once

#include "kernels/conv/epilogue.h"
#include "kernels/conv/gather.h"
#include "kernels/conv/tensor_tile.h"

namespace strata::gpu::conv {

// Whose channels: [first, first + N) of the group, whose first channel is `base`.
struct TileChannels {
  int base, first, end;  // end: channels of a group
};

// Where a row of the tile goes: the place of its pixel's channel 0, or -1 behind the last pixel.
struct ConsecutivePixels {
  const Gather& gather;
  int first;

  DEVICE int64_t operator()(int row) const {
    return first + row < gather.pixels() ? gather.destination(first + row) : -1;
  }
};

template <class T, int N, int Threads, class Places>
DEVICE void write_staged(const float* staged, const Places& places, const Epilogue<T>& epilogue,
                         TileChannels channels) {
  constexpr int pitch = StagedTile<N>::pitch, V = vector_width<T>, line = N / V;
  for (int index = static_cast<int>(threadIdx.x); index < 128 * line; index += Threads) {
    const int row = index / line, column = index % line * V;
    const int n = channels.first + column;
    const int64_t place = places(row);
    if (place < 0 || n >= channels.end) continue;
    float sums[V];
#pragma unroll
    for (int e = 0; e < V; e += 4) {
      const Vec<float, 4> four = load_vector<4>(staged + row * pitch + column + e);
#pragma unroll
      for (int i = 0; i < 4; ++i) sums[e + i] = four[i];
    }
    const int channel = channels.base + n;
    const int64_t offset = place + channel;
    if (!epilogue.vectors) {
#pragma unroll
      for (int e = 0; e < V; ++e)
        if (n + e < channels.end) epilogue.store(sums[e], channel + e, offset + e);
      continue;
    }
    Vec<T, V> residual, values;
    if (epilogue.residual) residual = load_vector<V>(epilogue.residual + offset);
    Epilogue<T> rest = epilogue;
    rest.residual = epilogue.residual ? residual.data : nullptr;
#pragma unroll
    for (int e = 0; e < V; ++e) values[e] = from_float<T>(rest.value(sums[e], channel + e, e));
    store_vector(epilogue.out + offset, values);
  }
}

// Adds the tile's columns and their squares into [block of pixels][2][all channels].
template <int N, int Threads>
DEVICE void write_staged_statistics(const float* staged, float* partial, int block,
                                    TileChannels channels, int all_channels) {
  static_assert(Threads >= N);
  const int column = static_cast<int>(threadIdx.x), n = channels.first + column;
  if (column >= N || n >= channels.end) return;
  float total = 0, squares = 0;
  for (int row = 0; row < 128; ++row) {
    const float value = staged[row * StagedTile<N>::pitch + column];
    total += value, squares += value * value;
  }
  float* sums = partial + static_cast<int64_t>(block) * 2 * all_channels + channels.base + n;
  sums[0] = total, sums[all_channels] = squares;
}

}  // namespace strata::gpu::conv
