#include "engine/data/terrace_text_grammar.h"

#include <unordered_map>

namespace strata::terrace_text {
namespace {

// By setting: the pairs of persons (man, woman, man, woman), animals, places, things.
constexpr const char* nouns[settings][16] = {
    {"king", "queen", "baron", "baroness", "hound", "falcon", "horse", "swan", "castle", "garden",
     "tower", "chapel", "crown", "sword", "throne", "scroll"},
    {"cowboy", "cowgirl", "shepherd", "shepherdess", "goat", "hen", "cow", "pig", "barn", "field",
     "orchard", "stable", "cart", "fence", "bucket", "ladder"},
    {"actor", "actress", "host", "hostess", "parrot", "monkey", "poodle", "rabbit", "hall",
     "theatre", "cellar", "studio", "curtain", "mask", "lamp", "drum"},
    {"steward", "stewardess", "waiter", "waitress", "whale", "gull", "seal", "crab", "harbor",
     "island", "lagoon", "lighthouse", "anchor", "sail", "net", "oar"},
};
// By field (moving, looking, working, trading): four that take an object, two that do not.
constexpr const char* verbs[fields][6] = {
    {"follow", "chase", "push", "pull", "walk", "wander"},
    {"watch", "find", "notice", "admire", "stare", "blink"},
    {"build", "paint", "clean", "mend", "toil", "rest"},
    {"buy", "sell", "lend", "weigh", "bargain", "wait"},
};
constexpr const char* plain[kinds] = {"tall",  "young", "grey",  "quick", "quiet", "white", "old",
                                      "small", "broad", "empty", "heavy", "round", "green", "thin"};
constexpr const char* charged[2][charged_adjectives] = {
    {"bad", "cruel", "lazy", "foolish", "rude", "false"},
    {"good", "kind", "brave", "clever", "gentle", "honest"},
};
constexpr const char* adverb_words[adverbs] = {"slowly", "often", "today", "again"};
constexpr const char* preposition_words[prepositions] = {"near", "behind", "beside", "above"};

std::string with_s(const std::string& word) {
  const bool hisses = word.ends_with("s") || word.ends_with("sh") || word.ends_with("ch");
  return word + (hisses ? "es" : "s");
}

int place_of(const Noun& noun) {
  return noun.kind < 2 ? 2 * noun.kind + noun.woman : noun.kind + 2;
}

// Where the blocks of the vocabulary begin.
constexpr int first_noun = 2, first_verb = first_noun + settings * 16 * 2;
constexpr int first_plain = first_verb + fields * 6 * 2, first_charged = first_plain + kinds;
constexpr int first_adverb = first_charged + 2 * charged_adjectives;
constexpr int first_preposition = first_adverb + adverbs;

std::vector<Word> make_words() {
  std::vector<Word> all = {{"<s>"}, {"<mask>"}};
  for (int8_t s = 0; s < settings; ++s)
    for (const char* noun : nouns[s]) {
      all.push_back({noun, WordClass::noun, s, -1, Number::singular});
      all.push_back({with_s(noun), WordClass::noun, s, -1, Number::plural});
    }
  for (int8_t f = 0; f < fields; ++f)
    for (const char* word : verbs[f]) {
      all.push_back({with_s(word), WordClass::verb, -1, f, Number::singular});
      all.push_back({word, WordClass::verb, -1, f, Number::plural});
    }
  auto add = [&](const char* text, WordClass c, Number n = Number::none) {
    all.push_back({text, c, -1, -1, n});
  };
  for (const char* word : plain) add(word, WordClass::adjective);
  for (auto& row : charged)
    for (const char* word : row) add(word, WordClass::adjective);
  for (const char* word : adverb_words) add(word, WordClass::adverb);
  for (const char* word : preposition_words) add(word, WordClass::preposition);
  add("the", WordClass::determiner);
  for (const char* word : {"this", "every", "that"})
    add(word, WordClass::determiner, Number::singular);
  for (const char* word : {"these", "some"}) add(word, WordClass::determiner, Number::plural);
  for (const char* word : {"he", "himself", "she", "herself", "it", "itself"})
    add(word, WordClass::pronoun, Number::singular);
  for (const char* word : {"they", "themselves"}) add(word, WordClass::pronoun, Number::plural);
  for (const char* word : {"is", "does"}) add(word, WordClass::auxiliary, Number::singular);
  for (const char* word : {"are", "do"}) add(word, WordClass::auxiliary, Number::plural);
  add("not", WordClass::negation);
  add("and", WordClass::conjunction);
  add(".", WordClass::punctuation);
  add("?", WordClass::punctuation);
  return all;
}

}  // namespace

const FactorRow& row_of(int factor) {
  static const FactorRow rows[factor_count] = {
      {"word class",
       1,
       {"marker", "determiner", "adjective", "noun", "verb", "auxiliary", "adverb", "preposition",
        "pronoun", "relative", "conjunction", "negation", "punctuation"}},
      {"number", 1, {"none", "singular", "plural"}},
      {"phrase",
       2,
       {"sentence", "noun phrase", "verb phrase", "prepositional phrase", "relative clause"}},
      {"relation",
       3,
       {"root", "subject", "object", "determiner", "adjective", "preposition", "noun modifier",
        "relative clause", "relative", "auxiliary", "copula", "negation", "adverb", "conjunct",
        "conjunction", "punctuation"}},
      {"entity type", 3, {"none", "person", "animal", "place", "thing"}},
      {"sentence type", 4, {"transitive", "intransitive", "description", "question", "compound"}},
      {"chain", 4, {"none", "first", "second", "third"}},
      {"sentiment", 5, {"none", "negative", "positive"}},
      {"topic", 6, {"topic 0", "topic 1", "topic 2", "topic 3"}},
  };
  return rows[factor];
}

const std::vector<Word>& words() {
  static const std::vector<Word> all = make_words();
  return all;
}

int word_number(const std::string& text, Caller at) {
  static const std::unordered_map<std::string, int> numbers = [] {
    std::unordered_map<std::string, int> map;
    for (const Word& word : words()) map.emplace(word.text, static_cast<int>(map.size()));
    return map;
  }();
  auto found = numbers.find(text);
  if (found == numbers.end())
    fail("terrace-text", at, "'{}' is not among the {} words of the vocabulary", text,
         words().size());
  return found->second;
}

Entity entity_of(const Noun& noun) {
  if (noun.kind < 2) return Entity::person;
  return static_cast<Entity>(static_cast<int>(Entity::animal) + (noun.kind - 2) / 4);
}

Noun actor(int setting, int i) {
  if (i < 4) return {static_cast<int8_t>(setting), static_cast<int8_t>(i / 2), i % 2 == 1};
  return {static_cast<int8_t>(setting), static_cast<int8_t>(i - 2), false};
}

Noun stage_property(int setting, int i) {
  return {static_cast<int8_t>(setting), static_cast<int8_t>(6 + i), false};
}

int word_of(const Noun& noun, Number number) {
  return first_noun + 2 * (16 * noun.setting + place_of(noun)) + (number == Number::plural);
}
int verb(int field, int i, Number number) {
  return first_verb + 2 * (6 * field + i) + (number == Number::plural);
}
int plain_adjective(int i) { return first_plain + i; }
int charged_adjective(Sentiment sentiment, int i) {
  return first_charged + (sentiment == Sentiment::positive ? charged_adjectives : 0) + i;
}
int adverb(int i) { return first_adverb + i; }
int preposition(int i) { return first_preposition + i; }

int pronoun(const Noun& noun, Number number, bool reflexive) {
  if (number == Number::plural) return word_number(reflexive ? "themselves" : "they");
  if (entity_of(noun) != Entity::person) return word_number(reflexive ? "itself" : "it");
  if (noun.woman) return word_number(reflexive ? "herself" : "she");
  return word_number(reflexive ? "himself" : "he");
}

std::vector<AnalogySection> planted_analogies() {
  using Pairs = std::vector<std::pair<int, int>>;
  auto text = [](int word) { return words()[static_cast<size_t>(word)].text; };
  auto section = [&](const char* name, const Pairs& pairs) {
    AnalogySection all{name, {}};
    for (auto [a, b] : pairs)
      for (auto [c, d] : pairs)
        if (a != c) all.questions.push_back({text(a), text(b), text(c), text(d)});
    return all;
  };
  Pairs men, women, animals, properties, transitive, intransitive, sexes;
  for (int s = 0; s < settings; ++s) {
    for (int i = 0; i < 16; ++i) {
      const Noun noun = i < 8 ? actor(s, i) : stage_property(s, i - 8);
      (i >= 8       ? properties
       : i >= 4     ? animals
       : noun.woman ? women
                    : men)
          .emplace_back(word_of(noun, Number::singular), word_of(noun, Number::plural));
    }
    for (int pair = 0; pair < 2; ++pair)
      sexes.emplace_back(word_of(actor(s, 2 * pair), Number::singular),
                         word_of(actor(s, 2 * pair + 1), Number::singular));
  }
  for (int f = 0; f < fields; ++f)
    for (int i = 0; i < transitive_verbs + intransitive_verbs; ++i)
      (i < transitive_verbs ? transitive : intransitive)
          .emplace_back(verb(f, i, Number::singular), verb(f, i, Number::plural));
  std::vector<AnalogySection> all = {
      section("number of men", men),
      section("number of women", women),
      section("number of animals", animals),
      section("number of places and things", properties),
      section("number of transitive verbs", transitive),
      section("number of intransitive verbs", intransitive),
      section("man and woman", sexes),
  };
  AnalogySection between{"settings", {}};
  for (int s = 0; s < settings; ++s) {
    Pairs moved;
    for (int i = 0; i < 16; ++i) {
      const int next = (s + 1) % settings;
      auto noun = [i](int setting) {
        return i < 8 ? actor(setting, i) : stage_property(setting, i - 8);
      };
      moved.emplace_back(word_of(noun(s), Number::singular), word_of(noun(next), Number::singular));
    }
    for (auto& question : section("", moved).questions) between.questions.push_back(question);
  }
  all.push_back(between);
  return all;
}

}  // namespace strata::terrace_text
