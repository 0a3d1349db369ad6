// What the x-ray found, as text for the terminal and as a page for the browser.
#pragma once

#include <string>
#include <vector>

#include "kernels/sim/xray/recorder.h"
#include "tools/xray/catalogue.h"
#include "tools/xray/roofline.h"

namespace strata::xray {

struct Examination {
  const Subject* subject = nullptr;
  Shape shape;
  DType dtype = DType::f32;
  gpu::DeviceInfo device;
  Workload workload;  // flops and least bytes
  std::vector<sim::KernelReport> kernels;

  double bytes_moved() const;  // distinct sectors that the kernels touched, read and written
  bool tensor_cores() const;
};

// Runs the subject on the simulator as `device`, watched.
Examination examine(const Subject& subject, const Shape& shape, DType dtype,
                    const gpu::DeviceInfo& device, bool races);

std::string to_text(const Examination& examination);
// One self-contained HTML file: the source with what each line asks of memory beside it, and the
// roofline.
std::string to_page(const Examination& examination);

}  // namespace strata::xray
