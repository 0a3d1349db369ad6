#include "bench/gpu/results.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "tools/report/page.h"

namespace strata::bench {

namespace {

// As RFC 4180 wants it.
std::string quoted(const std::string& text) {
  if (text.find_first_of(",\"\n") == text.npos) return text;
  std::string out = "\"";
  for (char letter : text) {
    if (letter == '"') out += '"';
    out += letter;
  }
  return out + '"';
}

// '<' as an escape, so that nothing in the data can end the script.
std::string for_script(const nlohmann::json& data) {
  std::string out;
  for (char letter : data.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)) {
    if (letter == '<')
      out += "\\u003c";
    else
      out += letter;
  }
  return out;
}

nlohmann::json data_of(const std::vector<Row>& rows, const RunInfo& info) {
  nlohmann::json list = nlohmann::json::array();
  for (const Row& row : rows)
    list.push_back({{"family", row.family},
                    {"set", row.set},
                    {"name", row.name},
                    {"shape", row.shape},
                    {"dtype", row.dtype},
                    {"implementation", row.implementation},
                    {"kernel", row.kernel},
                    {"p20", row.time.p20},
                    {"median", row.time.median},
                    {"p80", row.time.p80},
                    {"tflops", row.tflops()},
                    {"gbs", row.gigabytes_a_second()},
                    {"ratio", row.ratio},
                    {"settled", row.time.settled},
                    {"clock", row.time.state.clock_mhz},
                    {"watts", row.time.state.watts}});
  return {{"rows", list},      {"device", info.device},   {"driver", info.driver},
          {"cuda", info.cuda}, {"command", info.command}, {"date", info.date}};
}

}  // namespace

std::string to_csv(const std::vector<Row>& rows, const RunInfo& info) {
  std::string text =
      "family,set,name,shape,dtype,implementation,kernel,p20_us,median_us,p80_us,samples,"
      "runs_a_sample,settled,tflops,gb_per_s,ratio,clock_mhz,watts,celsius,device,driver,cuda,date,"
      "command\n";
  for (const Row& r : rows) {
    for (const std::string& field :
         {r.family, r.set, r.name, r.shape, r.dtype, r.implementation, r.kernel})
      text += quoted(field) + ",";
    text += fmt::format("{:.3f},{:.3f},{:.3f},{},{},{},{:.2f},{:.1f},", r.time.p20, r.time.median,
                        r.time.p80, r.time.samples, r.time.runs_a_sample, r.time.settled ? 1 : 0,
                        r.tflops(), r.gigabytes_a_second());
    text += r.ratio > 0 ? fmt::format("{:.4f},", r.ratio) : ",";
    text += fmt::format("{},{:.1f},{}", r.time.state.clock_mhz, r.time.state.watts,
                        r.time.state.celsius);
    for (const std::string& field : {info.device, info.driver, info.cuda, info.date, info.command})
      text += "," + quoted(field);
    text += "\n";
  }
  return text;
}

std::vector<Summary> summarise(const std::vector<Row>& rows) {
  std::vector<Summary> summaries;
  std::vector<double> logs;  // sums of the logarithms of the ratios
  for (const Row& row : rows) {
    if (row.implementation != "strata") continue;
    auto found = std::find_if(summaries.begin(), summaries.end(),
                              [&](const Summary& s) { return s.family == row.family; });
    if (found == summaries.end()) {
      summaries.push_back({row.family, 0, 0, 0, 0, ""});
      logs.push_back(0);
      found = summaries.end() - 1;
    }
    ++found->cases;
    if (row.ratio <= 0) continue;
    ++found->compared;
    logs[static_cast<size_t>(found - summaries.begin())] += std::log(row.ratio);
    if (found->worst_case.empty() || row.ratio < found->worst) {
      found->worst = row.ratio;
      found->worst_case = fmt::format("{}, {}, {}", row.set, row.name, row.shape);
    }
  }
  for (size_t i = 0; i < summaries.size(); ++i)
    if (summaries[i].compared)
      summaries[i].geometric_mean = std::exp(logs[i] / summaries[i].compared);
  return summaries;
}

std::string to_text(const std::vector<Summary>& summaries) {
  std::string text = fmt::format("{:<12} {:>6} {:>9} {:>15} {:>7}  worst case\n", "family", "cases",
                                 "compared", "geometric mean", "worst");
  for (const Summary& s : summaries)
    text += s.compared ? fmt::format("{:<12} {:>6} {:>9} {:>15.3f} {:>7.3f}  {}\n", s.family,
                                     s.cases, s.compared, s.geometric_mean, s.worst, s.worst_case)
                       : fmt::format("{:<12} {:>6} {:>9}\n", s.family, s.cases, s.compared);
  return text + "Ratios are the fastest rival's time over ours: above 1 we are faster.\n";
}

std::string to_text(const Row& r) {
  std::string text = fmt::format("{:<14} {:>10.2f} us  ({:.2f} to {:.2f})  ", r.implementation,
                                 r.time.median, r.time.p20, r.time.p80);
  if (r.flops > 0) text += fmt::format("{:>8.1f} TFLOP/s  ", r.tflops());
  text += fmt::format("{:>8.0f} GB/s", r.gigabytes_a_second());
  if (r.time.state.clock_mhz)
    text += fmt::format("  {} MHz {:.0f} W", r.time.state.clock_mhz, r.time.state.watts);
  if (!r.time.settled) text += "  (not settled)";
  if (!r.kernel.empty()) text += "  " + r.kernel;
  if (r.ratio > 0) text += fmt::format("  ratio {:.3f}", r.ratio);
  return text;
}

std::string to_page(const std::vector<Row>& rows, const RunInfo& info) {
  std::string page, styles, scripts;
  for (const report::PageFile& file : report::page_files()) {
    if (file.name == "index.html") page = file.text;
    if (file.name.ends_with(".css")) styles += fmt::format("<style>\n{}</style>\n", file.text);
    if (file.name.ends_with(".js")) scripts += fmt::format("<script>\n{}\n</script>\n", file.text);
  }
  const auto put = [&page](const std::string& mark, const std::string& text) {
    page.replace(page.find(mark), mark.size(), text);
  };
  put("<!--styles-->", styles);
  put("<!--scripts-->",
      "<script>const data = " + for_script(data_of(rows, info)) + ";</script>\n" + scripts);
  return page;
}

}  // namespace strata::bench
