#include <CLI/CLI.hpp>
#include "tools/commands/commands.h"
namespace strata::commands { void add_data(CLI::App&, Command&) {} }
