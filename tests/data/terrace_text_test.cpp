// The grammar's promises, counted: agreement, trees, coreference, information, and that texts have
// the probability they claim.
#include "engine/data/terrace_text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "tests/support/expect.h"

namespace strata {
namespace {

using namespace terrace_text;
using terrace::Rule;

TEST(TerraceText, VocabularyIsListedOnce) {
  std::set<std::string> seen;
  for (size_t i = 0; i < words().size(); ++i) {
    EXPECT_TRUE(seen.insert(words()[i].text).second) << words()[i].text;
    EXPECT_EQ(word_number(words()[i].text), static_cast<int>(i));
  }
  EXPECT_EQ(words().size(), 234u);
  EXPECT_EQ(words()[static_cast<size_t>(word_of(actor(0, 3), Number::plural))].text, "baronesses");
  EXPECT_EQ(words()[static_cast<size_t>(verb(1, 0, Number::singular))].text, "watches");
  EXPECT_EQ(words()[static_cast<size_t>(plain_adjective(13))].text, "thin");
  EXPECT_EQ(words()[static_cast<size_t>(charged_adjective(Sentiment::positive, 0))].text, "good");
  EXPECT_EQ(words()[static_cast<size_t>(adverb(3))].text, "again");
  EXPECT_EQ(words()[static_cast<size_t>(preposition(0))].text, "near");
  EXPECT_FAILS(word_number("unicorn"), "'unicorn' is not among the 234 words");
}

TEST(TerraceText, PassagesAreAFunctionOfSeedAndIndex) {
  TerraceText a(1), b(1), c(2);
  EXPECT_EQ(a.stream(5, 3), b.stream(5, 3));
  EXPECT_EQ(text_of(a.passage(6)), text_of(b.passage(6)));
  EXPECT_NE(a.stream(5, 3), c.stream(5, 3));
  EXPECT_NE(a.stream(5, 1), a.stream(6, 1));
  EXPECT_FAILS(TerraceText(1, {.sentences = 0}), "at least one sentence; got 0");
}

// Every sentence is a tree over its words with one root, phrases nest, and a noun phrase holds
// the words that hang on its noun.
TEST(TerraceText, DependenciesAreTreesAndPhrasesNest) {
  TerraceText data(3);
  for (uint64_t i = 0; i < 500; ++i) {
    const Passage p = data.passage(i);
    ASSERT_LE(static_cast<int64_t>(p.tokens.size()), data.longest());
    ASSERT_EQ(p.tokens[0].word, begin_word);
    std::vector<int> roots(p.sentences.size());
    for (size_t t = 1; t < p.tokens.size(); ++t) {
      const Token& token = p.tokens[t];
      const bool root = token.factors[relation] == static_cast<int8_t>(Relation::root);
      ASSERT_EQ(root, token.head < 0) << text_of(p);
      if (root) {
        ++roots[static_cast<size_t>(token.sentence)];
        continue;
      }
      ASSERT_EQ(p.tokens[static_cast<size_t>(token.head)].sentence, token.sentence);
      int steps = 0;
      for (int at = token.head; at >= 0; at = p.tokens[static_cast<size_t>(at)].head)
        ASSERT_LT(++steps, 40) << "a cycle in: " << text_of(p);
      const Span& span = p.spans[static_cast<size_t>(token.span)];
      ASSERT_TRUE(span.begin <= static_cast<int>(t) && static_cast<int>(t) < span.end);
      ASSERT_EQ(token.factors[phrase], static_cast<int8_t>(span.type));
    }
    for (int count : roots) ASSERT_EQ(count, 1) << text_of(p);
    for (const Span& span : p.spans) {
      ASSERT_LT(span.begin, span.end);
      if (span.parent < 0) continue;
      const Span& outer = p.spans[static_cast<size_t>(span.parent)];
      ASSERT_TRUE(outer.begin <= span.begin && span.end <= outer.end);
    }
  }
}

TEST(TerraceText, VerbsAgreeWithTheirSubjectsAndDeterminersWithNouns) {
  TerraceText data(4);
  int verbs = 0, attracted = 0;
  for (uint64_t i = 0; i < 500; ++i) {
    const Passage p = data.passage(i);
    for (size_t t = 1; t < p.tokens.size(); ++t) {
      const Token& token = p.tokens[t];
      const auto its = static_cast<Relation>(token.factors[relation]);
      const Token& head = p.tokens[static_cast<size_t>(std::max(token.head, 0))];
      const int8_t n = token.factors[number];
      if (its == Relation::determiner && words()[static_cast<size_t>(token.word)].text != "the") {
        ASSERT_EQ(n, head.factors[number]) << text_of(p);
      }
      const bool finite = head.factors[number] != static_cast<int8_t>(Number::none);
      if (its == Relation::subject && finite &&
          head.factors[word_class] == static_cast<int8_t>(WordClass::verb)) {
        ASSERT_EQ(n, head.factors[number]) << text_of(p);
        ++verbs;
        for (int between = static_cast<int>(t) + 1; between < token.head; ++between) {
          const Token& near = p.tokens[static_cast<size_t>(between)];
          attracted += near.factors[entity] > 0 && near.factors[number] != n;
        }
      }
      if (its == Relation::copula || its == Relation::auxiliary) {
        for (const Token& other : p.tokens) {
          if (other.head != token.head) continue;
          if (other.factors[relation] == static_cast<int8_t>(Relation::subject)) {
            ASSERT_EQ(n, other.factors[number]) << text_of(p);
          }
        }
      }
    }
  }
  EXPECT_GT(verbs, 1000);
  EXPECT_GT(attracted, 100);
}

TEST(TerraceText, PronounsStandForTheirChain) {
  TerraceText data(5);
  int pronouns = 0;
  for (uint64_t i = 0; i < 500; ++i) {
    const Passage p = data.passage(i);
    std::map<int, std::pair<int, int>> who;  // chain -> entity type, number
    for (const Token& token : p.tokens) {
      const int c = token.factors[chain];
      if (c == 0) continue;
      const std::pair<int, int> features = {token.factors[entity], token.factors[number]};
      const bool pronoun = token.factors[word_class] == static_cast<int8_t>(WordClass::pronoun);
      if (pronoun) {
        ASSERT_TRUE(who.count(c)) << text_of(p);
      }
      auto found = who.emplace(c, features).first;
      ASSERT_EQ(found->second, features) << text_of(p);
      ASSERT_LE(c, 3);
      pronouns += pronoun;
    }
    for (size_t s = 1; s < p.sentences.size(); ++s) {
      const Token& first = p.tokens[static_cast<size_t>(p.sentences[s].begin)];
      if (first.factors[word_class] == static_cast<int8_t>(WordClass::pronoun)) {
        ASSERT_EQ(first.factors[chain], p.sentences[s - 1].subject);
      }
    }
  }
  EXPECT_GT(pronouns, 300);
}

// In descriptions neither the adjective nor "not" alone tells the sentiment; both together do.
TEST(TerraceText, SentimentIsPolarityTimesNegation) {
  TerraceText data(6);
  int same = 0, descriptions = 0;
  for (uint64_t i = 0; i < 1000; ++i) {
    const Passage p = data.passage(i);
    std::set<Sentiment> moods;
    for (const Sentence& s : p.sentences) {
      if (s.type != SentenceType::description) {
        EXPECT_EQ(s.sentiment, Sentiment::none);
        continue;
      }
      moods.insert(s.sentiment);
      const int adjective = p.tokens[static_cast<size_t>(s.end - 2)].word;
      const bool negated = p.tokens[static_cast<size_t>(s.end - 3)].word == word_number("not");
      const bool good = adjective >= charged_adjective(Sentiment::positive, 0);
      ASSERT_EQ(s.sentiment == Sentiment::positive, good != negated) << text_of(p);
      same += good == (s.sentiment == Sentiment::positive);
      ++descriptions;
    }
    ASSERT_LE(moods.size(), 1u);
  }
  EXPECT_NEAR(static_cast<double>(same) / descriptions, 0.5,
              3 * 0.5 / std::sqrt(static_cast<double>(descriptions)));
}

// I(topic; word) counted over passages, against the enumeration of the table. The count of a word
// in N passages biases the estimate up by about (topics - 1) / (2 N ln 2) for each of its values.
TEST(TerraceText, OneWordTellsOfTheTopicWhatIsStated) {
  constexpr int passages = 4000;
  for (Rule rule : {Rule::latin, Rule::staircase}) {
    TerraceText data(7, {.topic_rule = rule});
    const double noun = rule == Rule::latin ? 0 : 1;
    EXPECT_NEAR(data.topic_information_of_a_noun(), noun, 1e-12);
    EXPECT_NEAR(data.topic_information_of_a_verb(), 0, 1e-12);
    std::map<std::pair<WordClass, int>, std::map<int, int>> counts;  // (class, word) -> topics
    for (int i = 0; i < passages; ++i) {
      const Passage p = data.passage(static_cast<uint64_t>(i));
      std::set<WordClass> once;  // the first word of each class: passages are independent
      for (const Token& token : p.tokens) {
        const auto c = static_cast<WordClass>(token.factors[word_class]);
        if (once.insert(c).second) ++counts[{c, token.word}][token.factors[topic]];
      }
    }
    std::map<WordClass, double> bits, bias, total;
    std::map<WordClass, std::map<int, double>> topics;
    for (auto& [key, by_topic] : counts)
      for (auto [t, n] : by_topic) total[key.first] += n, topics[key.first][t] += n;
    for (auto& [key, by_topic] : counts) {
      double sum = 0;
      for (auto [t, n] : by_topic) sum += n;
      const double all = total[key.first];
      for (auto [t, n] : by_topic)
        bits[key.first] += n / all * std::log2(n / sum / (topics[key.first][t] / all));
      bias[key.first] += 3 / (2 * all * std::log(2.0));
    }
    for (auto [c, found] : bits) {
      const double want = c == WordClass::noun ? noun : 0;
      EXPECT_NEAR(found, want, 2 * bias[c] + 0.01) << static_cast<int>(c);
    }
  }
}

// Texts that came among the first half of the passages come in the second as often as their bits
// say: the sum of their 2^-bits is the share of the second half that they make up.
TEST(TerraceText, TextsAreAsFrequentAsTheirBitsSay) {
  TerraceText data(8, {.sentences = 1});
  constexpr int half = 30000;
  std::map<std::string, double> bits;
  for (uint64_t i = 0; i < half; ++i) {
    const Passage p = data.passage(i);
    auto [entry, fresh] = bits.emplace(text_of(p), p.bits);
    ASSERT_NEAR(entry->second, p.bits, 1e-9) << text_of(p);  // one derivation
  }
  double share = 0, found = 0;
  for (const auto& [text, b] : bits) share += std::exp2(-b);
  for (uint64_t i = half; i < 2 * half; ++i) found += bits.count(text_of(data.passage(i)));
  EXPECT_GT(share, 0.02);
  EXPECT_NEAR(found / half, share, 4 * std::sqrt(share / half));
}

TEST(TerraceText, MinimalPairsDifferInTheNumberOfOneVerb) {
  TerraceText data(9);
  const std::array<int, constructions> nouns_before = {1, 2, 3, 2};
  for (int c = 0; c < constructions; ++c) {
    int plural = 0;
    for (uint64_t i = 0; i < 200; ++i) {
      const MinimalPair pair = data.minimal_pair(i, static_cast<Construction>(c));
      ASSERT_EQ(pair.words[static_cast<size_t>(pair.place)], pair.right);
      const Word& right = words()[static_cast<size_t>(pair.right)];
      const Word& wrong = words()[static_cast<size_t>(pair.wrong)];
      ASSERT_EQ(right.word_class, WordClass::verb);
      ASSERT_EQ(wrong.word_class, WordClass::verb);
      ASSERT_EQ(right.field, wrong.field);
      ASSERT_NE(right.number, wrong.number);
      std::vector<Number> nouns;
      for (int t = 0; t < pair.place; ++t) {
        const Word& word = words()[static_cast<size_t>(pair.words[static_cast<size_t>(t)])];
        if (word.word_class == WordClass::noun) nouns.push_back(word.number);
      }
      ASSERT_EQ(static_cast<int>(nouns.size()), nouns_before[static_cast<size_t>(c)]);
      ASSERT_EQ(nouns[0], right.number);
      for (size_t n = 1; n < nouns.size(); ++n) ASSERT_NE(nouns[n], right.number);
      plural += right.number == Number::plural;
    }
    EXPECT_NEAR(plural, 100, 30);  // 4 standard deviations
  }
}

TEST(TerraceText, PaddedAndCharactersAreTheSameWords) {
  TerraceText data(10);
  Tensor batch = data.padded(3, 2);
  ASSERT_EQ(batch.shape(), (Dims{2, data.longest()}));
  std::vector<int> joined;
  for (int64_t word : batch.to_vector<int64_t>())
    if (word >= 0) joined.push_back(static_cast<int>(word));
  EXPECT_EQ(joined, data.stream(3, 2));
  const Passage p = data.passage(3);
  const std::string text = text_of(p);
  const std::vector<int> owners = tokens_of_characters(p);
  ASSERT_EQ(owners.size(), text.size());
  std::map<int, std::string> spelled;
  for (size_t i = 0; i < text.size(); ++i)
    if (text[i] != ' ') spelled[owners[i]] += text[i];
  for (auto& [token, letters] : spelled)
    EXPECT_EQ(letters,
              words()[static_cast<size_t>(p.tokens[static_cast<size_t>(token)].word)].text);
  EXPECT_EQ(spelled.size(), p.tokens.size() - 1);
}

TEST(TerraceText, AnalogiesArePlanted) {
  std::map<std::string, size_t> sizes;
  for (const AnalogySection& section : planted_analogies()) {
    sizes[section.name] = section.questions.size();
    for (auto& question : section.questions)
      for (auto& word : question) word_number(word);
  }
  EXPECT_EQ(sizes, (std::map<std::string, size_t>{{"number of men", 8 * 7},
                                                  {"number of women", 8 * 7},
                                                  {"number of animals", 16 * 15},
                                                  {"number of places and things", 32 * 31},
                                                  {"number of transitive verbs", 16 * 15},
                                                  {"number of intransitive verbs", 8 * 7},
                                                  {"man and woman", 8 * 7},
                                                  {"settings", 4 * 16 * 15}}));
}

TEST(TerraceText, DescribesWhatAWordAloneTells) {
  const std::string text = TerraceText(1).describe();
  EXPECT_NE(text.find("I(topic; a noun) 1.000 bits, I(topic; a verb) 0.000"), std::string::npos)
      << text;
}

}  // namespace
}  // namespace strata
