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
  bool fp8 = false;  // A and B of e4m3 in the layout NT; `dtype` is C's
};
Case gemm_case(const GemmCase& shape);

// A square filter with padding (R - 1) / 2. `pass`: forward, input gradient or weight gradient.
struct ConvCase {
  std::string set, name;
  int64_t N, H, C, O, R, stride;
  std::string pass = "forward";
  DType dtype = DType::bf16;
  int64_t groups = 1;
};
Case conv_case(const ConvCase& shape);

struct AttentionCase {
  std::string set;
  int64_t N, T, heads, D;
  bool causal, backward;
  DType dtype = DType::bf16;
};
Case attention_case(const AttentionCase& shape);
// Two products of T x T scores, half of them when causal; the backward pass does five.
double attention_flops(const AttentionCase& shape);
std::vector<AttentionCase> attention_shapes();  // bench/peers/attention_peer.py has the same

// ---- bound by memory (memory_case.h) ----

// `kind`: layer norm, rms norm, softmax, each also with " gradient"; cross entropy (loss and
// gradient in place).
struct RowsCase {
  std::string kind;
  int64_t rows, columns;
  DType dtype = DType::bf16;
};
Case rows_case(const RowsCase& shape);
// Statistics and normalisation of [rows, C], as the forward pass of a batch norm does them.
Case batch_norm_case(int64_t rows, int64_t channels, DType dtype = DType::bf16);

// `kind`: sum, max, mean and variance, argmax, cumulative sum. `over`: rows, columns or, of a sum
// or a maximum, all.
struct ReduceCase {
  std::string kind, over;
  int64_t rows, columns;
  DType dtype = DType::bf16;
};
Case reduce_case(const ReduceCase& shape);

// `kind`: gelu(x + row) y, x + row, x + column, to f32, to bf16.
struct ElementwiseCase {
  std::string kind;
  int64_t rows, columns;
  DType dtype = DType::bf16;
};
Case elementwise_case(const ElementwiseCase& shape);
// A copy of x whose axis i is x's axis order[i].
struct PermuteCase {
  std::string set, name;
  std::vector<int64_t> shape;  // of x
  std::vector<size_t> order;
  DType dtype = DType::bf16;
};
Case permute_case(const PermuteCase& shape);

// `kind`: uniform, normal, dropout (which keeps its mask), dropout, backward.
struct RandomCase {
  std::string kind;
  int64_t count;
  DType dtype;
};
Case random_case(const RandomCase& shape);

// Rows of a table by a list of tokens, or the list's rows added to the table.
struct EmbeddingCase {
  std::string set;
  int64_t tokens, vocabulary, width;
  bool gradient, as_text;  // as_text: shares of tokens are those of words, not all alike
  DType dtype;
};
Case embedding_case(const EmbeddingCase& shape);
// The first k of each of `lines` lines of n, in order, with their indices.
struct SortCase {
  std::string set;
  int64_t lines, n, k;
  DType dtype = DType::f32;
};
Case sort_case(const SortCase& shape);

// Square windows of [N, H, H, C], f32.
struct PoolCase {
  std::string set;
  int64_t N, H, C, window, stride, padding;
  bool largest, backward;  // largest: the maximum, else the mean
};
Case pool_case(const PoolCase& shape);

// `kind`: sum, max, sum, gradient, transpose. Each edge goes from a random node to a random node.
struct GraphCase {
  std::string set, kind;
  int64_t nodes, edges, C;
  DType dtype = DType::f32;
};
Case graph_case(const GraphCase& shape);

// One step of LSTM or GRU behind its products: `kind` lstm or gru, also with " gradient".
struct CellCase {
  std::string kind;
  int64_t N, H;
  DType dtype = DType::f32;
};
Case cell_case(const CellCase& shape);
// One step over tensors of these sizes, f32: AdamW, or SGD with momentum.
Case adamw_case(const std::string& set, const std::vector<int64_t>& sizes);
Case sgd_case(const std::string& set, const std::vector<int64_t>& sizes);

// The repulsion of t-SNE among n points: bound by arithmetic, without a rival.
Case repulsion_case(int64_t n);

std::vector<Case> gemm_cases();
std::vector<Case> conv_cases();
std::vector<Case> attention_cases();
std::vector<Case> memory_cases();
std::vector<Case> reduce_cases();
std::vector<Case> elementwise_cases();
std::vector<Case> random_cases();
std::vector<Case> index_cases();
std::vector<Case> pool_cases();
std::vector<Case> graph_cases();
std::vector<Case> step_cases();  // recurrent, optimizer, embedding
std::vector<Case> ladder_cases();
std::vector<Case> plan();

std::string title(const Case& c);  // "gemm: squares, square (NT), 4096x4096x4096 bf16"

}  // namespace strata::bench
