#include "engine/data/conllu.h"

#include "engine/data/files.h"
#include "engine/data/lines.h"

namespace strata {
namespace {

// "# key = value" -> value, when the key is this one.
bool comment_value(std::string_view line, std::string_view key, std::string* value) {
  std::string start = "# " + std::string(key) + " = ";
  if (line.substr(0, start.size()) != start) return false;
  *value = std::string(line.substr(start.size()));
  return true;
}

// One root, and every word reaches it: each walk to the root marks its words, so that a word is
// visited twice at most.
std::string tree_fault(const TreebankSentence& sentence) {
  size_t roots = 0, count = sentence.words.size();
  std::vector<size_t> walk(count + 1, 0);  // which walk met the word
  for (size_t i = 1; i <= count; ++i) {
    int64_t head = sentence.words[i - 1].head;
    if (head < 0 || head > static_cast<int64_t>(count))
      return fmt::format("word {} has head {}, outside 0..{}", i, head, count);
    roots += head == 0;
  }
  if (roots != 1) return fmt::format("it has {} roots; expected one", roots);
  for (size_t i = 1; i <= count; ++i) {
    size_t word = i;
    while (word != 0 && walk[word] == 0) {
      walk[word] = i;
      word = static_cast<size_t>(sentence.words[word - 1].head);
    }
    if (word != 0 && walk[word] == i) return fmt::format("the heads of word {} form a cycle", word);
  }
  return "";
}

}  // namespace

int64_t Treebank::words() const {
  int64_t count = 0;
  for (const TreebankSentence& sentence : sentences)
    count += static_cast<int64_t>(sentence.words.size());
  return count;
}

Treebank parse_conllu(std::span<const uint8_t> bytes, const std::string& name, Caller at) {
  Treebank bank;
  TreebankSentence sentence;
  Lines lines(bytes);
  auto finish = [&] {
    if (!sentence.words.empty()) {
      std::string fault = tree_fault(sentence);
      if (!fault.empty())
        fail("conllu", at, "{}: the sentence that ends at line {} is no tree: {}", name,
             lines.number(), fault);
      bank.sentences.push_back(std::move(sentence));
    }
    sentence = {};
  };
  while (auto line = lines.next()) {
    if (line->empty()) {
      finish();
      continue;
    }
    if (line->front() == '#') {
      comment_value(*line, "sent_id", &sentence.id);
      comment_value(*line, "text", &sentence.text);
      continue;
    }
    std::vector<std::string_view> field = fields_of(*line, '\t');
    if (field.size() != 10)
      fail("conllu", at, "{} line {}: has {} fields between tabs; expected 10", name,
           lines.number(), field.size());
    if (field[0].find('-') != std::string_view::npos) {
      ++bank.ranges;
      continue;
    }
    if (field[0].find('.') != std::string_view::npos) {
      ++bank.empty_nodes;
      continue;
    }
    size_t expected = sentence.words.size() + 1;
    if (number_of(field[0]) != static_cast<int64_t>(expected))
      fail("conllu", at, "{} line {}: word number '{}'; expected {}", name, lines.number(),
           excerpt(field[0]), expected);
    std::optional<int64_t> head = number_of(field[6]);
    if (!head || field[1].empty())
      fail("conllu", at, "{} line {}: form '{}' with head '{}': a word has a form and a number",
           name, lines.number(), excerpt(field[1]), excerpt(field[6]));
    auto text = [&](int i) { return std::string(field[static_cast<size_t>(i)]); };
    sentence.words.push_back({text(1), text(2), text(3), text(4), text(5), text(7), *head});
  }
  if (!sentence.words.empty())
    fail("conllu", at, "{}: ends in the middle of a sentence (line {}): is it cut short?", name,
         lines.number());
  if (bank.sentences.empty()) fail("conllu", at, "{}: has no sentence", name);
  return bank;
}

Treebank read_conllu(const std::string& path, Caller at) {
  return parse_conllu(read_bytes("conllu", path, file_limit, at), path, at);
}

}  // namespace strata
