// Writes one passage of terrace-text, choice by choice; engine/data/terrace_text.h says what the
// grammar is.
#pragma once

#include <initializer_list>
#include <optional>
#include <vector>

#include "engine/data/keyed_random.h"
#include "engine/data/terrace_text.h"

namespace strata::terrace_text {

class Composer {
 public:
  Composer(uint64_t seed, uint64_t index);
  // All but the topic.
  Passage passage(int sentences);
  MinimalPair minimal_pair(Construction construction);

 private:
  // Someone or something spoken of; `chain` 0: not followed.
  struct Referent {
    Noun noun;
    Number number = Number::singular;
    int chain = 0;
  };

  // A draw in proportion to whole weights; its probability goes into the passage's bits.
  int choose(std::initializer_list<int> weights);
  int any_of(int n);
  // Half of the time `favourite`, else any of n.
  int mostly(int favourite, int n);
  int below(int n);  // not counted
  int field();
  Number any_number() { return any_of(2) == 0 ? Number::singular : Number::plural; }

  int put(int word, Relation relation, std::optional<WordClass> other_class = {});
  void depends(int token, int head) { out_.tokens[static_cast<size_t>(token)].head = head; }
  void open(Phrase type);
  void close();

  Referent actor_but(int chain);
  Referent property(std::optional<Number> number = {});
  void determiner_and_adjective(const Referent& referent, std::vector<int>* dependents);
  // These return the place of the noun (or pronoun), whose head is still to be set.
  int noun_phrase(const Referent& referent, Relation relation, bool modified);
  int pronoun_for(const Referent& referent, Relation relation, bool reflexive = false);
  struct Subject {
    int place = 0;
    Referent who;
  };
  Subject subject();
  int object(const Referent& subject);
  void mark_noun(int token, const Referent& referent);

  void modifier(int noun, const Referent& referent);
  void prepositional(int noun, int more, std::optional<Number> number);
  void relative_with_subject_gap(int noun, Number number);
  void relative_with_object_gap(int noun, std::optional<Number> number);

  int transitive_verb(const Referent& subject, Number number, Relation relation);
  int intransitive_verb(const Referent& subject, Relation relation);
  void sentence();
  // The sentence types; each returns the place of the root.
  int transitive();
  void conjoined(int first_verb, const Referent& who);
  int intransitive();
  int description();
  int question();

  KeyedRandom random_;
  uint64_t seed_, index_;
  Passage out_;
  bool field_shown_ = false;
  Sentence current_;
  std::vector<int> open_;             // phrases around the next word
  std::vector<Referent> cast_;        // by chain - 1
  Sentiment mood_ = Sentiment::none;  // of the passage's descriptions; none: not yet chosen
};

}  // namespace strata::terrace_text
