// einsum: the equation is checked letter by letter, then operands are contracted from the left,
// each pair by one batched matmul.
#include <algorithm>
#include <array>
#include <cctype>

#include "engine/ops/elementwise.h"
#include "engine/ops/product.h"
#include "engine/ops/reduce.h"
#include "engine/ops/view.h"

namespace strata {
namespace {

// A tensor with a letter an axis.
struct Term {
  Tensor tensor;
  std::string letters;
};

struct Equation {
  std::vector<std::string> inputs;
  std::string output;
};

bool has(const std::string& letters, char letter) {
  return letters.find(letter) != std::string::npos;
}

// The letters occurring once in all operands, in alphabetical order.
std::string implied_output(const std::vector<std::string>& inputs) {
  std::array<int, 128> count{};
  for (const std::string& letters : inputs) {
    for (char letter : letters) ++count[static_cast<size_t>(letter)];
  }
  std::string output;
  for (char letter = 'A'; letter <= 'z'; ++letter) {
    if (count[static_cast<size_t>(letter)] == 1) output += letter;
  }
  return output;
}

void check_letters(const std::string& equation, const std::string& letters, Caller at) {
  for (size_t i = 0; i < letters.size(); ++i) {
    char letter = letters[i];
    if (letter == '.') {
      fail("einsum", at, "\"{}\": ellipses are not supported; give every axis a letter", equation);
    }
    if (!std::isalpha(static_cast<unsigned char>(letter))) {
      fail("einsum", at, "\"{}\": '{}' is not a letter; expected letters, commas and one \"->\"",
           equation, letter);
    }
    if (letters.find(letter, i + 1) != std::string::npos) {
      fail(
          "einsum", at,
          "\"{}\": '{}' occurs twice in \"{}\"; diagonals are not supported (multiply by eye() and "
          "sum)",
          equation, letter, letters);
    }
  }
}

Equation parse(const std::string& equation, Caller at) {
  std::string text;
  for (char c : equation) {
    if (!std::isspace(static_cast<unsigned char>(c))) text += c;
  }
  Equation parsed;
  size_t arrow = text.find("->");
  std::string left = text.substr(0, arrow);
  for (size_t begin = 0; begin <= left.size();) {
    size_t comma = std::min(left.find(',', begin), left.size());
    parsed.inputs.push_back(left.substr(begin, comma - begin));
    begin = comma + 1;
  }
  for (const std::string& letters : parsed.inputs) check_letters(equation, letters, at);
  parsed.output =
      arrow == std::string::npos ? implied_output(parsed.inputs) : text.substr(arrow + 2);
  check_letters(equation, parsed.output, at);
  for (char letter : parsed.output) {
    if (!has(left, letter)) {
      fail("einsum", at, "\"{}\": the result's '{}' occurs in no operand", equation, letter);
    }
  }
  return parsed;
}

void check_sizes(const std::string& equation, const Equation& parsed,
                 const std::vector<Tensor>& operands, Caller at) {
  if (parsed.inputs.size() != operands.size()) {
    fail("einsum", at, "\"{}\" names {} operands but {} were given", equation, parsed.inputs.size(),
         operands.size());
  }
  std::array<int64_t, 128> size{};
  std::array<size_t, 128> seen_in{};
  for (size_t i = 0; i < operands.size(); ++i) {
    const std::string& letters = parsed.inputs[i];
    if (!operands[i].defined()) fail("einsum", at, "operand {} is undefined", i);
    if (operands[i].rank() != static_cast<int>(letters.size())) {
      fail("einsum", at, "\"{}\": \"{}\" names {} axes but operand {} is {}", equation, letters,
           letters.size(), i, describe(operands[i]));
    }
    for (size_t axis = 0; axis < letters.size(); ++axis) {
      auto letter = static_cast<size_t>(letters[axis]);
      int64_t n = operands[i].size(static_cast<int>(axis));
      if (seen_in[letter] && size[letter] != n) {
        size_t before = seen_in[letter] - 1;
        fail("einsum", at, "\"{}\": '{}' is {} in operand {} ({}) but {} in operand {} ({})",
             equation, letters[axis], size[letter], before, describe(operands[before]), n, i,
             describe(operands[i]));
      }
      size[letter] = n;
      seen_in[letter] = i + 1;
    }
  }
}

// Sums over the letters that `kept` does not have.
Term sum_out(const Term& term, const std::string& kept, Caller at) {
  Dims axes;
  std::string letters;
  for (size_t i = 0; i < term.letters.size(); ++i) {
    if (has(kept, term.letters[i])) {
      letters += term.letters[i];
    } else {
      axes.push_back(static_cast<int64_t>(i));
    }
  }
  if (axes.empty()) return term;
  return {sum(term.tensor, axes, false, at), letters};
}

Tensor arrange(const Term& term, const std::string& order, Caller at) {
  Dims axes;
  for (char letter : order) axes.push_back(static_cast<int64_t>(term.letters.find(letter)));
  return permute(term.tensor, axes, at);
}

int64_t size_of_letters(const Term& term, const std::string& letters) {
  int64_t n = 1;
  for (char letter : letters) n *= term.tensor.size(static_cast<int>(term.letters.find(letter)));
  return n;
}

// One contraction: letters of both that are still needed are a batch, letters of both that are not
// are summed, the others are rows and columns of a matrix product.
Term contract(const Term& a, const Term& b, const std::string& needed, Caller at) {
  std::string batch, summed, rows, columns;
  for (char letter : a.letters) {
    (!has(b.letters, letter) ? rows : has(needed, letter) ? batch : summed) += letter;
  }
  for (char letter : b.letters) {
    if (!has(a.letters, letter)) columns += letter;
  }
  if (batch.size() + rows.size() + columns.size() > static_cast<size_t>(max_rank)) {
    fail("einsum", at,
         "an intermediate result has axes \"{}\", more than {}; contract fewer "
         "operands at a time",
         batch + rows + columns, max_rank);
  }
  int64_t B = size_of_letters(a, batch), M = size_of_letters(a, rows),
          K = size_of_letters(a, summed), N = size_of_letters(b, columns);
  Tensor left = reshape(arrange(a, batch + rows + summed, at), {B, M, K}, at);
  Tensor right = reshape(arrange(b, batch + summed + columns, at), {B, K, N}, at);
  Dims shape;
  for (char letter : batch + rows) shape.push_back(size_of_letters(a, std::string(1, letter)));
  for (char letter : columns) shape.push_back(size_of_letters(b, std::string(1, letter)));
  return {reshape(matmul(left, right, at), shape, at), batch + rows + columns};
}

}  // namespace

Tensor einsum(const std::string& equation, const std::vector<Tensor>& operands, Caller at) {
  Equation parsed = parse(equation, at);
  check_sizes(equation, parsed, operands, at);
  // What operands i, i + 1, ... and the result still need.
  std::vector<std::string> needed(operands.size() + 1, parsed.output);
  for (size_t i = operands.size(); i-- > 0;) needed[i] = needed[i + 1] + parsed.inputs[i];
  Term result{operands[0], parsed.inputs[0]};
  result = sum_out(result, needed[1], at);
  for (size_t i = 1; i < operands.size(); ++i) {
    Term next = sum_out({operands[i], parsed.inputs[i]}, result.letters + needed[i + 1], at);
    result = contract(result, next, needed[i + 1], at);
  }
  return arrange(result, parsed.output, at);
}

}  // namespace strata
