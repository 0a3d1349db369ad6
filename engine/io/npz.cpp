// Zip archives of npy members: the part of the zip format (PKWARE's APPNOTE.TXT) that NumPy uses.
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "engine/autograd/autograd.h"
#include "engine/io/atomic_file.h"
#include "engine/io/npy.h"
#include "engine/ops/view.h"

namespace strata::io {
namespace {

constexpr const char* op = "npz";
constexpr uint32_t local_signature = 0x04034b50, central_signature = 0x02014b50,
                   end_signature = 0x06054b50, descriptor_signature = 0x08074b50;
constexpr size_t local_size = 30, central_size = 46, end_size = 22;
// Deflate cannot shrink more than 1032 times.
constexpr uint64_t best_ratio = 1032;

uint16_t get16(const uint8_t* p) { return static_cast<uint16_t>(p[0] | p[1] << 8); }
uint32_t get32(const uint8_t* p) {
  return static_cast<uint32_t>(get16(p)) | static_cast<uint32_t>(get16(p + 2)) << 16;
}
void put16(std::string& to, uint64_t value) {
  to += static_cast<char>(value & 0xff);
  to += static_cast<char>(value >> 8 & 0xff);
}
void put32(std::string& to, uint64_t value) {
  put16(to, value & 0xffff);
  put16(to, value >> 16);
}

struct Member {
  std::string name;
  bool deflated = false;
  uint32_t crc = 0;
  uint64_t packed = 0, size = 0;  // bytes in the archive, bytes unpacked
  uint64_t header = 0, data = 0;  // places in the archive
};

// The directory at the end of an archive, every number of it checked.
class Directory {
 public:
  Directory(const Source& source, NpzLimits limits, Caller at)
      : source_(source), limits_(limits), at_(at) {
    find_end();
    read_members();
    check_overlap();
  }
  const std::vector<Member>& members() const { return members_; }

 private:
  template <class... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    fail(op, at_, "{}: {}", source_.name(), fmt::format(format, std::forward<Args>(args)...));
  }

  // The end record is followed by nothing but a comment, whose length it states.
  void find_end() {
    uint64_t size = source_.size();
    if (size < end_size) refuse("{} bytes are too few for an npz file", size);
    uint64_t tail = std::min<uint64_t>(size, end_size + 0xffff);
    std::vector<uint8_t> bytes(tail);
    source_.read(size - tail, bytes.data(), tail, at_);
    for (uint64_t i = tail - end_size + 1; i-- > 0;) {
      const uint8_t* p = &bytes[i];
      if (get32(p) != end_signature || get16(p + 20) != tail - i - end_size) continue;
      if (get16(p + 4) != 0 || get16(p + 6) != 0 || get16(p + 8) != get16(p + 10)) {
        refuse("the archive is one of several disks, which is not supported");
      }
      count_ = get16(p + 10);
      directory_size_ = get32(p + 12);
      directory_ = get32(p + 16);
      if (count_ == 0xffff || directory_size_ == 0xffffffff || directory_ == 0xffffffff) {
        refuse("zip64 archives (over 4 GiB or 65535 members) are not supported");
      }
      uint64_t end = size - tail + i;
      if (directory_ > end || directory_size_ != end - directory_) {
        refuse(
            "the directory should lie at byte {} with {} bytes, before byte {}: the file is "
            "damaged",
            directory_, directory_size_, end);
      }
      return;
    }
    refuse("there is no end of a zip archive; this is no npz file, or it is cut off");
  }

  void read_members() {
    std::vector<uint8_t> bytes(directory_size_);
    source_.read(directory_, bytes.data(), bytes.size(), at_);
    size_t place = 0;
    uint64_t total = 0;
    for (size_t i = 0; i < count_; ++i) {
      if (bytes.size() - place < central_size || get32(&bytes[place]) != central_signature) {
        refuse("entry {} of the directory is damaged", i);
      }
      const uint8_t* p = &bytes[place];
      size_t name = get16(p + 28), length = central_size + name + get16(p + 30) + get16(p + 32);
      if (length > bytes.size() - place) refuse("entry {} of the directory is cut off", i);
      Member member;
      member.name.assign(reinterpret_cast<const char*>(p + central_size), name);
      read_member(p, member);
      total += member.size;
      if (total > limits_.bytes) {
        refuse("its members unpack to more than the limit of {} bytes", limits_.bytes);
      }
      members_.push_back(std::move(member));
      place += length;
    }
    if (place != bytes.size()) refuse("the directory has {} bytes too many", bytes.size() - place);
  }

