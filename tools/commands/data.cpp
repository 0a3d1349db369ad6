// strata data show.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "tools/commands/commands.h"
#include "tools/data_show.h"

namespace strata::commands {

void add_data(CLI::App& app, Command& run) {
  auto request = std::make_shared<ShowRequest>();
  auto split = std::make_shared<std::string>("train");
  auto* data = app.add_subcommand("data", "Look at data sets")->require_subcommand(1);
  auto* show = data->add_subcommand("show", "Draw a contact sheet and print what is known");
  show->add_option("--data", request->data, "As for `strata study`")->capture_default_str();
  show->add_option("--split", *split, "train, validation or test")
      ->capture_default_str()
      ->check(CLI::IsMember({"train", "validation", "test"}));
  show->add_option("--seed", request->seed, "Of generated images and of splits")
      ->capture_default_str();
  show->add_option("--scale", request->scale, "Screen pixels a side of an image pixel")
      ->capture_default_str()
      ->check(CLI::Range(1, 16));
  show->add_option("--out", request->out, "PNG to write")->capture_default_str();
  show->callback([request, split, &run] {
    run = [request, split] {
      for (Split s : {Split::train, Split::validation, Split::test}) {
        if (*split == name_of(s)) request->split = s;
      }
      fmt::print("{}\nContact sheet: {}\n", show_data(*request), request->out);
      return 0;
    };
  });
}

}  // namespace strata::commands
