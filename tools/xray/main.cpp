// strata-xray: the program behind `strata xray`. It is apart because its kernels are compiled with
// a call before each access to memory.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <exception>
#include <fstream>

#include "tools/xray/report.h"

namespace {

using namespace strata;

void list() {
  for (const xray::Subject& subject : xray::catalogue())
    fmt::print("{:<40} {:<14} {:<18} {}\n", subject.name, subject.axes,
               xray::to_string(subject.shape), subject.idea);
}

DType dtype_named(const std::string& name, const xray::Subject& subject) {
  if (name.empty()) return subject.dtypes.empty() ? DType::f32 : subject.dtypes[0];
  for (DType dtype : {DType::f64, DType::f32, DType::bf16, DType::f16})
    if (name == name_of(dtype)) return dtype;
  throw std::runtime_error(
      fmt::format("the type '{}' is unknown; there are: f64, f32, bf16, f16", name));
}

void write_page(const std::string& path, const std::string& page) {
  std::ofstream file(path);
  file << page;
  file.close();
  if (!file) throw std::runtime_error(fmt::format("{} could not be written", path));
  fmt::print("\nPage: {}\n", path);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Runs a GPU kernel on the simulator and shows what it asks of memory, line by line.",
               "strata xray"};
  std::string kernel, shape, dtype, device = "H100", out;
  bool listed = false, fast = false;
  app.add_option("kernel", kernel, "The kernel, for example gemm/07_warp_tile");
  app.add_flag("--list", listed, "Lists the kernels");
  app.add_option("--shape", shape, "Sizes with x between them; see --list");
  app.add_option("--dtype", dtype, "f32, bf16, f16 or f64");
  app.add_option("--device", device, "The GPU to be: A100, RTX 4090, H100, H200")
      ->capture_default_str();
  app.add_option("--out", out, "Also writes a page for the browser");
  app.add_flag("--no-races", fast, "Does not look for races, which is faster");
  try {
    app.parse(argc, argv);
    if (listed || kernel.empty()) {
      list();
      return 0;
    }
    const xray::Subject& subject = xray::subject(kernel);
    const xray::Examination examination =
        xray::examine(subject, shape.empty() ? subject.shape : xray::parse_shape(shape),
                      dtype_named(dtype, subject), xray::device_named(device), !fast);
    fmt::print("{}", xray::to_text(examination));
    if (!out.empty()) write_page(out, xray::to_page(examination));
    return 0;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    fmt::print(stderr, "strata xray: {}\n", error.what());
    return 1;
  }
}
