#include "tools/report/jpeg_encode.h"

#include <cstdio>
// jpeglib.h wants stdio.h first.
#include <jpeglib.h>

#include <csetjmp>
#include <cstdlib>

namespace strata::report {
namespace {

// libjpeg's way of reporting: it must not return, and may not be thrown through.
struct Failure {
  jpeg_error_mgr manager;
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
};

void on_error(j_common_ptr info) {
  auto* failure = reinterpret_cast<Failure*>(info->err);
  failure->manager.format_message(info, failure->message);
  std::longjmp(failure->jump, 1);
}

// Nothing with a destructor lives here between setjmp and the jump.
bool compress(const std::uint8_t* pixels, std::size_t height, std::size_t width,
              std::size_t channels, int quality, Failure& failure, unsigned char** out,
              unsigned long* size) {
  jpeg_compress_struct encoder;
  encoder.err = jpeg_std_error(&failure.manager);
  failure.manager.error_exit = on_error;
  if (setjmp(failure.jump)) {
    jpeg_destroy_compress(&encoder);
    return false;
  }
  jpeg_create_compress(&encoder);
  jpeg_mem_dest(&encoder, out, size);
  encoder.image_width = static_cast<JDIMENSION>(width);
  encoder.image_height = static_cast<JDIMENSION>(height);
  encoder.input_components = static_cast<int>(channels);
  encoder.in_color_space = channels == 3 ? JCS_RGB : JCS_GRAYSCALE;
  jpeg_set_defaults(&encoder);
  jpeg_set_quality(&encoder, quality, TRUE);
  encoder.comp_info[0].h_samp_factor = encoder.comp_info[0].v_samp_factor = 1;
  encoder.optimize_coding = TRUE;
  jpeg_start_compress(&encoder, TRUE);
  while (encoder.next_scanline < encoder.image_height) {
    auto* row = const_cast<JSAMPROW>(pixels + encoder.next_scanline * width * channels);
    jpeg_write_scanlines(&encoder, &row, 1);
  }
  jpeg_finish_compress(&encoder);
  jpeg_destroy_compress(&encoder);
  return true;
}

}  // namespace

std::vector<std::uint8_t> jpeg_encode(std::span<const std::uint8_t> pixels, std::size_t height,
                                      std::size_t width, std::size_t channels, int quality,
                                      Caller at) {
  if (height == 0 || width == 0 || (channels != 1 && channels != 3) ||
      pixels.size() != height * width * channels)
    fail("jpeg_encode", at, "{} bytes given for an image u8[{},{},{}]; channels are 1 or 3",
         pixels.size(), height, width, channels);
  if (quality < 1 || quality > 100)
    fail("jpeg_encode", at, "a quality of {} was given; it runs from 1 to 100", quality);
  Failure failure{};
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  const bool made =
      compress(pixels.data(), height, width, channels, quality, failure, &bytes, &size);
  std::vector<std::uint8_t> out;
  if (made) out.assign(bytes, bytes + size);
  std::free(bytes);
  if (!made) fail("jpeg_encode", at, "libjpeg refused the image: {}", failure.message);
  return out;
}

}  // namespace strata::report
