#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "tools/report/page.h"
#include "tools/xray/report.h"

namespace strata::xray {

namespace {

using nlohmann::json;

json traffic_json(const sim::Traffic& t) {
  return {{"space", t.space == sim::Space::global ? "global" : "shared"},
          {"write", t.write},
          {"size", t.size},
          {"requests", t.requests},
          {"each", t.units_each()},
          {"excess", t.excess()}};
}

json kernel_json(const sim::KernelReport& kernel) {
  json places = json::array(), races = json::array();
  for (const sim::PlaceReport& place : kernel.places) {
    json traffic = json::array();
    for (const sim::Traffic& t : place.traffic) traffic.push_back(traffic_json(t));
    places.push_back({{"file", place.place.file},
                      {"line", place.place.line},
                      {"traffic", traffic},
                      {"barriers", place.barriers},
                      {"multiply_adds", place.multiply_adds},
                      {"copied_in", place.copied_in},
                      {"copied_out", place.copied_out}});
  }
  for (const sim::Race& race : kernel.races)
    races.push_back({{"kind", race.kind},
                     {"count", race.count},
                     {"detail", race.detail},
                     {"first", {{"file", race.first.file}, {"line", race.first.line}}},
                     {"second", {{"file", race.second.file}, {"line", race.second.line}}}});
  return {{"name", kernel.name},
          {"blocks", kernel.blocks},
          {"threads", kernel.threads_a_block},
          {"sector_excess", kernel.sector_excess()},
          {"wavefront_excess", kernel.wavefront_excess()},
          {"places", places},
          {"races", races}};
}

// The text of each source file that something happened in.
json sources_json(const Examination& e) {
  std::set<std::string> files;
  for (const sim::KernelReport& kernel : e.kernels)
    for (const sim::PlaceReport& place : kernel.places)
      if (place.place.file != "?") files.insert(place.place.file);
  json sources = json::object();
  for (const std::string& name : files) {
    std::ifstream file(name);
    json lines = json::array();
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    if (!lines.empty()) sources[name] = lines;
  }
  return sources;
}

json data_of(const Examination& e) {
  json kernels = json::array(), devices = json::array();
  for (const sim::KernelReport& kernel : e.kernels) kernels.push_back(kernel_json(kernel));
  for (const gpu::DeviceInfo& device : known_devices())
    devices.push_back({{"name", device.name},
                       {"bandwidth", device.memory_bandwidth},
                       {"peak", peak_of(device, e.dtype, e.tensor_cores())},
                       {"chosen", device.name == e.device.name}});
  return {{"subject", e.subject->name},  {"idea", e.subject->idea},
          {"shape", to_string(e.shape)}, {"dtype", name_of(e.dtype)},
          {"device", e.device.name},     {"flops", e.workload.flops},
          {"bytes", e.bytes_moved()},    {"least_bytes", e.workload.bytes},
          {"kernels", kernels},          {"sources", sources_json(e)},
          {"devices", devices}};
}

// '<' as an escape, so that nothing in the data can end the script.
std::string for_script(const json& data) {
  std::string text = data.dump(-1, ' ', false, json::error_handler_t::replace), out;
  for (char letter : text) {
    if (letter == '<')
      out += "\\u003c";
    else
      out += letter;
  }
  return out;
}

}  // namespace

std::string to_page(const Examination& examination) {
  std::string page, head, scripts;
  for (const report::PageFile& file : report::page_files()) {
    if (file.name == "index.html") page = file.text;
    if (file.name.ends_with(".css")) head += fmt::format("<style>\n{}</style>\n", file.text);
    if (file.name.ends_with(".js")) scripts += fmt::format("<script>\n{}\n</script>\n", file.text);
  }
  const auto put = [&page](const std::string& mark, const std::string& text) {
    page.replace(page.find(mark), mark.size(), text);
  };
  put("<!--styles-->", head);
  put("<!--scripts-->",
      "<script>const data = " + for_script(data_of(examination)) + ";</script>\n" + scripts);
  return page;
}

}  // namespace strata::xray
