// `strata serve`: what it finds, what it shows, and all that it refuses.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/support/expect.h"
#include "tools/serve/library.h"
#include "tools/serve/server.h"

namespace strata::serve {
namespace {

namespace fs = std::filesystem;

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

int connect_to(int port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return socket;
  close(socket);
  return -1;
}

class Serve : public testing::Test {
 protected:
  void SetUp() override {
    write("one/config.json", R"({"format":"strata-study 1","title":"The first","seed":1})");
    write("one/metrics.jsonl", R"({"kind":"train","step":10,"loss":2,"accuracy":0.25}
{"kind":"train","step":20,"loss":1,"accuracy":0.5}
{"kind":"probe","step":20,"layer":"conv1","factor":"hue","accuracy":0.9,"control":"trained"}
)");
    write("one/report.html", "<title>x</title><section id=units><h2>Units</h2>left</section>");
    write("deep/er/two/config.json", R"({"task":"gpt","seed":2})");
    write("deep/er/two/metrics.jsonl", R"({"kind":"train","step":10,"loss":3}
)");
    write("deep/er/two/report.html", "<section id=units><h2>Units</h2>right</section>");
    write("gallery/index.html", "<!doctype html><title>A gallery</title>");
    write("one/checkpoint.safetensors", "weights");
    write("one/random text.txt", "text of the run");
    write(".hidden/report.html", "");
    std::ofstream(outside_) << "secret";
    fs::create_symlink(outside_, root_ / "one" / "link.txt");
    server_ = std::make_unique<Server>(root_, 0);
  }
  void TearDown() override {
    server_.reset();
    fs::remove_all(root_);
    fs::remove(outside_);
  }
  void write(const std::string& name, const std::string& text) {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text;
  }

  // The whole answer to a request as it stands, so that nothing tidies up its path.
  std::string ask(const std::string& request) {
    const int socket = connect_to(server_->port());
    EXPECT_EQ(::send(socket, request.data(), request.size(), 0),
              static_cast<ssize_t>(request.size()));
    std::string answer;
    char buffer[4096];
    for (ssize_t count; (count = recv(socket, buffer, sizeof buffer, 0)) > 0;)
      answer.append(buffer, static_cast<size_t>(count));
    close(socket);
    return answer;
  }
  std::string get(const std::string& path, const std::string& method = "GET",
                  const std::string& host = "127.0.0.1") {
    return ask(method + " " + path + " HTTP/1.1\r\nHost: " + host +
               "\r\nConnection: close\r\n\r\n");
  }
  static std::string status(const std::string& answer) { return answer.substr(9, 3); }
  static std::string body(const std::string& answer) {
    return answer.substr(answer.find("\r\n\r\n") + 4);
  }

