// Expecting the simulator to refuse something, in words.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "kernels/gpu/runtime.h"
#ifndef STRATA_CUDA
#include "kernels/gpu/gpu.h"
#endif

namespace strata::test {

// `work`, and waiting for what it launched, throws gpu::Error whose text contains `words`.
inline void expect_error(const std::function<void()>& work, const std::string& words) {
  try {
    work();
    gpu::synchronize(nullptr);
    ADD_FAILURE() << "no error; expected one that says \"" << words << "\"";
  } catch (const gpu::Error& error) {
    EXPECT_NE(std::string(error.what()).find(words), std::string::npos)
        << "expected \"" << words << "\" in:\n"
        << error.what();
  }
}

}  // namespace strata::test
