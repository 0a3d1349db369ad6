#include "engine/data/image_file.h"

#include <jpeglib.h>
#include <png.h>

#include <algorithm>
#include <cmath>
#include <csetjmp>
#include <cstdio>
#include <cstring>

#include "engine/data/files.h"

namespace strata {
namespace {

constexpr int64_t pixel_limit = int64_t{1} << 26;

// Deflate packs at most 1032 to 1 and PNG at most 8 pixels into a byte; JPEG's best case is an end
// of band run, which this bounds as well. Checked before anything is allocated.
void check_size(const char* op, int64_t height, int64_t width, size_t bytes,
                const std::string& name, Caller at) {
  if (height < 1 || width < 1) fail(op, at, "{}: says it has {} x {} pixels", name, height, width);
  if (width > pixel_limit / height)
    fail(op, at, "{}: {} x {} pixels are more than the limit of {}", name, height, width,
         pixel_limit);
  if (static_cast<double>(height) * static_cast<double>(width) >
      8.0 * 1032 * static_cast<double>(bytes))
    fail(op, at, "{}: {} x {} pixels cannot come from {} bytes", name, height, width, bytes);
}

Picture decode_png(std::span<const uint8_t> bytes, const std::string& name, Caller at) {
  png_image image;
  std::memset(&image, 0, sizeof image);
  image.version = PNG_IMAGE_VERSION;
  if (!png_image_begin_read_from_memory(&image, bytes.data(), bytes.size()))
    fail("png", at, "{}: {}", name, image.message);
  bool grey = (image.format & PNG_FORMAT_FLAG_COLOR) == 0;
  image.format = grey ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  Picture out{image.height, image.width, grey ? 1 : 3, {}};
  try {
    check_size("png", out.height, out.width, bytes.size(), name, at);
    out.pixels.resize(static_cast<size_t>(out.height * out.width * out.channels));
  } catch (...) {
    png_image_free(&image);
    throw;
  }
  const png_color white = {255, 255, 255};
  if (!png_image_finish_read(&image, &white, out.pixels.data(), 0, nullptr))
    fail("png", at, "{}: {}", name, image.message);
  if (image.warning_or_error > 1) fail("png", at, "{}: {}", name, image.message);
  return out;
}

// libjpeg reports errors through callbacks and expects not to be returned to: longjmp, as its
// documentation says. No object with a destructor is created between setjmp and the jump.
struct JpegError {
  jpeg_error_mgr manager;
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
};
void jpeg_fail(j_common_ptr info) {
  auto* error = reinterpret_cast<JpegError*>(info->err);
  error->manager.format_message(info, error->message);
  std::longjmp(error->jump, 1);
}
// Warnings mean lost data (truncation, bad codes): treated as errors. Traces are not shown.
void jpeg_note(j_common_ptr info, int level) {
  if (level < 0) jpeg_fail(info);
}
// A hostile progressive file may hold thousands of scans over a large picture.
void jpeg_progress(j_common_ptr info) {
  auto* decoder = reinterpret_cast<j_decompress_ptr>(info);
  if (decoder->input_scan_number > 200) {
    auto* error = reinterpret_cast<JpegError*>(info->err);
    std::snprintf(error->message, sizeof error->message, "more than 200 scans");
    std::longjmp(error->jump, 1);
  }
}

struct JpegReader {
  jpeg_decompress_struct decoder;
  JpegError error;
  jpeg_progress_mgr progress;

