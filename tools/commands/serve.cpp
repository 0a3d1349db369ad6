// strata serve: the reports of a folder in a browser.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <memory>

#include "tools/commands/commands.h"
#include "tools/serve/server.h"

namespace strata::commands {
namespace {

struct Options {
  std::string folder;
  int port = 8080;
};

int serve_folder(const Options& o) {
  // The server's threads leave these signals to the one that waits for them.
  sigset_t ends;
  sigemptyset(&ends);
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&ends, signal);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  serve::Server server(o.folder, o.port);
  fmt::print("http://127.0.0.1:{}/  (Ctrl-C ends it)\n", server.port());
  std::fflush(stdout);
  int signal = 0;
  sigwait(&ends, &signal);
  return 0;
}

}  // namespace

void add_serve(CLI::App& app, Command& run) {
  auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand(
      "serve", "Open the reports of a folder in a browser of this machine; compare runs");
  command->add_option("DIR", o->folder, "Folder that holds runs")->required();
  command->add_option("--port", o->port, "0: any that is free")
      ->capture_default_str()
      ->check(CLI::Range(0, 65535));
  command->callback([o, &run] { run = [o] { return serve_folder(*o); }; });
}

}  // namespace strata::commands
