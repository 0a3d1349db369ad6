#include "engine/data/wav.h"

#include <sndfile.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "engine/data/files.h"

namespace strata {
namespace {

uint32_t little_endian_32(const uint8_t* bytes) {
  return static_cast<uint32_t>(bytes[3]) << 24 | static_cast<uint32_t>(bytes[2]) << 16 |
         static_cast<uint32_t>(bytes[1]) << 8 | bytes[0];
}

// libsndfile quietly plays what there is of a file cut short; so the chunks are walked here first.
void check_chunks(std::span<const uint8_t> bytes, const std::string& name, Caller at) {
  if (bytes.size() < 12 || std::memcmp(bytes.data(), "RIFF", 4) != 0 ||
      std::memcmp(bytes.data() + 8, "WAVE", 4) != 0)
    fail("wav", at, "{}: not a WAV file: it should begin with RIFF, a size and WAVE", name);
  bool format = false, data = false;
  for (size_t place = 12; place + 8 <= bytes.size();) {
    size_t size = little_endian_32(bytes.data() + place + 4), left = bytes.size() - place - 8;
    bool is_data = std::memcmp(bytes.data() + place, "data", 4) == 0;
    bool is_format = std::memcmp(bytes.data() + place, "fmt ", 4) == 0;
    if (size > left)
      fail("wav", at, "{}: the chunk at byte {} says {} bytes, but {} are left", name, place, size,
           left);
    if (is_format && size < 16)
      fail("wav", at, "{}: the format chunk has {} bytes; expected 16 or more", name, size);
    if (is_data && !format) fail("wav", at, "{}: the samples come before their format", name);
    format |= is_format;
    data |= is_data;
    place += 8 + size + (size & 1);
  }
  if (!format || !data) fail("wav", at, "{}: has no {} chunk", name, format ? "data" : "format");
}

// libsndfile's view of bytes in memory.
struct Stream {
  std::span<const uint8_t> bytes;
  sf_count_t place = 0;

  static Stream* from(void* user) { return static_cast<Stream*>(user); }
  static sf_count_t length(void* user) { return static_cast<sf_count_t>(from(user)->bytes.size()); }
  static sf_count_t seek(sf_count_t offset, int whence, void* user) {
    Stream* stream = from(user);
    sf_count_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? stream->place : length(user);
    if (offset < -base || offset > length(user) - base) return -1;
    return stream->place = base + offset;
  }
  static sf_count_t read(void* out, sf_count_t count, void* user) {
    Stream* stream = from(user);
    count = std::clamp<sf_count_t>(length(user) - stream->place, 0, std::max<sf_count_t>(count, 0));
    std::memcpy(out, stream->bytes.data() + stream->place, static_cast<size_t>(count));
    stream->place += count;
    return count;
  }
  static sf_count_t write(const void*, sf_count_t, void*) { return 0; }
  static sf_count_t tell(void* user) { return from(user)->place; }
};

// And of bytes that it makes: the header is written again when the length is known.
struct Sink {
  std::vector<uint8_t> bytes;
  sf_count_t place = 0;

  static Sink* from(void* user) { return static_cast<Sink*>(user); }
  static sf_count_t length(void* user) { return static_cast<sf_count_t>(from(user)->bytes.size()); }
  static sf_count_t seek(sf_count_t offset, int whence, void* user) {
    Sink* sink = from(user);
    const sf_count_t base = whence == SEEK_SET   ? 0
                            : whence == SEEK_CUR ? sink->place
                                                 : length(user);
    return base + offset < 0 ? -1 : sink->place = base + offset;
  }
  static sf_count_t read(void*, sf_count_t, void*) { return 0; }
  static sf_count_t write(const void* data, sf_count_t count, void* user) {
    Sink* sink = from(user);
    const auto end = static_cast<size_t>(sink->place + count);
    if (sink->bytes.size() < end) sink->bytes.resize(end);
    std::memcpy(sink->bytes.data() + sink->place, data, static_cast<size_t>(count));
    sink->place += count;
    return count;
  }
  static sf_count_t tell(void* user) { return from(user)->place; }
};

}  // namespace

Sound parse_wav(std::span<const uint8_t> bytes, const std::string& name, Caller at) {
  check_chunks(bytes, name, at);
  Stream stream{bytes};
  SF_VIRTUAL_IO access{Stream::length, Stream::seek, Stream::read, Stream::write, Stream::tell};
  SF_INFO info;
  std::memset(&info, 0, sizeof info);
  std::unique_ptr<SNDFILE, int (*)(SNDFILE*)> file(
      sf_open_virtual(&access, SFM_READ, &info, &stream), sf_close);
  if (!file) fail("wav", at, "{}: {}", name, sf_strerror(nullptr));
  if (info.channels < 1 || info.channels > 64 || info.samplerate < 1)
    fail("wav", at, "{}: {} channels at {} samples a second; expected 1..64 channels and a rate",
         name, info.channels, info.samplerate);
  // Read in pieces: memory follows what is there, not what the header says.
  constexpr int64_t piece = 1 << 12, limit = 1 << 28;
  std::vector<float> samples, buffer(static_cast<size_t>(piece * info.channels));
  for (;;) {
    sf_count_t got = sf_readf_float(file.get(), buffer.data(), piece);
    if (got <= 0) break;
    samples.insert(samples.end(), buffer.begin(), buffer.begin() + got * info.channels);
    if (static_cast<int64_t>(samples.size()) > limit)
      fail("wav", at, "{}: more than the limit of {} samples", name, limit);
  }
  if (samples.empty()) fail("wav", at, "{}: has no samples", name);
  int64_t frames = static_cast<int64_t>(samples.size()) / info.channels;
  if (frames != info.frames)
    fail("wav", at, "{}: says it has {} samples, but {} could be decoded", name, info.frames,
         frames);
  Sound sound{info.samplerate, empty({frames, info.channels})};
  std::copy(samples.begin(), samples.end(), sound.samples.data<float>());
  return sound;
}

Sound read_wav(const std::string& path, Caller at) {
  return parse_wav(read_bytes("wav", path, file_limit, at), path, at);
}

std::vector<uint8_t> wav_bytes(std::span<const float> samples, int64_t rate, Caller at) {
  if (samples.empty() || rate < 1 || rate > 1'000'000)
    fail("wav", at, "{} samples at {} a second are no sound", samples.size(), rate);
  Sink sink;
  SF_VIRTUAL_IO access{Sink::length, Sink::seek, Sink::read, Sink::write, Sink::tell};
  SF_INFO info;
  std::memset(&info, 0, sizeof info);
  info.samplerate = static_cast<int>(rate);
  info.channels = 1;
  info.format = SF_FORMAT_WAV | SF_FORMAT_PCM_16;
  SNDFILE* file = sf_open_virtual(&access, SFM_WRITE, &info, &sink);
  if (!file) fail("wav", at, "{}", sf_strerror(nullptr));
  sf_command(file, SFC_SET_CLIPPING, nullptr, SF_TRUE);
  const auto count = static_cast<sf_count_t>(samples.size());
  const bool whole = sf_writef_float(file, samples.data(), count) == count;
  if (sf_close(file) != 0 || !whole) fail("wav", at, "{} samples were not written", count);
  return sink.bytes;
}

}  // namespace strata