  void read_member(const uint8_t* p, Member& member) {
    std::string name = printable(member.name);
    int flags = get16(p + 8), method = get16(p + 10);
    if (flags & 1) refuse("'{}' is encrypted", name);
    if (method != 0 && method != 8) {
      refuse("'{}' is compressed by method {}; only stored (0) and deflate (8) are supported", name,
             method);
    }
    member.deflated = method == 8;
    member.crc = get32(p + 16);
    member.packed = get32(p + 20);
    member.size = get32(p + 24);
    member.header = get32(p + 42);
    if (member.packed == 0xffffffff || member.size == 0xffffffff || member.header == 0xffffffff) {
      refuse("'{}' needs zip64, which is not supported", name);
    }
    if (!member.deflated && member.packed != member.size) {
      refuse("'{}' is stored but has two sizes, {} and {}", name, member.packed, member.size);
    }
    if (member.deflated && member.size > member.packed * best_ratio + 64) {
      refuse("'{}' claims to unpack {} bytes to {}, which deflate cannot do", name, member.packed,
             member.size);
    }
    if (directory_ < local_size || member.header > directory_ - local_size) {
      refuse("'{}' should begin at byte {}, where there is no room", name, member.header);
    }
    std::array<uint8_t, local_size> local;
    source_.read(member.header, local.data(), local.size(), at_);
    if (get32(local.data()) != local_signature) refuse("'{}' has no header of its own", name);
    member.data = member.header + local_size + get16(&local[26]) + get16(&local[28]);
    if (member.data > directory_ || member.packed > directory_ - member.data) {
      refuse("'{}' runs into the directory", name);
    }
  }

  // Members that share bytes are how a small archive unpacks to petabytes.
  void check_overlap() const {
    std::vector<const Member*> order;
    for (const Member& member : members_) order.push_back(&member);
    std::sort(order.begin(), order.end(), [](auto* a, auto* b) { return a->header < b->header; });
    for (size_t i = 1; i < order.size(); ++i) {
      if (order[i]->header < order[i - 1]->data + order[i - 1]->packed) {
        refuse("'{}' and '{}' overlap", printable(order[i - 1]->name), printable(order[i]->name));
      }
    }
  }

  const Source& source_;
  NpzLimits limits_;
  Caller at_;
  uint64_t directory_ = 0, directory_size_ = 0;
  size_t count_ = 0;
  std::vector<Member> members_;
};

// The bytes of a member, unpacked as they are read, with their checksum.
class MemberStream : public Stream {
 public:
  MemberStream(const Source& source, const Member& member, Caller at)
      : source_(source), member_(member), at_(at), left_(member.size) {
    if (member.deflated && inflateInit2(&zip_, -MAX_WBITS) != Z_OK) {
      fail(op, at, "zlib could not start");
    }
  }
  ~MemberStream() override {
    if (member_.deflated) inflateEnd(&zip_);
  }
  MemberStream(const MemberStream&) = delete;
  MemberStream& operator=(const MemberStream&) = delete;

  uint64_t remaining() const override { return left_; }

  void read(void* into, size_t count) override {
    if (count > left_) refuse("ends too early");
    auto* to = static_cast<uint8_t*>(into);
    for (size_t done = 0; done < count;) {
      size_t piece = std::min(count - done, sizeof(packed_));
      member_.deflated ? unpack(to + done, piece) : copy(to + done, piece);
      crc_ = crc32(crc_, to + done, static_cast<uInt>(piece));
      done += piece;
    }
    left_ -= count;
  }

