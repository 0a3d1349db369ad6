// What is measured: a case is one piece of work at one shape, with our kernel and its rivals on the
// same random operands. plan() is all of them; nothing is allocated before prepare() is called.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tools/xray/catalogue.h"

namespace strata::bench {

// Another way to do the work of a case, on the same sets of operands.
struct Rival {
  std::string name;                           // "cuBLAS"
  std::function<void(int copy)> run;          // in gpu::current_stream()
  std::vector<std::shared_ptr<void>> memory;  // handles and workspaces it needs
};

struct Prepared {
  xray::Workload workload;  // ours
  std::string kernel;       // the rung that the launcher takes
  std::vector<Rival> rivals;
  std::vector<std::string> notes;  // why a rival is missing
};

struct Case {
  std::string family;  // "gemm"
  std::string set;     // "GPT-2 124M"
  std::string name;    // "mlp up, weight gradient"
  std::string shape;   // "3072x768x8192"
  DType dtype = DType::bf16;
  double bytes = 0;  // of one set of operands: how many sets go past the cache
  // Allocates and fills `copies` sets of operands. Throws gpu::Error when no rung takes the case.
  std::function<Prepared(int copies)> prepare;
};

// A product C[M, N] = A[M, K] B[K, N]. How the operands lie: "NT" is a layer's forward pass (B is
// [N, K] in memory), "NN" the gradient of its input, "TN" of its weight (A is [K, M]).
struct GemmCase {
  std::string set, name;
  int64_t M, N, K;
  std::string layout = "NT";
  DType dtype = DType::bf16;
  bool tf32 = false;
};
Case gemm_case(const GemmCase& shape);

// A square filter with padding (R - 1) / 2. `pass`: forward, input gradient or weight gradient.
struct ConvCase {
  std::string set, name;
  int64_t N, H, C, O, R, stride;
  std::string pass = "forward";
  DType dtype = DType::bf16;
};
Case conv_case(const ConvCase& shape);

struct AttentionCase {
  std::string set;
  int64_t N, T, heads, D;
  bool causal, backward;
  DType dtype = DType::bf16;
};
Case attention_case(const AttentionCase& shape);

// Bound by memory; their rival is a copy of as many bytes. `kind`: layer norm, rms norm, softmax,
// each also with " gradient"; cross entropy (loss and gradient in place).
struct RowsCase {
  std::string kind;
  int64_t rows, columns;
  DType dtype = DType::bf16;
};
Case rows_case(const RowsCase& shape);
// One AdamW step over tensors of these sizes, f32.
Case adamw_case(const std::string& set, const std::vector<int64_t>& sizes);
// Statistics and normalisation of [rows, C], as the forward pass of a batch norm does them.
Case batch_norm_case(int64_t rows, int64_t channels, DType dtype = DType::bf16);

std::vector<Case> gemm_cases();
std::vector<Case> conv_cases();
std::vector<Case> attention_cases();
std::vector<Case> memory_cases();
std::vector<Case> plan();

}  // namespace strata::bench
