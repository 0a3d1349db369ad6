// What is drawn of a run that grows; and `strata watch` itself, in a pseudo-terminal and into a
// pipe.
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "tests/support/expect.h"
#include "tools/watch/screen.h"

namespace strata::watch {
namespace {

namespace fs = std::filesystem;

std::string joined(const std::vector<std::string>& lines) {
  std::string all;
  for (auto& line : lines) all += line + "\n";
  return all;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class Watch : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
  }
  void append(const std::string& text) {
    std::ofstream(folder_ / "metrics.jsonl", std::ios::app) << text;
  }
  // A study of 100 steps.
  void begin_study() {
    write("config.json", R"({"format":"strata-study 1","title":"A study","seed":4,
      "data":{"train":645},"training":{"epochs":10,"batch":64},
      "model":{"layers":[{"name":"conv1"},{"name":"conv2"}]},
      "factors":[{"name":"hue"},{"name":"object"}]})");
  }
  void train_lines(int first, int last) {
    for (int step = first; step <= last; step += 10)
      append("{\"kind\":\"train\",\"step\":" + std::to_string(step) + ",\"loss\":" +
             std::to_string(100.0 / (step + 50)) + ",\"accuracy\":0.5,\"learning_rate\":0.1," +
             "\"seconds\":" + std::to_string(step * 0.5) + "}\n");
  }
  void probe_lines(int step) {
    append("{\"kind\":\"probe\",\"step\":" + std::to_string(step) +
           ",\"layer\":\"conv1\",\"factor\":\"hue\",\"accuracy\":0.987,\"control\":\"trained\"}\n"
           "{\"kind\":\"probe\",\"step\":0,\"layer\":\"conv1\",\"factor\":\"hue\","
           "\"accuracy\":0.111,\"control\":\"shuffled\"}\n");
  }

  fs::path folder_ = fs::path(testing::TempDir()) / ("strata-watch-" + std::to_string(getpid()));
};

TEST(LinePlot, PutsPointsWhereTheyBelong) {
  const Series rising{"a", {{0, 0}, {10, 1}}, false};
  const auto plot = line_plot({rising}, {.width = 21, .height = 7, .ascii = true});
  ASSERT_EQ(plot.size(), 7u);
  EXPECT_EQ(plot[0], "       1 |        ** ");
  EXPECT_EQ(plot[2], "         |    **     ");
  EXPECT_EQ(plot[4], "       0 |**         ");
  EXPECT_EQ(plot[5], "         +---------- ");
  EXPECT_EQ(plot[6], "          0       10 ");
  // In braille: the lowest dot of the first column, the highest of the last.
  const auto dots = line_plot({rising}, {.width = 21, .height = 7});
  EXPECT_TRUE(has(dots[4], "│⡠")) << dots[4];
  EXPECT_TRUE(has(dots[0], "⠊ ")) << dots[0];
  for (auto& line : dots) EXPECT_EQ(columns_of(line), 21) << line;
}

TEST(LinePlot, LeavesGapsAndMarksPoints) {
  const double nan = std::nan("");
  const Series broken{"a", {{0, 1}, {4, nan}, {10, 1}}, false};
  const auto plot = line_plot({broken}, {.width = 21, .height = 3, .ascii = true});
  EXPECT_EQ(plot[0].substr(10, 10), "*        *");
  const Series marked{"b", {{0, 1}, {10, 1}}, true};
  EXPECT_EQ(line_plot({marked}, {.width = 21, .height = 3, .ascii = true})[0].substr(10, 10),
            "o        o");
  const Series nothing{"c", {{0, nan}}, false};
  EXPECT_TRUE(has(line_plot({nothing}, {.width = 21, .height = 3})[0], "nothing yet"));
  EXPECT_TRUE(has(line_plot({marked}, {.width = 12, .height = 3})[0], "too narrow"));
}

