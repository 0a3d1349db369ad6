// docs/write-your-own.md: its network is the one compiled here, it trains and can be looked into,
// and its description in TOML is the same network.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "engine/optim.h"
#include "models/registry.h"
#include "tests/docs/own_network.h"
#include "tests/support/expect.h"
#include "tools/introspect/capture.h"

namespace strata::test {
namespace {

std::string text_of(const std::string& path) {
  std::ifstream in(STRATA_SOURCE_DIR "/" + path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// The blocks of the page in this language.
std::vector<std::string> blocks(const std::string& language) {
  const std::string page = text_of("docs/write-your-own.md"), open = "```" + language + "\n";
  std::vector<std::string> result;
  for (size_t at = page.find(open); at != page.npos; at = page.find(open, at)) {
    at += open.size();
    result.push_back(page.substr(at, page.find("```", at) - at));
  }
  return result;
}

Tensor pictures() {
  Generator generator(1);
  return randn({8, 16, 16, 3}, 0, 1, DType::f32, &generator);
}

TEST(WriteYourOwn, ThePageShowsTheCodeThatIsCompiled) {
  const auto shown = blocks("cpp");
  ASSERT_EQ(shown.size(), 2u);
  EXPECT_EQ(shown[0], text_of("tests/docs/own_network.h"));
  // The second block stands in the test below, indented.
  std::stringstream lines(shown[1]);
  std::string indented;
  for (std::string line; std::getline(lines, line);) indented += "  " + line + "\n";
  EXPECT_NE(text_of("tests/docs/write_your_own_test.cpp").find(indented), std::string::npos);
}

TEST(WriteYourOwn, ItTrainsAndCanBeLookedInto) {
  manual_seed(1);
  const Tensor images = pictures();
  const Tensor labels = from_vector<int64_t>({0, 1, 2, 3, 4, 5, 6, 7}, {8});
  OwnNetwork net;
  AdamW optimizer(net.named_parameters(), {.learning_rate = 1e-2});
  for (int step = 0; step < 30; ++step) {
    optimizer.zero_grad();
    cross_entropy(net(images), labels).backward();
    optimizer.step();
  }
  introspect::Capture capture({"net.block2.added"});
  Tensor logits = net(images);
  Tensor gradient = grad(sum(logits), capture["net.block2.added"]);
  EXPECT_LT(cross_entropy(logits, labels).item(), 1.0) << "by chance it is 2.3";
  EXPECT_EQ(gradient.shape(), (Dims{8, 8, 8, 16}));
  const auto shown = named_activations(net, images);
  for (const char* name : {"net.block1.added", "net.block1.stream", "net.block1.first.conv"})
    EXPECT_EQ(std::count(shown.begin(), shown.end(), name), 1) << name;
  for (const std::string& name : net.stages())
    EXPECT_EQ(std::count(shown.begin(), shown.end(), name), 1) << name;
}

TEST(WriteYourOwn, TheDescriptionIsTheSameNetwork) {
  const auto text = blocks("toml");
  ASSERT_EQ(text.size(), 1u);
  auto described = make_model("own.toml", {{"description", text[0]}});
  OwnNetwork net;
  auto from = net.named_parameters(), to = described->named_parameters();
  ASSERT_EQ(from.size(), to.size());
  NoGrad off;
  for (size_t i = 0; i < from.size(); ++i) {
    ASSERT_EQ(from[i].tensor.shape(), to[i].tensor.shape()) << from[i].name;
    copy_(to[i].tensor, from[i].tensor);
  }
  EXPECT_EQ(values((*described)(pictures())), values(net(pictures())));
}

}  // namespace
}  // namespace strata::test
