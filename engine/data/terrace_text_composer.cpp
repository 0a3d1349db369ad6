#include "engine/data/terrace_text_composer.h"

#include <cmath>

namespace strata::terrace_text {
namespace {

constexpr int cast_size = 3;

int numbered(const char* singular, const char* plural, Number number) {
  return word_number(number == Number::plural ? plural : singular);
}

}  // namespace

const char* name_of(Construction construction) {
  static constexpr const char* names[] = {"no attractor", "one prepositional phrase",
                                          "two prepositional phrases", "relative clause"};
  return names[static_cast<size_t>(construction)];
}

Composer::Composer(uint64_t seed, uint64_t index)
    : random_(seed, index, 0), seed_(seed), index_(index) {
  put(begin_word, Relation::root);
  out_.setting = any_of(settings);
  out_.field = below(fields);
}

int Composer::below(int n) { return static_cast<int>(random_.below(static_cast<uint32_t>(n))); }

int Composer::choose(std::initializer_list<int> weights) {
  int total = 0;
  for (int weight : weights) total += weight;
  int draw = below(total), i = 0;
  const int* weight = weights.begin();
  for (; draw >= weight[i]; ++i) draw -= weight[i];
  out_.bits += std::log2(static_cast<double>(total) / weight[i]);
  return i;
}

int Composer::any_of(int n) {
  out_.bits += std::log2(n);
  return below(n);
}

int Composer::mostly(int favourite, int n) {
  const int draw = below(2 * n), i = draw < n ? draw : favourite % n;
  out_.bits += std::log2(2.0 * n / (i == favourite % n ? n + 1 : 1));
  return i;
}

// Drawn at the beginning; the first verb shows it.
int Composer::field() {
  if (!field_shown_) out_.bits += std::log2(fields);
  field_shown_ = true;
  return out_.field;
}

int Composer::put(int word, Relation relation, std::optional<WordClass> other_class) {
  const Word& entry = words()[static_cast<size_t>(word)];
  Token token{word};
  token.factors[word_class] = static_cast<int8_t>(other_class.value_or(entry.word_class));
  token.factors[number] = static_cast<int8_t>(other_class ? Number::none : entry.number);
  token.factors[strata::terrace_text::relation] = static_cast<int8_t>(relation);
  if (!open_.empty()) {
    token.span = open_.back();
    token.factors[phrase] = static_cast<int8_t>(out_.spans[static_cast<size_t>(token.span)].type);
    token.sentence = static_cast<int>(out_.sentences.size());
  }
  out_.tokens.push_back(token);
  return static_cast<int>(out_.tokens.size()) - 1;
}

void Composer::open(Phrase type) {
  const int begin = static_cast<int>(out_.tokens.size());
  out_.spans.push_back({type, begin, begin, open_.empty() ? -1 : open_.back()});
  open_.push_back(static_cast<int>(out_.spans.size()) - 1);
}

void Composer::close() {
  out_.spans[static_cast<size_t>(open_.back())].end = static_cast<int>(out_.tokens.size());
  open_.pop_back();
}

// One of the cast, or somebody new while there is room, but not `chain`.
Composer::Referent Composer::actor_but(int chain) {
  std::vector<Referent> known;
  for (const Referent& one : cast_)
    if (one.chain != chain) known.push_back(one);
  const bool room = static_cast<int>(cast_.size()) < cast_size;
  if (!known.empty() && (!room || any_of(2) == 0))
    return known[static_cast<size_t>(any_of(static_cast<int>(known.size())))];
  std::vector<int> free;
  for (int i = 0; i < 8; ++i) {
    bool taken = false;
    for (const Referent& one : cast_) taken |= one.noun == actor(out_.setting, i);
    if (!taken) free.push_back(i);
  }
  const int i = free[static_cast<size_t>(any_of(static_cast<int>(free.size())))];
  const Number n = any_number();
  cast_.push_back({actor(out_.setting, i), n, static_cast<int>(cast_.size()) + 1});
  return cast_.back();
}

Composer::Referent Composer::property(std::optional<Number> forced) {
  const Noun noun = stage_property(out_.setting, any_of(8));
  return {noun, forced ? *forced : any_number(), 0};
}

void Composer::mark_noun(int token, const Referent& referent) {
  auto& factors = out_.tokens[static_cast<size_t>(token)].factors;
  factors[entity] = static_cast<int8_t>(entity_of(referent.noun));
  factors[chain] = static_cast<int8_t>(referent.chain);
}

void Composer::determiner_and_adjective(const Referent& referent, std::vector<int>* dependents) {
  static constexpr const char* singular[] = {"the", "this", "every", "that"};
  static constexpr const char* plural[] = {"the", "these", "some"};
  const char* word = referent.number == Number::singular ? singular[choose({3, 1, 1, 1})]
                                                         : plural[choose({3, 1, 1})];
  dependents->push_back(put(word_number(word), Relation::determiner));
  if (choose({3, 2}) == 1)
    dependents->push_back(
        put(plain_adjective(mostly(referent.noun.kind, kinds)), Relation::adjective));
}

int Composer::noun_phrase(const Referent& referent, Relation relation, bool modified) {
  open(Phrase::noun_phrase);
  std::vector<int> dependents;
  determiner_and_adjective(referent, &dependents);
  const int noun = put(word_of(referent.noun, referent.number), relation);
  mark_noun(noun, referent);
  for (int token : dependents) depends(token, noun);
  if (modified) modifier(noun, referent);
  close();
  return noun;
}

int Composer::pronoun_for(const Referent& referent, Relation relation, bool reflexive) {
  open(Phrase::noun_phrase);
  const int token = put(pronoun(referent.noun, referent.number, reflexive), relation);
  mark_noun(token, referent);
  close();
  return token;
}

void Composer::modifier(int noun, const Referent& referent) {
  const int kind = choose({4, 2, 1, 1});
  if (kind == 1) prepositional(noun, choose({3, 1}), {});
  if (kind == 2) relative_with_subject_gap(noun, referent.number);
  if (kind == 3) relative_with_object_gap(noun, {});
}

// "near the castles", on `noun`; `more` further ones on the noun inside.
void Composer::prepositional(int noun, int more, std::optional<Number> forced) {
  open(Phrase::prepositional);
  const Referent inner = property(forced);
  const int word = preposition(mostly(inner.noun.kind, prepositions));
  const int first = put(word, Relation::preposition);
  const int inside = noun_phrase(inner, Relation::noun_modifier, false);
  depends(first, inside);
  depends(inside, noun);
  if (more > 0) prepositional(inside, more - 1, forced);
  close();
}

// "that follows the crown": the verb agrees with the noun outside.
void Composer::relative_with_subject_gap(int noun, Number number_of_noun) {
  open(Phrase::relative_clause);
  const int that = put(word_number("that"), Relation::relative, WordClass::relative);
  const int v =
      put(verb(field(), any_of(transitive_verbs), number_of_noun), Relation::relative_clause);
  depends(that, v);
  depends(noun_phrase(property(), Relation::object, false), v);
  depends(v, noun);
  close();
}

// "that the crowns follow": the verb agrees with the noun inside.
void Composer::relative_with_object_gap(int noun, std::optional<Number> forced) {
  open(Phrase::relative_clause);
  const int that = put(word_number("that"), Relation::relative, WordClass::relative);
  const Referent inner = property(forced);
  const int inside = noun_phrase(inner, Relation::subject, false);
  const int v = transitive_verb(inner, inner.number, Relation::relative_clause);
  depends(that, v);
  depends(inside, v);
  depends(v, noun);
  close();
}

int Composer::transitive_verb(const Referent& subject, Number agreed, Relation relation) {
  return put(verb(field(), mostly(subject.noun.kind, transitive_verbs), agreed), relation);
}

int Composer::intransitive_verb(const Referent& subject, Relation relation) {
  const int i = transitive_verbs + mostly(subject.noun.kind, intransitive_verbs);
  return put(verb(field(), i, subject.number), relation);
}

// A noun phrase, or a pronoun for the subject of the sentence before.
Composer::Subject Composer::subject() {
  const bool by_pronoun = !out_.sentences.empty() && choose({3, 1}) == 1;
  Subject s;
  s.who = by_pronoun ? cast_[static_cast<size_t>(out_.sentences.back().subject - 1)] : actor_but(0);
  s.place = by_pronoun ? pronoun_for(s.who, Relation::subject)
                       : noun_phrase(s.who, Relation::subject, true);
  current_.subject = s.who.chain;
  return s;
}

int Composer::object(const Referent& who) {
  const int kind = choose({2, 2, 1});
  if (kind == 0) return noun_phrase(actor_but(who.chain), Relation::object, false);
  if (kind == 1) return noun_phrase(property(), Relation::object, false);
  return pronoun_for(who, Relation::object, true);
}

// The root of the sentence, of which all else hangs.
int Composer::transitive() {
  const auto [s, who] = subject();
  open(Phrase::verb_phrase);
  const int v = transitive_verb(who, who.number, Relation::root);
  depends(object(who), v);
  close();
  depends(s, v);
  if (current_.type == SentenceType::compound) conjoined(v, who);
  return v;
}

void Composer::conjoined(int first_verb, const Referent& who) {
  const int conjunction = put(word_number("and"), Relation::conjunction);
  const int again = pronoun_for(who, Relation::subject);
  open(Phrase::verb_phrase);
  const int v = intransitive_verb(who, Relation::conjunct);
  close();
  depends(conjunction, v);
  depends(again, v);
  depends(v, first_verb);
}

int Composer::intransitive() {
  const auto [s, who] = subject();
  open(Phrase::verb_phrase);
  const int v = intransitive_verb(who, Relation::root);
  if (any_of(2) == 1) depends(put(adverb(any_of(adverbs)), Relation::adverb), v);
  close();
  depends(s, v);
  return v;
}

int Composer::description() {
  const auto [s, who] = subject();
  open(Phrase::verb_phrase);
  std::vector<int> dependents = {s, put(numbered("is", "are", who.number), Relation::copula)};
  if (mood_ == Sentiment::none) mood_ = any_of(2) ? Sentiment::positive : Sentiment::negative;
  current_.sentiment = mood_;
  const bool negated = any_of(2) == 1;
  if (negated) dependents.push_back(put(word_number("not"), Relation::negation));
  const bool good = (mood_ == Sentiment::positive) != negated;
  const int adjective = put(charged_adjective(good ? Sentiment::positive : Sentiment::negative,
                                              any_of(charged_adjectives)),
                            Relation::root);
  close();
  for (int token : dependents) depends(token, adjective);
  return adjective;
}

// The number stands at the front: "does the king follow ...".
int Composer::question() {
  const int front = put(word_number("does"), Relation::auxiliary);
  const auto [s, who] = subject();
  Token& auxiliary = out_.tokens[static_cast<size_t>(front)];
  auxiliary.word = numbered("does", "do", who.number);
  auxiliary.factors[number] = static_cast<int8_t>(who.number);
  open(Phrase::verb_phrase);
  const int v = transitive_verb(who, Number::plural, Relation::root);
  out_.tokens[static_cast<size_t>(v)].factors[number] = static_cast<int8_t>(Number::none);
  depends(object(who), v);
  close();
  depends(s, v);
  depends(front, v);
  return v;
}

void Composer::sentence() {
  const int number_of_sentence = static_cast<int>(out_.sentences.size());
  random_ = KeyedRandom(seed_, index_, static_cast<uint32_t>(number_of_sentence) + 1);
  current_ = {};
  current_.type = static_cast<SentenceType>(choose({3, 2, 2, 1, 2}));
  current_.begin = static_cast<int>(out_.tokens.size());
  open(Phrase::sentence);
  int root = 0;
  switch (current_.type) {
    case SentenceType::transitive:
    case SentenceType::compound:
      root = transitive();
      break;
    case SentenceType::intransitive:
      root = intransitive();
      break;
    case SentenceType::description:
      root = description();
      break;
    case SentenceType::question:
      root = question();
      break;
  }
  const bool asks = current_.type == SentenceType::question;
  depends(put(word_number(asks ? "?" : "."), Relation::punctuation), root);
  close();
  current_.end = static_cast<int>(out_.tokens.size());
  for (int i = current_.begin; i < current_.end; ++i) {
    auto& factors = out_.tokens[static_cast<size_t>(i)].factors;
    factors[sentence_type] = static_cast<int8_t>(current_.type);
    factors[sentiment] = static_cast<int8_t>(current_.sentiment);
  }
  out_.sentences.push_back(current_);
}

Passage Composer::passage(int sentences) {
  for (int i = 0; i < sentences; ++i) sentence();
  return std::move(out_);
}

MinimalPair Composer::minimal_pair(Construction construction) {
  random_ = KeyedRandom(seed_, index_, 0x70616972u);  // a stream of its own
  open(Phrase::sentence);
  const Referent who = actor_but(0);
  open(Phrase::noun_phrase);
  std::vector<int> dependents;
  determiner_and_adjective(who, &dependents);
  const int noun = put(word_of(who.noun, who.number), Relation::subject);
  const Number opposite = who.number == Number::plural ? Number::singular : Number::plural;
  if (construction == Construction::prepositional) prepositional(noun, 0, opposite);
  if (construction == Construction::two_prepositional) prepositional(noun, 1, opposite);
  if (construction == Construction::relative) relative_with_object_gap(noun, opposite);
  close();
  MinimalPair pair;
  pair.place = transitive_verb(who, who.number, Relation::root);
  object(who);
  put(word_number("."), Relation::punctuation);
  for (const Token& token : out_.tokens) pair.words.push_back(token.word);
  pair.right = pair.words[static_cast<size_t>(pair.place)];
  // A verb's two numbers are neighbours in the vocabulary, the singular first.
  pair.wrong = pair.right + (who.number == Number::plural ? -1 : 1);
  return pair;
}

}  // namespace strata::terrace_text
