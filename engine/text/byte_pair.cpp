#include "engine/text/byte_pair.h"

#include <nlohmann/json.hpp>
#include <queue>

#include "engine/data/files.h"
#include "engine/data/lines.h"
#include "engine/io/atomic_file.h"
#include "engine/io/json_text.h"
#include "engine/text/byte_symbols.h"

namespace strata {
namespace {

constexpr const char* op = "byte_pair";
using Numbers = std::unordered_map<std::string, int64_t>;

std::span<const uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}
std::string text_of(const Bytes& bytes) { return {bytes.begin(), bytes.end()}; }

// The tokens as they are written, by number.
std::vector<std::string> parse_vocabulary(std::string_view text, const std::string& name,
                                          Caller at) {
  nlohmann::json json;
  try {
    json = nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    fail(op, at, "{} is no JSON: {}", name, error.what());
  }
  if (!json.is_object() || json.empty())
    fail(op, at, "{} must be a JSON object that gives each token its number", name);
  std::vector<std::string> tokens(json.size());
  std::vector<bool> taken(json.size(), false);
  for (auto& [token, number] : json.items()) {
    if (!number.is_number_unsigned() || number.get<uint64_t>() >= tokens.size())
      fail(op, at, "{} gives '{}' the number {}; {} tokens have 0 to {}, each once", name,
           excerpt(token), excerpt(io::json_text(number)), tokens.size(), tokens.size() - 1);
    const auto place = number.get<size_t>();
    if (taken[place])
      fail(op, at, "{} gives the number {} to '{}' and to '{}'", name, place,
           excerpt(tokens[place]), excerpt(token));
    tokens[place] = token;
    taken[place] = true;
  }
  return tokens;
}

}  // namespace

BytePairTokenizer BytePairTokenizer::read(const std::string& vocabulary_path,
                                          const std::string& merges_path,
                                          const std::vector<std::string>& special, Caller at) {
  const std::string vocabulary = text_of(read_bytes(op, vocabulary_path, file_limit, at));
  return parse(vocabulary, text_of(read_bytes(op, merges_path, file_limit, at)), special, at);
}

BytePairTokenizer BytePairTokenizer::parse(std::string_view vocabulary, std::string_view merges,
                                           const std::vector<std::string>& special, Caller at) {
  BytePairTokenizer out;
  const std::vector<std::string> written = parse_vocabulary(vocabulary, "the vocabulary", at);
  Numbers numbers;
  for (size_t i = 0; i < written.size(); ++i) numbers[written[i]] = static_cast<int64_t>(i);
  for (const std::string& token : special) {
    const auto found = numbers.find(token);
    if (token.empty() || found == numbers.end())
      fail(op, at, "the special token '{}' is not in the vocabulary", token);
    out.special_.add(token, found->second);
  }
  for (const std::string& token : written) {
    const bool as_written = out.special_.numbers().count(token) > 0;
    const std::optional<std::string> bytes =
        as_written ? std::optional(token) : text::from_symbols(token);
    if (!bytes || bytes->empty())
      fail(op, at,
           "the token '{}' is not made of the characters that stand for bytes; if it is a special "
           "token, name it as one",
           excerpt(token));
    out.tokens_.push_back(*bytes);
  }
  for (int byte = 0; byte < 256; ++byte) {
    const auto found = numbers.find(text::to_symbols(std::string(1, static_cast<char>(byte))));
    if (found == numbers.end())
      fail(op, at, "the vocabulary has no token for the byte {:#04x}; all 256 are needed", byte);
    out.byte_tokens_[static_cast<size_t>(byte)] = found->second;
  }
  Lines lines(bytes_of(merges));
  while (const auto line = lines.next()) {
    if (line->empty() || (lines.number() == 1 && line->starts_with("#version"))) continue;
    const auto parts = fields_of(*line, ' ');
    if (parts.size() != 2 || parts[0].empty() || parts[1].empty())
      fail(op, at, "line {} of the merges, '{}', is not two tokens with a space between",
           lines.number(), excerpt(*line));
    int64_t of[3];
    const std::string names[3] = {std::string(parts[0]), std::string(parts[1]),
                                  std::string(parts[0]) + std::string(parts[1])};
    for (int i = 0; i < 3; ++i) {
      const auto found = numbers.find(names[i]);
      if (found == numbers.end())
        fail(op, at,
             "line {} of the merges, '{}', needs the token '{}', which is not in the "
             "vocabulary",
             lines.number(), excerpt(*line), excerpt(names[i]));
      of[i] = found->second;
    }
    const Merge merge{static_cast<int64_t>(out.merges_.size()), of[2]};
    if (!out.merge_of_.emplace(key(of[0], of[1]), merge).second)
      fail(op, at, "line {} of the merges, '{}', is there a second time", lines.number(),
           excerpt(*line));
    out.merges_.push_back({of[0], of[1]});
  }
  return out;
}

