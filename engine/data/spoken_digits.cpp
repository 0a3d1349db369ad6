#include "engine/data/spoken_digits.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "engine/data/files.h"
#include "engine/data/wav.h"

namespace strata {
namespace {

struct Name {
  int64_t digit, take;
  std::string speaker;
};

// "7_george_12.wav".
Name parsed(const std::string& path, const std::string& name, Caller at) {
  auto number = [&](const std::string& text) {
    int64_t value = -1;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() ? value : -1;
  };
  const size_t first = name.find('_'), last = name.rfind('_'), dot = name.rfind(".wav");
  if (first != std::string::npos && first < last && dot != std::string::npos && last < dot &&
      dot + 4 == name.size()) {
    Name found{number(name.substr(0, first)), number(name.substr(last + 1, dot - last - 1)),
               name.substr(first + 1, last - first - 1)};
    if (found.digit >= 0 && found.digit < SpokenDigits::digits && found.take >= 0) return found;
  }
  fail("spoken_digits", at, "{}: a name should be DIGIT_SPEAKER_TAKE.wav", path);
}

std::vector<float> samples_of(const std::string& path, Caller at) {
  const Sound sound = read_wav(path, at);
  if (sound.rate != SpokenDigits::rate || sound.samples.size(1) != 1)
    fail("spoken_digits", at, "{}: expected one channel at {} Hz; it has {} at {} Hz", path,
         SpokenDigits::rate, sound.samples.size(1), sound.rate);
  return sound.samples.to_vector<float>();
}

}  // namespace

SpokenDigits::SpokenDigits(const std::string& root, Split split, Caller at) {
  const std::string folder = join_path(root, split == Split::test ? "test" : "train");
  const std::vector<std::string> names = files_in("spoken_digits", folder, at);
  std::map<std::string, int64_t> speakers;
  std::map<std::pair<int64_t, std::string>, int64_t> last_take;
  for (const std::string& name : names) {
    const Name found = parsed(join_path(folder, name), name, at);
    speakers[found.speaker] = 0;
    int64_t& last = last_take[{found.digit, found.speaker}];
    last = std::max(last, found.take);
  }
  for (auto& [speaker, number] : speakers) {
    number = static_cast<int64_t>(speakers_.size());
    speakers_.push_back(speaker);
  }
  for (const std::string& name : names) {
    const std::string path = join_path(folder, name);
    const Name found = parsed(path, name, at);
    const bool last = last_take[{found.digit, found.speaker}] == found.take;
    if (split != Split::test && last != (split == Split::validation)) continue;
    utterances_.push_back({found.digit, speakers[found.speaker], found.take, samples_of(path, at)});
  }
  if (utterances_.empty())
    fail("spoken_digits", at, "{} holds no recordings for the {} split", folder, name_of(split));
}

int64_t SpokenDigits::longest() const {
  size_t longest = 0;
  for (const Utterance& u : utterances_) longest = std::max(longest, u.samples.size());
  return static_cast<int64_t>(longest);
}

}  // namespace strata
