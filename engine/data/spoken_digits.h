// Spoken digits: the Free Spoken Digit Dataset (Jackson 2016-), six speakers, 8 kHz, mono. A file
// is DIGIT_SPEAKER_TAKE.wav; a folder has train/ and test/ (the official test split is takes 0 to
// 4).
//
// The validation split is the last take of each speaker and digit in train/, which the training
// split then lacks; so every split has every speaker.
#pragma once

#include <string>
#include <vector>

#include "engine/data/dataset.h"
#include "engine/tensor/tensor.h"

namespace strata {

class SpokenDigits {
 public:
  struct Utterance {
    int64_t digit = 0, speaker = 0, take = 0;
    std::vector<float> samples;  // in [-1, 1]
  };

  // Reads the whole split. Names of another form, another rate or more than one channel are errors
  // that name the file.
  SpokenDigits(const std::string& folder, Split split, Caller at = Caller::here());

  static constexpr int64_t rate = 8000, digits = 10;
  int64_t size() const { return static_cast<int64_t>(utterances_.size()); }
  const Utterance& operator[](int64_t index) const {
    return utterances_[static_cast<size_t>(index)];
  }
  const std::vector<std::string>& speakers() const { return speakers_; }
  int64_t longest() const;  // samples

 private:
  std::vector<Utterance> utterances_;
  std::vector<std::string> speakers_;
};

}  // namespace strata