void BytePairTokenizer::write(const std::string& vocabulary_path,
                              const std::string& merges_path) const {
  std::vector<std::string> written;
  for (const std::string& token : tokens_)
    written.push_back(special_.numbers().count(token) ? token : text::to_symbols(token));
  nlohmann::ordered_json vocabulary;
  for (size_t i = 0; i < written.size(); ++i) vocabulary[written[i]] = i;
  std::string merges = "#version: 0.2\n";
  for (const auto& [left, right] : merges_)
    merges += written[static_cast<size_t>(left)] + " " + written[static_cast<size_t>(right)] + "\n";
  io::write_file(vocabulary_path, vocabulary.dump() + "\n");
  io::write_file(merges_path, merges);
}

std::vector<int64_t> BytePairTokenizer::encode(std::string_view text, bool allow_special) const {
  std::vector<int64_t> out;
  const auto plain = [&](std::string_view piece) {
    for (std::string_view word : text::words_of(piece)) encode_word(word, out);
  };
  if (!allow_special) {
    plain(text);
    return out;
  }
  special_.split(text, plain, [&](int64_t number) { out.push_back(number); });
  return out;
}

// The tokens of the word as a list, and the merges that may be made in a queue, the first learnt
// first and from left to right. A merge whose tokens are no longer there is passed over.
void BytePairTokenizer::encode_word(std::string_view word, std::vector<int64_t>& out) const {
  struct Link {
    int64_t token;  // -1: merged into the one before
    size_t previous, next;
  };
  struct Candidate {
    int64_t rank;
    size_t place;
    int64_t left, right, result;
    bool operator<(const Candidate& other) const {  // the queue's top is the largest
      return rank != other.rank ? rank > other.rank : place > other.place;
    }
  };
  const size_t none = word.size();
  std::vector<Link> links;
  for (size_t i = 0; i < word.size(); ++i)
    links.push_back({byte_tokens_[static_cast<uint8_t>(word[i])], i == 0 ? none : i - 1, i + 1});
  std::priority_queue<Candidate> queue;
  const auto consider = [&](size_t place) {
    if (place == none || links[place].next == none) return;
    const int64_t left = links[place].token, right = links[links[place].next].token;
    const auto found = merge_of_.find(key(left, right));
    if (found != merge_of_.end())
      queue.push({found->second.rank, place, left, right, found->second.result});
  };
  for (size_t i = 0; i < word.size(); ++i) consider(i);
  while (!queue.empty()) {
    const Candidate c = queue.top();
    queue.pop();
    Link& link = links[c.place];
    if (link.token != c.left || link.next == none || links[link.next].token != c.right) continue;
    links[link.next].token = -1;
    link.token = c.result;
    link.next = links[link.next].next;
    if (link.next != none) links[link.next].previous = c.place;
    consider(c.place);
    consider(link.previous);
  }
  for (const Link& link : links)
    if (link.token >= 0) out.push_back(link.token);
}

std::string BytePairTokenizer::decode(std::span<const int64_t> numbers, Caller at) const {
  std::string out;
  for (int64_t number : numbers) out += token(number, at);
  return out;
}

const std::string& BytePairTokenizer::token(int64_t number, Caller at) const {
  if (number < 0 || number >= size())
    fail(op, at, "{} is no token's number; there are {} tokens", number, size());
  return tokens_[static_cast<size_t>(number)];
}

int64_t BytePairTokenizer::special(const std::string& token, Caller at) const {
  const auto found = special_.numbers().find(token);
  if (found != special_.numbers().end()) return found->second;
  std::string names;
  for (auto& [name, number] : special_.numbers()) names += (names.empty() ? "" : ", ") + name;
  fail(op, at, "there is no special token '{}'; there are: {}", token, names);
}

}  // namespace strata
