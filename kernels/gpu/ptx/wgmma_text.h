// The text of wgmma.mma_async for every shape and type; wgmma.h is the interface. The instruction
// names each accumulator register, 4 to 128 of them, so the lists are built up by macros, four
// registers a step; the operands after them have numbers that depend on the count, which a table
// gives. Only nvcc, and only for sm_90a, reads this file.
#pragma once

#include "kernels/gpu/ptx/matrix.h"

namespace strata::gpu {

#define STRATA_REGISTERS_4 "%0,%1,%2,%3"
#define STRATA_REGISTERS_8 STRATA_REGISTERS_4 ",%4,%5,%6,%7"
#define STRATA_REGISTERS_12 STRATA_REGISTERS_8 ",%8,%9,%10,%11"
#define STRATA_REGISTERS_16 STRATA_REGISTERS_12 ",%12,%13,%14,%15"
#define STRATA_REGISTERS_20 STRATA_REGISTERS_16 ",%16,%17,%18,%19"
#define STRATA_REGISTERS_24 STRATA_REGISTERS_20 ",%20,%21,%22,%23"
#define STRATA_REGISTERS_28 STRATA_REGISTERS_24 ",%24,%25,%26,%27"
#define STRATA_REGISTERS_32 STRATA_REGISTERS_28 ",%28,%29,%30,%31"
#define STRATA_REGISTERS_36 STRATA_REGISTERS_32 ",%32,%33,%34,%35"
#define STRATA_REGISTERS_40 STRATA_REGISTERS_36 ",%36,%37,%38,%39"
#define STRATA_REGISTERS_44 STRATA_REGISTERS_40 ",%40,%41,%42,%43"
#define STRATA_REGISTERS_48 STRATA_REGISTERS_44 ",%44,%45,%46,%47"
#define STRATA_REGISTERS_52 STRATA_REGISTERS_48 ",%48,%49,%50,%51"
#define STRATA_REGISTERS_56 STRATA_REGISTERS_52 ",%52,%53,%54,%55"
#define STRATA_REGISTERS_60 STRATA_REGISTERS_56 ",%56,%57,%58,%59"
#define STRATA_REGISTERS_64 STRATA_REGISTERS_60 ",%60,%61,%62,%63"
#define STRATA_REGISTERS_68 STRATA_REGISTERS_64 ",%64,%65,%66,%67"
#define STRATA_REGISTERS_72 STRATA_REGISTERS_68 ",%68,%69,%70,%71"
#define STRATA_REGISTERS_76 STRATA_REGISTERS_72 ",%72,%73,%74,%75"
#define STRATA_REGISTERS_80 STRATA_REGISTERS_76 ",%76,%77,%78,%79"
#define STRATA_REGISTERS_84 STRATA_REGISTERS_80 ",%80,%81,%82,%83"
#define STRATA_REGISTERS_88 STRATA_REGISTERS_84 ",%84,%85,%86,%87"
#define STRATA_REGISTERS_92 STRATA_REGISTERS_88 ",%88,%89,%90,%91"
#define STRATA_REGISTERS_96 STRATA_REGISTERS_92 ",%92,%93,%94,%95"
#define STRATA_REGISTERS_100 STRATA_REGISTERS_96 ",%96,%97,%98,%99"
#define STRATA_REGISTERS_104 STRATA_REGISTERS_100 ",%100,%101,%102,%103"
#define STRATA_REGISTERS_108 STRATA_REGISTERS_104 ",%104,%105,%106,%107"
#define STRATA_REGISTERS_112 STRATA_REGISTERS_108 ",%108,%109,%110,%111"
#define STRATA_REGISTERS_116 STRATA_REGISTERS_112 ",%112,%113,%114,%115"
#define STRATA_REGISTERS_120 STRATA_REGISTERS_116 ",%116,%117,%118,%119"
#define STRATA_REGISTERS_124 STRATA_REGISTERS_120 ",%120,%121,%122,%123"
#define STRATA_REGISTERS_128 STRATA_REGISTERS_124 ",%124,%125,%126,%127"

#define STRATA_SUMS(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define STRATA_SUMS_4 STRATA_SUMS(0)
#define STRATA_SUMS_8 STRATA_SUMS_4, STRATA_SUMS(4)
#define STRATA_SUMS_12 STRATA_SUMS_8, STRATA_SUMS(8)
#define STRATA_SUMS_16 STRATA_SUMS_12, STRATA_SUMS(12)
#define STRATA_SUMS_20 STRATA_SUMS_16, STRATA_SUMS(16)
#define STRATA_SUMS_24 STRATA_SUMS_20, STRATA_SUMS(20)
#define STRATA_SUMS_28 STRATA_SUMS_24, STRATA_SUMS(24)
#define STRATA_SUMS_32 STRATA_SUMS_28, STRATA_SUMS(28)
#define STRATA_SUMS_36 STRATA_SUMS_32, STRATA_SUMS(32)
#define STRATA_SUMS_40 STRATA_SUMS_36, STRATA_SUMS(36)
#define STRATA_SUMS_44 STRATA_SUMS_40, STRATA_SUMS(40)
#define STRATA_SUMS_48 STRATA_SUMS_44, STRATA_SUMS(44)
#define STRATA_SUMS_52 STRATA_SUMS_48, STRATA_SUMS(48)
#define STRATA_SUMS_56 STRATA_SUMS_52, STRATA_SUMS(52)
#define STRATA_SUMS_60 STRATA_SUMS_56, STRATA_SUMS(56)
#define STRATA_SUMS_64 STRATA_SUMS_60, STRATA_SUMS(60)
#define STRATA_SUMS_68 STRATA_SUMS_64, STRATA_SUMS(64)
#define STRATA_SUMS_72 STRATA_SUMS_68, STRATA_SUMS(68)
#define STRATA_SUMS_76 STRATA_SUMS_72, STRATA_SUMS(72)
#define STRATA_SUMS_80 STRATA_SUMS_76, STRATA_SUMS(76)
#define STRATA_SUMS_84 STRATA_SUMS_80, STRATA_SUMS(80)
#define STRATA_SUMS_88 STRATA_SUMS_84, STRATA_SUMS(84)
#define STRATA_SUMS_92 STRATA_SUMS_88, STRATA_SUMS(88)
#define STRATA_SUMS_96 STRATA_SUMS_92, STRATA_SUMS(92)
#define STRATA_SUMS_100 STRATA_SUMS_96, STRATA_SUMS(96)
#define STRATA_SUMS_104 STRATA_SUMS_100, STRATA_SUMS(100)
#define STRATA_SUMS_108 STRATA_SUMS_104, STRATA_SUMS(104)
#define STRATA_SUMS_112 STRATA_SUMS_108, STRATA_SUMS(108)
#define STRATA_SUMS_116 STRATA_SUMS_112, STRATA_SUMS(112)
#define STRATA_SUMS_120 STRATA_SUMS_116, STRATA_SUMS(116)
#define STRATA_SUMS_124 STRATA_SUMS_120, STRATA_SUMS(120)
#define STRATA_SUMS_128 STRATA_SUMS_124, STRATA_SUMS(124)

// One shape m64nNkK. o0 to o7 are the operands after the accumulators; the predicate says whether D
// is added to or replaced.
#define STRATA_WGMMA_SHARED(n, r, shape, flags, o0, o1, o2, ...)                      \
  asm volatile("{.reg .pred p;\nsetp.ne.b32 p, " o2                                   \
               ", 0;\n"                                                               \
               "wgmma.mma_async.sync.aligned.m64n" #n shape " {" STRATA_REGISTERS_##r \
               "}, " o0 ", " o1 ", p, 1, 1" flags ";}"                                \
               : STRATA_SUMS_##r                                                      \
               : "l"(a), "l"(b), "r"(accumulate)__VA_OPT__(, ) __VA_ARGS__)
#define STRATA_WGMMA_REGISTERS(n, r, shape, flags, o0, o1, o2, o3, o4, o5, ...)       \
  asm volatile("{.reg .pred p;\nsetp.ne.b32 p, " o5                                   \
               ", 0;\n"                                                               \
               "wgmma.mma_async.sync.aligned.m64n" #n shape " {" STRATA_REGISTERS_##r \
               "}, {" o0 "," o1 "," o2 "," o3 "}, " o4 ", p, 1, 1" flags ";}"         \
               : STRATA_SUMS_##r                                                      \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b),                  \
                 "r"(accumulate)__VA_OPT__(, ) __VA_ARGS__)

// Every n, the registers of its accumulators, and the numbers of the operands after them.
#define STRATA_WGMMA_SHAPES                                                                \
  STRATA_WGMMA_N(8, 4, "%4", "%5", "%6", "%7", "%8", "%9", "%10", "%11")                   \
  STRATA_WGMMA_N(16, 8, "%8", "%9", "%10", "%11", "%12", "%13", "%14", "%15")              \
  STRATA_WGMMA_N(24, 12, "%12", "%13", "%14", "%15", "%16", "%17", "%18", "%19")           \
  STRATA_WGMMA_N(32, 16, "%16", "%17", "%18", "%19", "%20", "%21", "%22", "%23")           \
  STRATA_WGMMA_N(40, 20, "%20", "%21", "%22", "%23", "%24", "%25", "%26", "%27")           \
  STRATA_WGMMA_N(48, 24, "%24", "%25", "%26", "%27", "%28", "%29", "%30", "%31")           \
  STRATA_WGMMA_N(56, 28, "%28", "%29", "%30", "%31", "%32", "%33", "%34", "%35")           \
  STRATA_WGMMA_N(64, 32, "%32", "%33", "%34", "%35", "%36", "%37", "%38", "%39")           \
  STRATA_WGMMA_N(72, 36, "%36", "%37", "%38", "%39", "%40", "%41", "%42", "%43")           \
  STRATA_WGMMA_N(80, 40, "%40", "%41", "%42", "%43", "%44", "%45", "%46", "%47")           \
  STRATA_WGMMA_N(88, 44, "%44", "%45", "%46", "%47", "%48", "%49", "%50", "%51")           \
  STRATA_WGMMA_N(96, 48, "%48", "%49", "%50", "%51", "%52", "%53", "%54", "%55")           \
  STRATA_WGMMA_N(104, 52, "%52", "%53", "%54", "%55", "%56", "%57", "%58", "%59")          \
  STRATA_WGMMA_N(112, 56, "%56", "%57", "%58", "%59", "%60", "%61", "%62", "%63")          \
  STRATA_WGMMA_N(120, 60, "%60", "%61", "%62", "%63", "%64", "%65", "%66", "%67")          \
  STRATA_WGMMA_N(128, 64, "%64", "%65", "%66", "%67", "%68", "%69", "%70", "%71")          \
  STRATA_WGMMA_N(136, 68, "%68", "%69", "%70", "%71", "%72", "%73", "%74", "%75")          \
  STRATA_WGMMA_N(144, 72, "%72", "%73", "%74", "%75", "%76", "%77", "%78", "%79")          \
  STRATA_WGMMA_N(152, 76, "%76", "%77", "%78", "%79", "%80", "%81", "%82", "%83")          \
  STRATA_WGMMA_N(160, 80, "%80", "%81", "%82", "%83", "%84", "%85", "%86", "%87")          \
  STRATA_WGMMA_N(168, 84, "%84", "%85", "%86", "%87", "%88", "%89", "%90", "%91")          \
  STRATA_WGMMA_N(176, 88, "%88", "%89", "%90", "%91", "%92", "%93", "%94", "%95")          \
  STRATA_WGMMA_N(184, 92, "%92", "%93", "%94", "%95", "%96", "%97", "%98", "%99")          \
  STRATA_WGMMA_N(192, 96, "%96", "%97", "%98", "%99", "%100", "%101", "%102", "%103")      \
  STRATA_WGMMA_N(200, 100, "%100", "%101", "%102", "%103", "%104", "%105", "%106", "%107") \
  STRATA_WGMMA_N(208, 104, "%104", "%105", "%106", "%107", "%108", "%109", "%110", "%111") \
  STRATA_WGMMA_N(216, 108, "%108", "%109", "%110", "%111", "%112", "%113", "%114", "%115") \
  STRATA_WGMMA_N(224, 112, "%112", "%113", "%114", "%115", "%116", "%117", "%118", "%119") \
  STRATA_WGMMA_N(232, 116, "%116", "%117", "%118", "%119", "%120", "%121", "%122", "%123") \
  STRATA_WGMMA_N(240, 120, "%120", "%121", "%122", "%123", "%124", "%125", "%126", "%127") \
  STRATA_WGMMA_N(248, 124, "%124", "%125", "%126", "%127", "%128", "%129", "%130", "%131") \
  STRATA_WGMMA_N(256, 128, "%128", "%129", "%130", "%131", "%132", "%133", "%134", "%135")

// D += A B, A and B in shared memory. TransposeA, TransposeB: 1 where the operand is MN-major
// (16-bit types).
template <int N, class T, int TransposeA, int TransposeB>
DEVICE void wgmma_shared(float (&d)[N / 2], uint64_t a, uint64_t b, int accumulate) {
#define STRATA_WGMMA_N(n, r, o0, o1, o2, o3, o4, o5, o6, o7)                                       \
  if constexpr (N == n) {                                                                          \
    if constexpr (std::is_same_v<T, bf16>)                                                         \
      STRATA_WGMMA_SHARED(n, r, "k16.f32.bf16.bf16", ", " o3 ", " o4, o0, o1, o2, "n"(TransposeA), \
                          "n"(TransposeB));                                                        \
    else if constexpr (std::is_same_v<T, f16>)                                                     \
      STRATA_WGMMA_SHARED(n, r, "k16.f32.f16.f16", ", " o3 ", " o4, o0, o1, o2, "n"(TransposeA),   \
                          "n"(TransposeB));                                                        \
    else if constexpr (std::is_same_v<T, tf32>)                                                    \
      STRATA_WGMMA_SHARED(n, r, "k8.f32.tf32.tf32", "", o0, o1, o2);                               \
    else if constexpr (std::is_same_v<T, fp8_e4m3>)                                                \
      STRATA_WGMMA_SHARED(n, r, "k32.f32.e4m3.e4m3", "", o0, o1, o2);                              \
    else                                                                                           \
      STRATA_WGMMA_SHARED(n, r, "k32.f32.e5m2.e5m2", "", o0, o1, o2);                              \
  }
  STRATA_WGMMA_SHAPES
#undef STRATA_WGMMA_N
}

// D += A B, A in registers.
template <int N, class T, int TransposeB>
DEVICE void wgmma_registers(float (&d)[N / 2], const uint32_t (&a)[4], uint64_t b, int accumulate) {
#define STRATA_WGMMA_N(n, r, o0, o1, o2, o3, o4, o5, o6, o7)                             \
  if constexpr (N == n) {                                                                \
    if constexpr (std::is_same_v<T, bf16>)                                               \
      STRATA_WGMMA_REGISTERS(n, r, "k16.f32.bf16.bf16", ", " o6, o0, o1, o2, o3, o4, o5, \
                             "n"(TransposeB));                                           \
    else if constexpr (std::is_same_v<T, f16>)                                           \
      STRATA_WGMMA_REGISTERS(n, r, "k16.f32.f16.f16", ", " o6, o0, o1, o2, o3, o4, o5,   \
                             "n"(TransposeB));                                           \
    else if constexpr (std::is_same_v<T, tf32>)                                          \
      STRATA_WGMMA_REGISTERS(n, r, "k8.f32.tf32.tf32", "", o0, o1, o2, o3, o4, o5);      \
    else if constexpr (std::is_same_v<T, fp8_e4m3>)                                      \
      STRATA_WGMMA_REGISTERS(n, r, "k32.f32.e4m3.e4m3", "", o0, o1, o2, o3, o4, o5);     \
    else                                                                                 \
      STRATA_WGMMA_REGISTERS(n, r, "k32.f32.e5m2.e5m2", "", o0, o1, o2, o3, o4, o5);     \
  }
  STRATA_WGMMA_SHAPES
#undef STRATA_WGMMA_N
}

#undef STRATA_WGMMA_SHAPES
#undef STRATA_WGMMA_REGISTERS
#undef STRATA_WGMMA_SHARED

}  // namespace strata::gpu