  const std::string own_ = "strata-serve-" + std::to_string(getpid());
  const fs::path root_ = fs::path(testing::TempDir()) / own_;
  const fs::path outside_ = fs::path(testing::TempDir()) / (own_ + ".txt");
  std::unique_ptr<Server> server_;
};

TEST_F(Serve, FindsRunsReportsAndGalleries) {
  const auto runs = nlohmann::json::parse(body(get("/api/runs")));
  ASSERT_EQ(runs.size(), 3u) << runs;
  EXPECT_EQ(runs[0], (nlohmann::json{{"path", "deep/er/two"},
                                     {"title", "gpt, seed 2"},
                                     {"page", "report.html"},
                                     {"metrics", true}}));
  EXPECT_EQ(runs[1]["title"], "A gallery");
  EXPECT_EQ(runs[1]["page"], "index.html");
  EXPECT_EQ(runs[1]["metrics"], false);
  EXPECT_EQ(runs[2]["title"], "The first, seed 1");
}

TEST_F(Serve, SendsPagesFilesAndMetrics) {
  for (const char* path : {"/", "/curves?run=one", "/compare?a=one&b=deep/er/two"}) {
    const std::string answer = get(path);
    EXPECT_EQ(status(answer), "200") << path;
    EXPECT_TRUE(has(answer, "text/html")) << answer;
    EXPECT_TRUE(has(body(answer), "/serve.js")) << answer;
  }
  EXPECT_TRUE(has(body(get("/serve.js")), "showComparison"));
  EXPECT_GT(body(get("/d3.js")).size(), 100000u);
  EXPECT_TRUE(has(body(get("/files/one/report.html")), "left"));
  EXPECT_EQ(body(get("/files/one/random%20text.txt")), "text of the run");
  const auto metrics = nlohmann::json::parse(body(get("/api/metrics?run=deep%2Fer%2Ftwo")));
  EXPECT_EQ(metrics["train"]["loss"], nlohmann::json({3}));
  const std::string head = get("/files/one/report.html", "HEAD");
  EXPECT_EQ(status(head), "200");
  EXPECT_EQ(body(head), "");
}

TEST_F(Serve, RefusesWhatIsNotBelowTheFolder) {
  const std::string secret = own_ + ".txt";
  const std::vector<std::string> paths = {"/files/../" + secret,
                                          "/files/one/../../" + secret,
                                          "/files/%2e%2e/" + secret,
                                          "/files/..%2f" + secret,
                                          "/files/" + outside_.string(),
                                          "/files//" + outside_.string(),
                                          "/files/one/link.txt",
                                          "/files/one",
                                          "/files/",
                                          "/files/one/report.html%00.txt",
                                          "/files/none.txt",
                                          "/api/metrics?run=../",
                                          "/api/metrics?run=gallery"};
  for (const std::string& path : paths) {
    const std::string answer = get(path);
    EXPECT_EQ(status(answer), "404") << path;
    EXPECT_FALSE(has(answer, "secret")) << path;
  }
  EXPECT_EQ(status(get("/files/one/checkpoint.safetensors")), "403");
}

TEST_F(Serve, OnlyReadsAndOnlyUnderItsOwnName) {
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH", "OPTIONS"}) {
    const std::string answer = get("/files/one/report.html", method);
    EXPECT_EQ(status(answer), "405") << method;
    EXPECT_TRUE(has(answer, "Allow: GET, HEAD")) << answer;
  }
  EXPECT_TRUE(fs::exists(root_ / "one/report.html"));
  EXPECT_EQ(status(get("/", "GET", "elsewhere.example")), "403");
  EXPECT_EQ(status(get("/", "GET", "localhost:1234")), "200");
  // Not on the machine's other addresses.
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(server_->port()));
  inet_pton(AF_INET, "127.0.0.2", &address.sin_addr);
  EXPECT_NE(connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  close(socket);
}

TEST_F(Serve, SaysWhatIsWrong) {
  EXPECT_FAILS(Server(root_, server_->port()), "cannot listen on 127.0.0.1:[0-9]+: it is in use");
  EXPECT_FAILS(Server(root_ / "none", 0), "there is no folder .*none");
}

TEST_F(Serve, TheComparisonIsDrawnByABrowser) {
  if (std::system("command -v chromium >/dev/null 2>&1") != 0)
    GTEST_SKIP() << "chromium is not installed (script/bootstrap test)";
  auto page = [&](const std::string& path) {
    const std::string command =
        "timeout 120 chromium --headless --no-sandbox --disable-gpu --user-data-dir='" +
        (root_ / ".profile").string() +
        "' --virtual-time-budget=10000 --dump-dom 'http://127.0.0.1:" +
        std::to_string(server_->port()) + path + "' 2>/dev/null";
    std::FILE* pipe = popen(command.c_str(), "r");
    std::string text;
    for (int c; (c = std::fgetc(pipe)) != EOF;) text += static_cast<char>(c);
    pclose(pipe);
    return text;
  };
  const std::string curves = page("/compare?a=one&b=deep/er/two");
  EXPECT_TRUE(has(curves, "<h1>one and deep/er/two</h1>")) << curves;
  EXPECT_TRUE(has(curves, "left training 1; right training 3"))
      << curves;  // the last losses of both
  EXPECT_TRUE(has(curves, "class=\"curve b ")) << curves;
  EXPECT_TRUE(has(curves, "<span class=\"a\">90.0</span>")) << curves;
  const std::string reports = page("/compare?a=one&b=deep/er/two&view=pages");
  EXPECT_TRUE(has(reports, "<iframe src=\"/files/deep/er/two/report.html\"")) << reports;
  EXPECT_TRUE(has(reports, "<option value=\"units\">Units</option>")) << reports;
}

TEST(ServeCommand, PrintsItsAddressAndEndsOnASignal) {
  const fs::path folder = fs::path(testing::TempDir()) / ("serve-" + std::to_string(getpid()));
  fs::create_directories(folder);
  // Ended as soon as it has said where it listens.
  const std::string command = "bash -c \'coproc exec " STRATA_BINARY " serve " + folder.string() +
                              " --port 0; child=$COPROC_PID; read -u ${COPROC[0]} line; "
                              "echo $line; kill -INT $child; wait $child; echo status $?\' 2>&1";
  std::FILE* pipe = popen(command.c_str(), "r");
  std::string text;
  for (int c; (c = std::fgetc(pipe)) != EOF;) text += static_cast<char>(c);
  pclose(pipe);
  EXPECT_TRUE(has(text, "http://127.0.0.1:")) << text;
  EXPECT_TRUE(has(text, "status 0")) << text;
  fs::remove_all(folder);
}

}  // namespace
}  // namespace strata::serve