  // After the last byte: nothing more comes out, and the checksum is right.
  void finish() {
    if (member_.deflated && !ended_) {
      uint8_t extra;
      zip_.next_out = &extra;
      zip_.avail_out = 1;
      if (!step() && zip_.avail_out == 1) refuse("is cut off");
      if (zip_.avail_out == 0) refuse("unpacks to more than it declares");
    }
    if (crc_ != member_.crc) refuse("has a wrong checksum");
  }

 private:
  [[noreturn]] void refuse(const char* what) const {
    fail(op, at_, "{}: '{}' {}; the file is damaged", source_.name(), printable(member_.name),
         what);
  }
  void copy(uint8_t* to, size_t count) {
    source_.read(member_.data + taken_, to, count, at_);
    taken_ += count;
  }
  void unpack(uint8_t* to, size_t count) {
    zip_.next_out = to;
    zip_.avail_out = static_cast<uInt>(count);
    while (zip_.avail_out > 0) {
      if (ended_ || (!step() && zip_.avail_out > 0)) refuse("unpacks to less than it declares");
    }
  }
  // One call of inflate, with more input if it has none left; false when it made no progress.
  bool step() {
    if (zip_.avail_in == 0) {
      size_t piece = std::min<uint64_t>(sizeof(packed_), member_.packed - taken_);
      copy(packed_, piece);
      zip_.next_in = packed_;
      zip_.avail_in = static_cast<uInt>(piece);
    }
    int status = inflate(&zip_, Z_NO_FLUSH);
    if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) {
      refuse("cannot be unpacked");
    }
    ended_ = status == Z_STREAM_END;
    return status != Z_BUF_ERROR;
  }

  const Source& source_;
  const Member& member_;
  Caller at_;
  uint64_t left_, taken_ = 0;
  uLong crc_ = 0;
  bool ended_ = false;
  z_stream zip_ = {};
  uint8_t packed_[1 << 16];
};

// What follows is written: members one after the other, then the directory.

struct Written {
  std::string name;
  uint64_t crc, packed, size, header;
  bool deflated;
};

// Name, sizes and checksum as both headers have them, from "flags" on. Deflated members are written
// in one pass, so their local header leaves sizes and checksum to a descriptor behind the data.
std::string common_fields(const Written& member, bool sizes_follow) {
  std::string text;
  put16(text, member.deflated ? 8 : 0);  // flags: a descriptor follows the data
  put16(text, member.deflated ? 8 : 0);  // method
  put16(text, 0);                        // time
  put16(text, 0x21);                     // 1 January 1980: the same arrays give the same file
  put32(text, sizes_follow ? 0 : member.crc);
  put32(text, sizes_follow ? 0 : member.packed);
  put32(text, sizes_follow ? 0 : member.size);
  put16(text, member.name.size());
  put16(text, 0);  // extra fields
  return text;
}

// Feeds pieces of the member's bytes (header, data) to f.
template <class F>
void for_each_piece(std::string_view header, const Tensor& tensor, F&& f) {
  f(reinterpret_cast<const uint8_t*>(header.data()), header.size());
  const auto* data = static_cast<const uint8_t*>(tensor.raw());
  size_t bytes = static_cast<size_t>(tensor.numel()) * size_of(tensor.dtype());
  constexpr size_t piece = 1 << 20;
  for (size_t i = 0; i < bytes; i += piece) f(data + i, std::min(piece, bytes - i));
}

void write_deflated(AtomicFile& file, std::string_view header, const Tensor& tensor,
                    Written& member, Caller at) {
  z_stream zip = {};
  if (deflateInit2(&zip, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) !=
      Z_OK) {
    fail(op, at, "zlib could not start");
  }
  struct End {
    z_stream& zip;
    ~End() { deflateEnd(&zip); }
  } end{zip};
  std::vector<uint8_t> packed(1 << 16);
  auto run = [&](int flush) {
    do {
      zip.next_out = packed.data();
      zip.avail_out = static_cast<uInt>(packed.size());
      deflate(&zip, flush);
      file.write(packed.data(), packed.size() - zip.avail_out);
      member.packed += packed.size() - zip.avail_out;
    } while (zip.avail_out == 0);
  };
  for_each_piece(header, tensor, [&](const uint8_t* data, size_t count) {
    zip.next_in = const_cast<uint8_t*>(data);
    zip.avail_in = static_cast<uInt>(count);
    run(Z_NO_FLUSH);
  });
  run(Z_FINISH);
  std::string descriptor;
  put32(descriptor, descriptor_signature);
  put32(descriptor, member.crc);
  put32(descriptor, member.packed);
  put32(descriptor, member.size);
  file.write(descriptor);
}

