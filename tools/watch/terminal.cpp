#include "tools/watch/terminal.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace strata::watch {
namespace {

volatile std::sig_atomic_t ended = 0, resized = 0;

void note_end(int) { ended = 1; }
void note_size(int) { resized = 1; }

void on(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;  // without SA_RESTART: it interrupts the waiting
  sigaction(signal, &action, nullptr);
}

winsize size_of_output() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return {};
  return size;
}

}  // namespace

Terminal::Terminal() {
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) on(signal, note_end);
  on(SIGWINCH, note_size);
  keys_ = tcgetattr(STDIN_FILENO, &before_) == 0;
  if (keys_) {
    termios raw = before_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ISIG);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
  }
  write("\033[?1049h\033[?25l");  // alternate screen, no cursor
}

Terminal::~Terminal() {
  write("\033[?25h\033[?1049l");
  if (keys_) tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGWINCH}) on(signal, SIG_DFL);
}

void Terminal::write(const std::string& text) {
  for (size_t done = 0; done < text.size();) {
    const ssize_t wrote = ::write(STDOUT_FILENO, text.data() + done, text.size() - done);
    if (wrote < 0 && (ended || errno != EINTR)) return;  // the terminal is gone
    if (wrote > 0) done += static_cast<size_t>(wrote);
  }
}

void Terminal::show(const std::vector<std::string>& lines) {
  std::string text = "\033[H";
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) text += "\r\n";
    text += lines[i] + "\033[K";  // clears the rest of the line
  }
  write(text + "\033[J");  // and what is below
}

bool Terminal::leaves(int milliseconds) {
  pollfd key{STDIN_FILENO, POLLIN, 0};
  if (!ended && !resized) poll(&key, keys_ ? 1 : 0, milliseconds);
  resized = 0;
  char typed = 0;
  if (keys_ && (key.revents & (POLLIN | POLLHUP)) != 0 && read(STDIN_FILENO, &typed, 1) <= 0)
    return true;  // the terminal is gone
  constexpr char interrupt = 3, end_of_file = 4;
  return ended || typed == 'q' || typed == interrupt || typed == end_of_file;
}

int Terminal::width() { return size_of_output().ws_col; }
int Terminal::height() { return size_of_output().ws_row; }

}  // namespace strata::watch
