// The files of tools/serve/page, compiled into the program by embed.cmake.
#pragma once

#include <string_view>

namespace strata::serve {

// "page.html", "serve.css", "serve.js". Throws Error when there is no such file.
std::string_view page_file(std::string_view name);

}  // namespace strata::serve
