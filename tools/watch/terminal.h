// The terminal while something is shown live: an alternate screen without cursor, keys as they are
// typed; afterwards, however it ends, what it was before. Control sequences of ECMA-48 and xterm
// that every terminal of today knows; curses would add its description of terminals and no more.
#pragma once

#include <termios.h>
#include <string>
#include <vector>

namespace strata::watch {

class Terminal {
 public:
  Terminal();
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  // From the upper left; what was there before is gone.
  void show(const std::vector<std::string>& lines);

  // Waits at most so long for a key, a change of the window's size, or the wish to leave: true for
  // q, Ctrl-C, Ctrl-D, SIGINT, SIGTERM and SIGHUP.
  bool leaves(int milliseconds);

  static int width();  // of standard output; 0 when it is not a terminal
  static int height();

 private:
  void write(const std::string& text);

  termios before_{};
  bool keys_ = false;  // standard input is a terminal
};

}  // namespace strata::watch
