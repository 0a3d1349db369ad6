// Kernels that show what warps, barriers, asynchronous copies and clusters do, for the conformance
// program. Every probe writes its results to device memory, one 32-bit word each.
#pragma once

#include <cstdint>

namespace strata::test {

enum class Shuffle { index, exclusive_or, down, up };
// out[32] = the value (100 + lane) that each lane gets, all lanes taking part.
void probe_shuffle(Shuffle kind, int argument, int width, uint32_t* out);
// Lanes of `mask` only, exchanging with the lane whose number differs in the bits of `flip`, which
// must be in the mask too. Other lanes write 0.
void probe_masked_shuffle(unsigned mask, int flip, uint32_t* out);
// out[10][32]: ballot, any, all, match_any and the reductions add, min, max, and, or, xor of
// values[32] among the lanes of `mask`. Votes are for odd values. Other lanes write 0.
void probe_votes(unsigned mask, const uint32_t* values, uint32_t* out);
// out[128]: warps 0 to 2 write, arrive at barrier 1 and go on; warp 3 waits there for them and
// reads what they wrote; then warps 0 and 1 meet at barrier 2 and exchange.
void probe_named_barriers(uint32_t* out);
// out[16 + 1][16 bytes]: what a copy of `size` (4, 8, 16) bytes, of which `count` are read, leaves
// in shared memory that was full of 0xee, for each count from 0 to `size`; `from` has 16 bytes.
void probe_copy_async(int size, const unsigned char* from, unsigned char* out);
// The phases of an mbarrier of `arrivals`, three rounds: after each step a word with bit 0 and bit
// 1 for try_wait of parity 0 and 1. In a round: arrivals - 1 arrivals, one that expects 64 bytes,
// and the copy that brings them. out[3 * (arrivals + 1) + 1].
void probe_mbarrier(int arrivals, const unsigned char* from, uint32_t* out);
// out[blocks][4 + blocks]: rank, size, the word that the next block wrote in its shared memory, the
// parity of an mbarrier after all blocks arrived remotely, and the words of all blocks.
void probe_cluster(int blocks, uint32_t* out);
// out[blocks][2 + blocks * bytes / 4]: the parity of an mbarrier before each block has stored 8 or
// 16 bytes of its own asynchronously into every block, after that, and what came from each.
void probe_store_async(int blocks, int bytes, uint32_t* out);

}  // namespace strata::test
