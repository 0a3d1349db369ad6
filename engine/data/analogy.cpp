#include "engine/data/analogy.h"

#include <cctype>
#include <sstream>

#include "engine/data/files.h"
#include "engine/data/lines.h"

namespace strata {

std::vector<AnalogySection> read_analogies(const std::string& path, bool lower_case, Caller at) {
  const Bytes bytes = read_bytes("read_analogies", path, file_limit, at);
  Lines lines(bytes);
  std::vector<AnalogySection> sections;
  while (auto line = lines.next()) {
    std::istringstream stream{std::string(*line)};
    std::vector<std::string> parts;
    for (std::string word; stream >> word;) parts.push_back(word);
    if (parts.size() == 2 && parts[0] == ":") {
      sections.push_back({parts[1], {}});
      continue;
    }
    if (parts.empty()) continue;
    if (parts.size() != 4 || sections.empty())
      fail("read_analogies", at,
           "line {} of {} is '{}'; expected ': section' first, then four words a line",
           lines.number(), path, excerpt(*line));
    std::array<std::string, 4> question;
    for (size_t i = 0; i < 4; ++i) {
      if (lower_case)
        for (char& c : parts[i]) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      question[i] = parts[i];
    }
    sections.back().questions.push_back(question);
  }
  return sections;
}

}  // namespace strata