Written write_member(AtomicFile& file, const std::string& name, const Tensor& tensor, bool compress,
                     Caller at) {
  std::string header = npy_header(tensor, at);
  Written member{name + ".npy", 0, 0, 0, file.written(), compress};
  for_each_piece(header, tensor, [&](const uint8_t* data, size_t count) {
    member.crc = crc32(member.crc, data, static_cast<uInt>(count));
    member.size += count;
  });
  if (!compress) member.packed = member.size;
  if (member.name.size() > 0xffff || member.size >= 0xffffffff || member.header >= 0xffffffff) {
    fail(op, at, "'{}' needs zip64 (over 4 GiB), which is not written; use safetensors",
         printable(name));
  }
  std::string local;
  put32(local, local_signature);
  put16(local, 20);  // version needed
  local += common_fields(member, compress) + member.name;
  file.write(local);
  if (compress) {
    write_deflated(file, header, tensor, member, at);
  } else {
    for_each_piece(header, tensor,
                   [&](const uint8_t* data, size_t count) { file.write(data, count); });
  }
  return member;
}

}  // namespace

StateDict read_npz(const Source& source, NpzLimits limits, Caller at) {
  Directory directory(source, limits, at);
  StateDict tensors;
  for (const Member& member : directory.members()) {
    std::string name = member.name;
    if (!name.ends_with(".npy")) {
      fail(op, at, "{}: '{}' is no array (.npy)", source.name(), printable(name));
    }
    name.resize(name.size() - 4);
    if (tensors.contains(name)) {
      fail(op, at, "{}: '{}' is there twice", source.name(), printable(name));
    }
    auto stream = std::make_unique<MemberStream>(source, member, at);
    Tensor tensor = read_npy(*stream, fmt::format("{}: '{}'", source.name(), printable(name)), at);
    stream->finish();
    tensors.emplace(name, tensor);
  }
  return tensors;
}

StateDict load_npz(const std::string& path, NpzLimits limits, Caller at) {
  return read_npz(*open_file(path, at), limits, at);
}

void save_npz(const std::string& path, const StateDict& tensors, bool compress, Caller at) {
  NoGrad off;
  if (tensors.size() >= 0xffff) {
    fail(op, at, "{}: {} arrays are too many for an archive without zip64", path, tensors.size());
  }
  AtomicFile file(path, at);
  std::string directory;
  for (auto& [name, tensor] : tensors) {
    Written member =
        write_member(file, name, tensor.detach().to(Device::cpu, at).contiguous(at), compress, at);
    put32(directory, central_signature);
    put16(directory, 20);  // made by
    put16(directory, 20);  // version needed
    directory += common_fields(member, false);
    put16(directory, 0);  // comment
    put16(directory, 0);  // disk
    put16(directory, 0);  // attributes
    put32(directory, 0);
    put32(directory, member.header);
    directory += member.name;
  }
  uint64_t start = file.written();
  if (start + directory.size() >= 0xffffffff) {
    fail(op, at, "{}: the archive needs zip64 (over 4 GiB), which is not written; use safetensors",
         path);
  }
  file.write(directory);
  std::string end;
  put32(end, end_signature);
  put32(end, 0);  // disks
  put16(end, tensors.size());
  put16(end, tensors.size());
  put32(end, directory.size());
  put32(end, start);
  put16(end, 0);  // comment
  file.write(end);
  file.commit();
}

}  // namespace strata::io
