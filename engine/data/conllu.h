// CoNLL-U treebanks (universaldependencies.org/format.html): a line a word of ten fields between
// tabs, an empty line after a sentence, comments after '#'.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/error.h"

namespace strata {

struct TreebankWord {
  std::string form, lemma, upos, xpos, features, relation;
  int64_t head = 0;  // number of the word it hangs on, from 1; 0: the root
};

struct TreebankSentence {
  std::string id, text;             // of the comments "sent_id" and "text"; may be empty
  std::vector<TreebankWord> words;  // syntactic words, in order
};

struct Treebank {
  std::vector<TreebankSentence> sentences;
  int64_t ranges = 0, empty_nodes = 0;  // lines "3-4" and "8.1", which are counted and left out
  int64_t words() const;
};

// Every tree must have words numbered 1, 2, ..., heads within the sentence, one root and no cycle;
// anything else is an error that names the file and the line.
Treebank read_conllu(const std::string& path, Caller at = Caller::here());
Treebank parse_conllu(std::span<const uint8_t> bytes, const std::string& name,
                      Caller at = Caller::here());

}  // namespace strata
