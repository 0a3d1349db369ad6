// What terrace-text is made of: words of known classes, and the names of everything a token's
// record says. engine/data/terrace_text.h writes passages with them.
//
//   level 1  word class, number       of a word in its place ("that" is a determiner or a relative)
//   level 2  phrase                   the innermost phrase around a word, with its span
//   level 3  relation, entity type    dependency on a head; person, animal, place, thing
//   level 4  sentence type, chain     five types; who is spoken of (coreference)
//   level 5  sentiment                polarity of the adjective, turned round by "not"
//   level 6  topic                    table(setting of the nouns, field of the verbs)
//
// A noun is a cell of a grid: setting (court, farm, stage, sea) x 14 kinds (4 persons in two pairs
// of man and woman, 4 animals, 4 places, 4 things; the persons of a pair share a kind) x number.
// Its kind decides the adjective and the verbs it is mostly found with, its setting the other nouns
// around it. That is what plants analogies: king is to queen as actor is to actress, hound to
// hounds as gull to gulls.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/data/analogy.h"
#include "engine/error.h"

namespace strata::terrace_text {

enum class WordClass : int8_t {
  marker,
  determiner,
  adjective,
  noun,
  verb,
  auxiliary,
  adverb,
  preposition,
  pronoun,
  relative,
  conjunction,
  negation,
  punctuation,
};
enum class Phrase : int8_t { sentence, noun_phrase, verb_phrase, prepositional, relative_clause };
enum class Relation : int8_t {
  root,
  subject,
  object,
  determiner,
  adjective,
  preposition,
  noun_modifier,  // the noun of a prepositional phrase, on what the phrase belongs to
  relative_clause,
  relative,
  auxiliary,
  copula,
  negation,
  adverb,
  conjunct,
  conjunction,
  punctuation,
};
enum class Number : int8_t { none, singular, plural };
enum class Entity : int8_t { none, person, animal, place, thing };
enum class SentenceType : int8_t { transitive, intransitive, description, question, compound };
enum class Sentiment : int8_t { none, negative, positive };

// The columns of a token's record.
enum Factor : int {
  word_class,
  number,
  phrase,
  relation,
  entity,
  sentence_type,
  chain,  // 0: of no chain; 1, 2, ...: the entities of the passage in the order of their entrance
  sentiment,
  topic,
};
inline constexpr int factor_count = 9;
struct FactorRow {
  const char* name;
  int level;
  std::vector<const char*> value_names;
};
const FactorRow& row_of(int factor);

inline constexpr int settings = 4, fields = 4;
inline constexpr int kinds = 14;  // 2 pairs of persons, 4 animals, 4 places, 4 things

// Word numbers: 0 begins a passage, 1 hides a word (for masked models), the rest in the order of
// words().
inline constexpr int begin_word = 0, mask_word = 1;

struct Word {
  std::string text;
  WordClass word_class = WordClass::marker;
  int8_t setting = -1;  // of a noun
  int8_t field = -1;    // of a verb
  Number number = Number::none;
};
const std::vector<Word>& words();
// The number of a word; an unknown one is an error.
int word_number(const std::string& text, Caller at = Caller::here());

// A noun without its number. Persons: kind 0 or 1, `woman`; others: kind 2..13.
struct Noun {
  int8_t setting = 0, kind = 0;
  bool woman = false;
  bool operator==(const Noun&) const = default;
};
Entity entity_of(const Noun& noun);
// Persons and animals, who act: 0..7 in a setting; places and things: 0..7 likewise.
Noun actor(int setting, int i);
Noun stage_property(int setting, int i);

int word_of(const Noun& noun, Number number);
// A verb of a field: 0..3 take an object, 4 and 5 do not. The plural is the base form too.
int verb(int field, int i, Number number);
inline constexpr int transitive_verbs = 4, intransitive_verbs = 2;
int plain_adjective(int i);  // 0..kinds - 1
int charged_adjective(Sentiment sentiment, int i);
inline constexpr int charged_adjectives = 6;
int adverb(int i);
int preposition(int i);
inline constexpr int adverbs = 4, prepositions = 4;
// "he", "himself" and so on; the number of who is meant decides, then person or not, then sex.
int pronoun(const Noun& noun, Number number, bool reflexive);

// The analogies that were planted, by relation: number of nouns and of verbs, man and woman,
// setting (hound : goat :: falcon : hen). Both pairs of a question play the same part in the
// grammar: a king becomes kings as "he" becomes "they", a queen queens as "she" does.
std::vector<AnalogySection> planted_analogies();

}  // namespace strata::terrace_text
