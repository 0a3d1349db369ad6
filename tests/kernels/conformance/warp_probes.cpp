#include <fmt/format.h>

#include "tests/kernels/conformance/device_memory.h"
#include "tests/kernels/conformance/warp_probe.h"

namespace strata::test {

namespace {

using Words = std::vector<uint32_t>;

// A kernel that fills `count` words.
Outcome words(size_t count, const std::function<void(uint32_t*)>& kernel) {
  OnDevice<uint32_t> out(count);
  kernel(out.data());
  return {out.bytes()};
}

// All results of a shuffle at one width, for arguments from 0 past the width.
Outcome shuffles(Shuffle kind, int width) {
  Bytes all;
  for (int argument = 0; argument <= 33; ++argument) {
    const Bytes one =
        words(32, [&](uint32_t* out) { probe_shuffle(kind, argument, width, out); }).bytes;
    all.insert(all.end(), one.begin(), one.end());
  }
  return {all};
}

}  // namespace

std::vector<Probe> warp_probes() {
  std::vector<Probe> probes;
  constexpr const char* names[] = {"index", "xor", "down", "up"};
  for (Shuffle kind : {Shuffle::index, Shuffle::exclusive_or, Shuffle::down, Shuffle::up})
    for (int width = 1; width <= 32; width *= 2)
      probes.push_back({fmt::format("shuffle {} width {}", names[static_cast<int>(kind)], width),
                        80, [=] { return shuffles(kind, width); }});
  // Masks that are closed under the flip.
  for (auto [mask, flip] : {std::pair{0x0000ffffu, 8}, {0xff00ff00u, 3}, {0x33333333u, 1}, {3u, 1}})
    probes.push_back(
        {fmt::format("shuffle mask {:08x} flip {}", mask, flip), 80, [mask = mask, flip = flip] {
           return words(32, [&](uint32_t* out) { probe_masked_shuffle(mask, flip, out); });
         }});
  for (unsigned mask : {0xffffffffu, 0x0000ffffu, 0x55555555u, 0x80000001u, 0x00000010u})
    probes.push_back({fmt::format("votes mask {:08x}", mask), 80, [mask] {
                        Words values(32);
                        for (unsigned i = 0; i < 32; ++i) values[i] = i * i % 7 * 0x01010101u + 3;
                        const OnDevice<uint32_t> in(values);
                        return words(10 * 32,
                                     [&](uint32_t* out) { probe_votes(mask, in.data(), out); });
                      }});
  probes.push_back({"named barriers", 80, [] { return words(128, probe_named_barriers); }});
  for (int size : {4, 8, 16})
    probes.push_back({fmt::format("cp.async {} bytes", size), 80, [size] {
                        const OnDevice<unsigned char> from(random_bytes(16, 1));
                        OnDevice<unsigned char> out(17 * 16);
                        probe_copy_async(size, from.data(), out.data());
                        return Outcome{out.bytes()};
                      }});
  for (int arrivals : {1, 2, 3})
    probes.push_back({fmt::format("mbarrier of {}", arrivals), 90, [arrivals] {
                        const OnDevice<unsigned char> from(random_bytes(64, 2));
                        return words(
                            static_cast<size_t>(3 * (arrivals + 1) + 1),
                            [&](uint32_t* out) { probe_mbarrier(arrivals, from.data(), out); });
                      }});
  for (int blocks : {1, 2, 4, 8})
    probes.push_back({fmt::format("cluster of {}", blocks), 90, [blocks] {
                        return words(static_cast<size_t>(blocks * (4 + blocks)),
                                     [&](uint32_t* out) { probe_cluster(blocks, out); });
                      }});
  for (int blocks : {1, 2, 8})
    for (int bytes : {8, 16})
      probes.push_back({fmt::format("st.async of {} bytes in a cluster of {}", bytes, blocks), 90,
                        [blocks, bytes] {
                          return words(
                              static_cast<size_t>(blocks * (2 + blocks * bytes / 4)),
                              [&](uint32_t* out) { probe_store_async(blocks, bytes, out); });
                        }});
  return probes;
}

}  // namespace strata::test
