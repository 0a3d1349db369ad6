#include "tools/train/tagged_words.h"

#include <algorithm>

#include "engine/text/unicode.h"

namespace strata::train {
namespace {

// Calls f(character) for text that may hold bytes that are no UTF-8, which stand for themselves.
template <class F>
void for_each_character(const std::string& text, F&& f) {
  for (size_t place = 0; place < text.size();) {
    const unicode::Decoded c = unicode::decode(text, place);
    f(c.length ? c.character : static_cast<char32_t>(static_cast<uint8_t>(text[place])));
    place += static_cast<size_t>(std::max(1, c.length));
  }
}

}  // namespace

std::string in_lower_case(const std::string& text) {
  std::string out;
  for_each_character(text, [&](char32_t c) { unicode::append(out, unicode::lower_case(c)); });
  return out;
}

TagVocabulary::TagVocabulary(const Sentences& training) {
  std::map<std::string, int64_t> counts;
  for (const TreebankSentence* s : training) {
    for (const TreebankWord& w : s->words) {
      ++counts[in_lower_case(w.form)];
      tags_[w.upos] = 0;
      for_each_character(w.form, [&](char32_t c) { characters_[c] = 0; });
    }
  }
  counts_ = {0, 0};
  for (const auto& [word, count] : counts) {
    words_[word] = static_cast<int64_t>(counts_.size());
    counts_.push_back(count);
  }
  int64_t next = unknown + 1;
  for (auto& [character, number] : characters_) number = next++;
  for (auto& [name, number] : tags_) {
    number = tags();
    tag_names_.push_back(name);
  }
}

int64_t TagVocabulary::word(const std::string& form) const {
  const auto found = words_.find(in_lower_case(form));
  return found == words_.end() ? unknown : found->second;
}

std::vector<int64_t> TagVocabulary::spelling(const std::string& form, int64_t letters) const {
  std::vector<int64_t> numbers;
  for_each_character(form, [&](char32_t c) {
    const auto found = characters_.find(c);
    numbers.push_back(found == characters_.end() ? unknown : found->second);
  });
  numbers.resize(static_cast<size_t>(letters), padding);
  return numbers;
}

int64_t TagVocabulary::tag(const std::string& name) const {
  const auto found = tags_.find(name);
  return found == tags_.end() ? -1 : found->second;
}

nlohmann::json TagVocabulary::to_json() const {
  nlohmann::json characters = nlohmann::json::object();
  for (const auto& [character, number] : characters_) {
    std::string text;
    unicode::append(text, character);
    characters[text] = number;
  }
  return {{"words", words_}, {"characters", characters}, {"tags", tag_names_}};
}

MostFrequentTag::MostFrequentTag(const Sentences& training) {
  // Of each word its tags in the order in which they were first seen.
  std::map<std::string, std::vector<std::pair<std::string, int64_t>>> counts;
  for (const TreebankSentence* s : training) {
    for (const TreebankWord& w : s->words) {
      auto& of = counts[in_lower_case(w.form)];
      const auto same = [&](const auto& tag) { return tag.first == w.upos; };
      auto found = std::find_if(of.begin(), of.end(), same);
      if (found == of.end()) found = of.insert(found, {w.upos, 0});
      ++found->second;
    }
  }
  const auto rarer = [](const auto& a, const auto& b) { return a.second < b.second; };
  for (const auto& [word, of] : counts)
    tags_[word] = std::max_element(of.begin(), of.end(), rarer)->first;
}

std::string MostFrequentTag::tag(const std::string& form) const {
  const auto found = tags_.find(in_lower_case(form));
  return found == tags_.end() ? "NOUN" : found->second;
}

}  // namespace strata::train