TEST_F(Watch, ReadsARunAsItGrows) {
  EXPECT_FAILS(RunState(folder_ / "none"), "there is no folder .*none");
  EXPECT_FAILS(RunState{folder_}, "holds no run: it has no config.json");
  begin_study();
  RunState run(folder_);
  EXPECT_FALSE(run.update());
  EXPECT_FALSE(run.has_metrics());
  train_lines(10, 20);
  EXPECT_TRUE(run.update());
  EXPECT_FALSE(run.update());
  EXPECT_EQ(run.step(), 20);
  EXPECT_EQ(run.total(), 100);
  EXPECT_EQ(run.rate(), 2.0);  // 10 steps in 5 seconds
  EXPECT_EQ(run.seconds_left(), 40.0);
  EXPECT_EQ(run.phase(), Phase::training);
  append("{\"kind\":\"train\",\"step\":30,\"loss\":");  // half a line waits for the rest
  EXPECT_FALSE(run.update());
  append("0.5,\"accuracy\":1,\"seconds\":15}\n");
  EXPECT_TRUE(run.update());
  EXPECT_EQ(run.step(), 30);
  EXPECT_EQ(run.curves()[0].second[0].points.size(), 3u);
  probe_lines(30);
  run.update();
  EXPECT_EQ(run.probe("conv1", "hue"), 0.987);  // the control does not count
  EXPECT_FALSE(run.probe("conv2", "hue"));
  // A resumed run cuts the file back: what was read is forgotten.
  fs::resize_file(folder_ / "metrics.jsonl", 0);
  train_lines(10, 10);
  EXPECT_TRUE(run.update());
  EXPECT_EQ(run.step(), 10);
  EXPECT_EQ(run.curves()[0].second[0].points.size(), 1u);
}

TEST_F(Watch, SaysHowFarARunIs) {
  begin_study();
  train_lines(10, 90);
  probe_lines(64);
  RunState run(folder_);
  run.update();
  std::string text = joined(screen(run, {.width = 90}));
  EXPECT_TRUE(has(text, "A study, seed 4: training\n")) << text;
  EXPECT_TRUE(has(text, "90 %  step 90 of 100  2 steps/s  45 s  5 s left")) << text;
  EXPECT_TRUE(has(text, "linear probe at step 64")) << text;
  EXPECT_TRUE(has(text, "conv1   98.7       -\n")) << text;
  train_lines(100, 100);
  run.update();
  EXPECT_TRUE(has(state_of(run), "results are being made")) << state_of(run);
  write("report.html", "");
  EXPECT_EQ(state_of(run), "ended");
  EXPECT_FALSE(has(joined(screen(run, {.width = 90})), "left"));
}

TEST_F(Watch, NoticesThatARunIsQuiet) {
  begin_study();
  train_lines(10, 20);
  fs::last_write_time(folder_ / "metrics.jsonl",
                      fs::file_time_type::clock::now() - std::chrono::seconds(300));
  RunState run(folder_);
  run.update();
  EXPECT_EQ(state_of(run), "no line for 5 min 00 s (stopped?)");
}

TEST_F(Watch, ShowsTheScoresOfATask) {
  write("config.json", R"({"task":"terrace-gpt","seed":1,"steps":"default","total_steps":40})");
  train_lines(10, 20);
  append(
      R"({"kind":"validation","step":20,"scores":[{"name":"perplexity","value":13.25,"unit":""},)"
      R"({"name":"agreement","value":60,"unit":"%"}]})"
      "\n");
  RunState run(folder_);
  run.update();
  const std::string text = joined(screen(run, {.width = 70}));
  EXPECT_TRUE(has(text, "terrace-gpt, seed 1: training")) << text;
  EXPECT_TRUE(has(text, "step 20 of 40")) << text;
  EXPECT_TRUE(has(text, "perplexity:  ● held-out 13.25")) << text;
  EXPECT_TRUE(has(text, "  agreement: 60 %\n")) << text;
  train_lines(30, 40);
  write("result.json", "{}");
  run.update();
  EXPECT_EQ(run.phase(), Phase::ended);
}

TEST_F(Watch, FitsWindowsOfEverySize) {
  begin_study();
  train_lines(10, 90);
  probe_lines(64);
  RunState run(folder_);
  run.update();
  for (int width : {20, 40, 79, 80, 200}) {
    for (int height : {4, 10, 24, 60}) {
      const auto lines = screen(run, {.width = width, .height = height});
      EXPECT_LE(lines.size(), static_cast<size_t>(height)) << width;
      for (auto& line : lines) EXPECT_LE(columns_of(line), width) << line;
    }
  }
}

