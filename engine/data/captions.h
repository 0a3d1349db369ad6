// captions: terrace images (engine/data/terrace.h), each with a sentence of a small grammar that
// names some of its factors, so that what a model of images and texts has understood can be scored
// against the record.
//
//   sentence  = [opening] scene [clause ...]
//   scene     = part relation part            "a red striped disc above a checked cross"
//             | "two shapes ," part relation part
//   part      = "a" [hue] [texture] outline | "a" [hue] outline "that is" texture
//   clause    = "in" hue | "in" frequency "strokes" | "on a" background | "beside a" junction
//             | "named" object
//
// Each value has two words, both clauses and parts come in either order, and what is not named is
// left out (an outline becomes "shape"). The words of a value are its own, so a sentence can be
// read back: parse(caption) gives the factors that it names.
//
// A quarter of the combinations of hue and outline above, one outline a hue, is held out: no
// training image shows one, while its hue and its outline are each seen often.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/data/keyed_random.h"
#include "engine/data/terrace.h"

namespace strata::captions {

inline constexpr int64_t context = 32;  // tokens of a caption, padded
inline constexpr int8_t unnamed = -1;

// Words by token number: 0 is padding, 1 the start; the last is the end of a text, the largest
// number in it.
const std::vector<std::string>& vocabulary();
// Start, words, end, padding: `context` numbers. An unknown word, or too many, is an error.
std::vector<int64_t> tokens_of(const std::string& text, Caller at = Caller::here());
// tokens [N, T] without the columns in which every text has ended, [N, longest].
Tensor trimmed(const Tensor& tokens);
// The words between start and end.
std::string text_of(std::span<const int64_t> tokens, Caller at = Caller::here());

// A sentence about the factors of `record` that are not `unnamed`. Only hue, frequency, junction,
// background, the textures, the outlines and the object can be named; others are not looked at.
std::string caption(const terrace::Record& record, KeyedRandom& random);
// What a caption names; the rest is `unnamed`.
terrace::Record parse(const std::string& text, Caller at = Caller::here());

// Whether a combination of hue and outline above is kept out of training.
bool held_out(const terrace::Record& record);

enum class Scenes { seen, held_out };  // combinations of training; the others

struct Example {
  terrace::Scene scene;
  terrace::Record named;  // what the caption says of it
  std::string text;
};
struct Pairs {
  Tensor images;                         // f32 [N, 32, 32, 3], normalised as terrace's
  Tensor tokens;                         // i64 [N, context]
  std::vector<terrace::Record> records;  // what the images show
};

struct Options {
  Scenes scenes = Scenes::seen;
  uint64_t seed = 1;
  // Each caption tells of another image of the set: the control, from which nothing can be learnt.
  bool shuffled = false;
};

// Without end: example `index` is a function of (options, index).
class Captions {
 public:
  explicit Captions(const Options& options = {});
  Example example(uint64_t index) const;
  // Examples first, first + 1, ...; on all threads.
  Pairs fill(uint64_t first, int64_t count) const;

 private:
  terrace::Scene scene(uint64_t index) const;

  Options options_;
  Terrace images_;
};

}  // namespace strata::captions