  JpegReader() {
    std::memset(&decoder, 0, sizeof decoder);
    std::memset(&progress, 0, sizeof progress);
    decoder.err = jpeg_std_error(&error.manager);
    error.manager.error_exit = jpeg_fail;
    error.manager.emit_message = jpeg_note;
    error.message[0] = 0;
    progress.progress_monitor = jpeg_progress;
  }
  ~JpegReader() { jpeg_destroy_decompress(&decoder); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  bool header(std::span<const uint8_t> bytes) {
    if (setjmp(error.jump)) return false;
    jpeg_create_decompress(&decoder);
    decoder.progress = &progress;
    decoder.mem->max_memory_to_use = 512L << 20;
    jpeg_mem_src(&decoder, bytes.data(), static_cast<unsigned long>(bytes.size()));
    jpeg_read_header(&decoder, TRUE);
    decoder.out_color_space = decoder.num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
    return true;
  }
  bool rows(uint8_t* pixels, size_t row_bytes) {
    if (setjmp(error.jump)) return false;
    jpeg_start_decompress(&decoder);
    while (decoder.output_scanline < decoder.output_height) {
      JSAMPROW row = pixels + decoder.output_scanline * row_bytes;
      jpeg_read_scanlines(&decoder, &row, 1);
    }
    jpeg_finish_decompress(&decoder);
    return true;
  }
};

Picture decode_jpeg(std::span<const uint8_t> bytes, const std::string& name, Caller at) {
  JpegReader reader;
  if (!reader.header(bytes)) fail("jpeg", at, "{}: {}", name, reader.error.message);
  const auto& decoder = reader.decoder;
  if (decoder.num_components != 1 && decoder.num_components != 3)
    fail("jpeg", at, "{}: has {} colour components; grey (1) and colour (3) can be read", name,
         decoder.num_components);
  Picture out{decoder.image_height, decoder.image_width, decoder.num_components, {}};
  check_size("jpeg", out.height, out.width, bytes.size(), name, at);
  size_t row = static_cast<size_t>(out.width * out.channels);
  out.pixels.resize(static_cast<size_t>(out.height) * row);
  if (!reader.rows(out.pixels.data(), row)) fail("jpeg", at, "{}: {}", name, reader.error.message);
  return out;
}

// Weights of source samples for one target sample: a box as wide as a target pixel where the
// picture shrinks, a tent of two source pixels where it grows.
struct Tap {
  int64_t first;
  std::vector<float> weight;
};
std::vector<Tap> taps(int64_t from, int64_t to) {
  std::vector<Tap> out;
  double scale = static_cast<double>(from) / static_cast<double>(to);
  for (int64_t i = 0; i < to; ++i) {
    Tap tap;
    if (scale > 1) {
      double begin = static_cast<double>(i) * scale, end = begin + scale;
      tap.first = static_cast<int64_t>(begin);
      for (int64_t s = tap.first; s < from && static_cast<double>(s) < end - 1e-9; ++s)
        tap.weight.push_back(static_cast<float>(
            (std::min(end, static_cast<double>(s + 1)) - std::max(begin, static_cast<double>(s))) /
            scale));
    } else {
      double centre = (static_cast<double>(i) + 0.5) * scale - 0.5;
      centre = std::clamp(centre, 0.0, static_cast<double>(from - 1));
      tap.first = std::min(static_cast<int64_t>(centre), std::max<int64_t>(from - 2, 0));
      auto rest = static_cast<float>(centre - static_cast<double>(tap.first));
      tap.weight = {1 - rest};
      if (from > 1) tap.weight.push_back(rest);
    }
    out.push_back(std::move(tap));
  }
  return out;
}

}  // namespace

Picture decode_picture(std::span<const uint8_t> bytes, const std::string& name, Caller at) {
  static constexpr uint8_t png[] = {0x89, 'P', 'N', 'G'}, jpeg[] = {0xff, 0xd8, 0xff};
  if (bytes.size() >= 8 && std::equal(std::begin(png), std::end(png), bytes.begin()))
    return decode_png(bytes, name, at);
  if (bytes.size() >= 4 && std::equal(std::begin(jpeg), std::end(jpeg), bytes.begin()))
    return decode_jpeg(bytes, name, at);
  fail("picture", at, "{}: is neither a PNG nor a JPEG file ({} bytes)", name, bytes.size());
}

Picture read_picture(const std::string& path, Caller at) {
  return decode_picture(read_bytes("picture", path, int64_t{256} << 20, at), path, at);
}

std::vector<uint8_t> encode_png(const Picture& picture, Caller at) {
  png_image image;
  std::memset(&image, 0, sizeof image);
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(picture.width);
  image.height = static_cast<png_uint_32>(picture.height);
  image.format = picture.channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  if ((picture.channels != 1 && picture.channels != 3) ||
      static_cast<int64_t>(picture.pixels.size()) !=
          picture.height * picture.width * picture.channels)
    fail("png", at,
         "a picture has 1 or 3 channels and H * W * C bytes; got [{},{},{}] and {} bytes",
         picture.height, picture.width, picture.channels, picture.pixels.size());
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
  std::vector<uint8_t> bytes(size);
  if (!png_image_write_to_memory(&image, bytes.data(), &size, 0, picture.pixels.data(), 0, nullptr))
    fail("png", at, "cannot encode: {}", image.message);
  bytes.resize(size);
  return bytes;
}

void write_png(const std::string& path, const Picture& picture, Caller at) {
  std::vector<uint8_t> bytes = encode_png(picture, at);
  FILE* file = std::fopen(path.c_str(), "wb");
  bool written = file && std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  if (file) written = std::fclose(file) == 0 && written;
  if (!written) fail("png", at, "cannot write '{}': {}", path, std::strerror(errno));
}

Picture resize(const Picture& picture, int64_t height, int64_t width, Caller at) {
  if (height < 1 || width < 1 || picture.height < 1 || picture.width < 1)
    fail("resize", at, "[{},{}] to [{},{}]: sizes must be at least 1", picture.height,
         picture.width, height, width);
  int64_t channels = picture.channels;
  std::vector<Tap> across = taps(picture.width, width), down = taps(picture.height, height);
  std::vector<float> rows(static_cast<size_t>(picture.height * width * channels));
  for (int64_t y = 0; y < picture.height; ++y)
    for (int64_t x = 0; x < width; ++x)
      for (int64_t c = 0; c < channels; ++c) {
        const Tap& tap = across[static_cast<size_t>(x)];
        float sum = 0;
        for (size_t k = 0; k < tap.weight.size(); ++k)
          sum += tap.weight[k] *
                 picture.pixels[static_cast<size_t>(
                     (y * picture.width + tap.first + static_cast<int64_t>(k)) * channels + c)];
        rows[static_cast<size_t>((y * width + x) * channels + c)] = sum;
      }
  Picture out{height, width, channels, {}};
  out.pixels.resize(static_cast<size_t>(height * width * channels));
  for (int64_t y = 0; y < height; ++y)
    for (int64_t i = 0; i < width * channels; ++i) {
      const Tap& tap = down[static_cast<size_t>(y)];
      float sum = 0;
      for (size_t k = 0; k < tap.weight.size(); ++k)
        sum +=
            tap.weight[k] *
            rows[static_cast<size_t>((tap.first + static_cast<int64_t>(k)) * width * channels + i)];
      out.pixels[static_cast<size_t>(y * width * channels + i)] =
          static_cast<uint8_t>(std::clamp(sum + 0.5f, 0.0f, 255.0f));
    }
  return out;
}

Picture crop_square(const Picture& picture) {
  int64_t side = std::min(picture.height, picture.width), channels = picture.channels;
  int64_t top = (picture.height - side) / 2, left = (picture.width - side) / 2;
  Picture out{side, side, channels, {}};
  for (int64_t y = 0; y < side; ++y) {
    auto row = picture.pixels.begin() + ((top + y) * picture.width + left) * channels;
    out.pixels.insert(out.pixels.end(), row, row + side * channels);
  }
  return out;
}

Picture to_rgb(const Picture& picture) {
  if (picture.channels == 3) return picture;
  Picture out{picture.height, picture.width, 3, {}};
  for (uint8_t value : picture.pixels) out.pixels.insert(out.pixels.end(), {value, value, value});
  return out;
}

}  // namespace strata