// The program in a pseudo-terminal of 100 x 30.
class Session {
 public:
  explicit Session(const std::string& folder) {
    winsize size{30, 100, 0, 0};
    openpty(&ours_, &theirs_, nullptr, nullptr, &size);
    tcgetattr(theirs_, &before_);
    child_ = fork();
    if (child_ == 0) {
      close(ours_);
      login_tty(dup(theirs_));
      execl(STRATA_BINARY, "strata", "watch", folder.c_str(), "--every", "0.1", nullptr);
      _exit(127);
    }
  }
  ~Session() {
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
    close(ours_);
    close(theirs_);
  }
  // Reads until `part` was written, for at most 20 s.
  bool sees(const std::string& part) {
    const auto start = std::chrono::steady_clock::now();
    while (!has(text_, part)) {
      if (std::chrono::steady_clock::now() - start > std::chrono::seconds(20)) return false;
      pollfd ready{ours_, POLLIN, 0};
      if (poll(&ready, 1, 100) <= 0) continue;
      char buffer[4096];
      const ssize_t count = read(ours_, buffer, sizeof buffer);
      if (count > 0) text_.append(buffer, static_cast<size_t>(count));
    }
    text_.erase(0, text_.find(part) + part.size());
    return true;
  }
  void type(char key) { ASSERT_EQ(::write(ours_, &key, 1), 1); }
  void resize(unsigned short rows, unsigned short columns) {
    winsize size{rows, columns, 0, 0};
    ioctl(ours_, TIOCSWINSZ, &size);
  }
  void signal(int number) { kill(child_, number); }
  // The exit status, after which the terminal must be what it was.
  int ends() {
    const bool restored = sees("\033[?25h\033[?1049l");  // the cursor and the screen are back
    EXPECT_TRUE(restored) << text_;
    if (!restored) kill(child_, SIGKILL);
    int status = 0;
    waitpid(child_, &status, 0);
    termios after{};
    tcgetattr(theirs_, &after);
    EXPECT_EQ(after.c_lflag, before_.c_lflag);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  bool is_raw() {
    termios now{};
    tcgetattr(theirs_, &now);
    return (now.c_lflag & (ICANON | ECHO)) == 0;
  }
  const std::string& text() const { return text_; }

 private:
  int ours_ = -1, theirs_ = -1;
  pid_t child_ = 0;
  termios before_{};
  std::string text_;
};

TEST_F(Watch, LiveFollowsTheRunAndItsWindow) {
  begin_study();
  Session session(folder_.string());
  ASSERT_TRUE(session.sees("\033[?1049h\033[?25l"));
  ASSERT_TRUE(session.sees("no metrics yet")) << session.text();
  EXPECT_TRUE(session.is_raw());
  train_lines(10, 20);
  ASSERT_TRUE(session.sees("step 20 of 100")) << session.text();
  train_lines(30, 30);
  ASSERT_TRUE(session.sees("step 30 of 100")) << session.text();
  session.resize(10, 60);
  ASSERT_TRUE(session.sees("more lines in a taller window")) << session.text();
  session.type('q');
  EXPECT_EQ(session.ends(), 0);
}

TEST_F(Watch, EveryWayOutLeavesTheTerminalAsItWas) {
  begin_study();
  train_lines(10, 20);
  probe_lines(16);
  for (int way = 0; way < 3; ++way) {
    Session session(folder_.string());
    ASSERT_TRUE(session.sees("step 20 of 100")) << session.text();
    if (way == 0) session.type('\003');  // Ctrl-C
    if (way == 1) session.signal(SIGTERM);
    if (way == 2) {  // the run ends: its last picture stays
      train_lines(30, 100);
      write("report.html", "");
    }
    EXPECT_EQ(session.ends(), 0) << way;
    if (way == 2) {
      EXPECT_TRUE(session.sees("ended")) << session.text();
    }
  }
}

TEST_F(Watch, IntoAPipeItPrintsOnceAndEnds) {
  auto run = [&](const std::string& arguments) {
    const std::string command = STRATA_BINARY " watch " + arguments + " 2>&1";
    std::FILE* pipe = popen(command.c_str(), "r");
    std::string text;
    for (int c; (c = std::fgetc(pipe)) != EOF;) text += static_cast<char>(c);
    return std::to_string(WEXITSTATUS(pclose(pipe))) + ": " + text;
  };
  EXPECT_TRUE(has(run((folder_ / "none").string()), "1: strata: [watch] there is no folder"));
  begin_study();
  EXPECT_TRUE(has(run(folder_.string()), "has no metrics yet"));
  train_lines(10, 20);
  const std::string text = run(folder_.string() + " --once --width 60 --ascii");
  EXPECT_TRUE(has(text, "0: A study, seed 4: training")) << text;
  EXPECT_FALSE(has(text, "\033")) << text;
  for (char c : text) ASSERT_GE(c, 0) << text;  // --ascii is
}

}  // namespace
}  // namespace strata::watch
