#include "engine/io/zip.h"

#include <zlib.h>

#include <algorithm>
#include <array>

namespace strata::io {
namespace {

constexpr uint32_t local_signature = 0x04034b50, central_signature = 0x02014b50,
                   end_signature = 0x06054b50, descriptor_signature = 0x08074b50,
                   locator_signature = 0x07064b50, end64_signature = 0x06064b50;
constexpr size_t local_size = 30, central_size = 46, end_size = 22, locator_size = 20,
                 end64_size = 56;
constexpr uint64_t see_zip64 = 0xffffffff;  // the number did not fit into 32 bits
// Deflate cannot shrink more than 1032 times.
constexpr uint64_t best_ratio = 1032;
// What zlib is given at a time: it counts in 32 bits.
constexpr size_t largest_piece = 1 << 20;

uint16_t get16(const uint8_t* p) { return static_cast<uint16_t>(p[0] | p[1] << 8); }
uint32_t get32(const uint8_t* p) {
  return static_cast<uint32_t>(get16(p)) | static_cast<uint32_t>(get16(p + 2)) << 16;
}
uint64_t get64(const uint8_t* p) {
  return static_cast<uint64_t>(get32(p)) | static_cast<uint64_t>(get32(p + 4)) << 32;
}
void put16(std::string& to, uint64_t value) {
  to += static_cast<char>(value & 0xff);
  to += static_cast<char>(value >> 8 & 0xff);
}
void put32(std::string& to, uint64_t value) {
  put16(to, value & 0xffff);
  put16(to, value >> 16);
}

uint32_t checksum(uint32_t crc, const void* data, size_t count) {
  if (count == 0) return crc;  // zlib takes a null pointer as a wish to begin anew
  return static_cast<uint32_t>(crc32_z(crc, static_cast<const Bytef*>(data), count));
}

class MemberStream : public Stream {
 public:
  MemberStream(const Source& source, const ZipReader::Member& member, const char* op, Caller at)
      : source_(source), member_(member), op_(op), at_(at), left_(member.size) {
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
      size_t piece = std::min(count - done, largest_piece);
      member_.deflated ? unpack(to + done, piece) : copy(to + done, piece);
      crc_ = checksum(crc_, to + done, piece);
      done += piece;
    }
    left_ -= count;
    if (left_ == 0 && !finished_) finish();
  }

 private:
  // After the last byte: nothing more comes out, and the checksum is right.
  void finish() {
    finished_ = true;
    if (member_.deflated && !ended_) {
      uint8_t extra;
      zip_.next_out = &extra;
      zip_.avail_out = 1;
      if (!step() && zip_.avail_out == 1) refuse("is cut off");
      if (zip_.avail_out == 0) refuse("unpacks to more than it declares");
    }
    if (crc_ != member_.crc) refuse("has a wrong checksum");
  }
  [[noreturn]] void refuse(const char* what) const {
    fail(op_, at_, "{}: '{}' {}; the file is damaged", source_.name(), printable(member_.name),
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
  const ZipReader::Member& member_;
  const char* op_;
  Caller at_;
  uint64_t left_, taken_ = 0;
  uint32_t crc_ = 0;
  bool ended_ = false, finished_ = false;
  z_stream zip_ = {};
  uint8_t packed_[1 << 16];
};

}  // namespace

ZipReader::ZipReader(const Source& source, const char* op, uint64_t limit, Caller at)
    : source_(source), op_(op), limit_(limit), at_(at) {
  find_end();
  read_members();
  check_overlap();
}

const ZipReader::Member* ZipReader::find(const std::string& name) const {
  for (const Member& member : members_)
    if (member.name == name) return &member;
  return nullptr;
}

std::unique_ptr<Stream> ZipReader::open(const Member& member) const {
  return std::make_unique<MemberStream>(source_, member, op_, at_);
}

// The end record is followed by nothing but a comment, whose length it states.
void ZipReader::find_end() {
  uint64_t size = source_.size();
  if (size < end_size) refuse("{} bytes are too few for a zip archive", size);
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
    uint64_t end = size - tail + i;
    uint8_t locator[locator_size];
    if (end >= locator_size) source_.read(end - locator_size, locator, locator_size, at_);
    if (end >= locator_size && get32(locator) == locator_signature) {
      find_zip64_end(end - locator_size);
      return;
    }
    if (directory_ > end || directory_size_ != end - directory_) {
      refuse(
          "the directory should lie at byte {} with {} bytes, before byte {}: the file is damaged",
          directory_, directory_size_, end);
    }
    return;
  }
  refuse("there is no end of a zip archive; this is no such file, or it is cut off");
}

// The record with numbers of 64 bits, which the locator at byte `end` points at and which lies
// right between the directory and the locator.
void ZipReader::find_zip64_end(uint64_t end) {
  uint8_t locator[locator_size];
  source_.read(end, locator, locator_size, at_);
  uint64_t place = get64(locator + 8);
  if (end < end64_size || place > end - end64_size) {
    refuse("the zip64 record should lie at byte {}, where there is no room", place);
  }
  uint8_t p[end64_size];
  source_.read(place, p, end64_size, at_);
  if (get32(p) != end64_signature || get64(p + 4) != end - place - 12) {
    refuse("there is no zip64 record at byte {}; the file is damaged", place);
  }
  if (get32(p + 16) != 0 || get32(p + 20) != 0 || get64(p + 24) != get64(p + 32)) {
    refuse("the archive is one of several disks, which is not supported");
  }
  count_ = get64(p + 32);
  directory_size_ = get64(p + 40);
  directory_ = get64(p + 48);
  if (directory_ > place || directory_size_ != place - directory_) {
    refuse("the directory should lie at byte {} with {} bytes, before byte {}: the file is damaged",
           directory_, directory_size_, place);
  }
}

void ZipReader::read_members() {
  std::vector<uint8_t> bytes(directory_size_);
  source_.read(directory_, bytes.data(), bytes.size(), at_);
  size_t place = 0;
  uint64_t total = 0;
  for (uint64_t i = 0; i < count_; ++i) {
    if (bytes.size() - place < central_size || get32(&bytes[place]) != central_signature) {
      refuse("entry {} of the directory is damaged", i);
    }
    const uint8_t* p = &bytes[place];
    size_t name = get16(p + 28), extra = get16(p + 30);
    size_t length = central_size + name + extra + get16(p + 32);
    if (length > bytes.size() - place) refuse("entry {} of the directory is cut off", i);
    Member member;
    member.name.assign(reinterpret_cast<const char*>(p + central_size), name);
    read_member(p, central_size + name, extra, member);
    if (member.size > limit_ - total) {
      refuse("its members unpack to more than the limit of {} bytes ('{}' to {})", limit_,
             printable(member.name), member.size);
    }
    total += member.size;
    members_.push_back(std::move(member));
    place += length;
  }
  if (place != bytes.size()) refuse("the directory has {} bytes too many", bytes.size() - place);
}

void ZipReader::read_member(const uint8_t* p, size_t extra, size_t extra_size, Member& member) {
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
  // Numbers that say so are in the extra field 1, in this order.
  const uint8_t* field = p + extra;
  const uint8_t* end = field + extra_size;
  while (end - field >= 4 && get16(field) != 1)
    field += std::min<long>(4 + get16(field + 2), end - field);
  size_t left = end - field >= 4
                    ? std::min<size_t>(get16(field + 2), static_cast<size_t>(end - field) - 4)
                    : 0;
  field += 4;
  for (uint64_t* number : {&member.size, &member.packed, &member.header}) {
    if (*number != see_zip64) continue;
    if (left < 8) refuse("'{}' needs zip64 numbers, which its entry lacks", name);
    *number = get64(field);
    field += 8;
    left -= 8;
  }
  if (!member.deflated && member.packed != member.size) {
    refuse("'{}' is stored but has two sizes, {} and {}", name, member.packed, member.size);
  }
  if (member.deflated && member.size / best_ratio > member.packed + 1) {
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
void ZipReader::check_overlap() const {
  std::vector<const Member*> order;
  for (const Member& member : members_) order.push_back(&member);
  std::sort(order.begin(), order.end(), [](auto* a, auto* b) { return a->header < b->header; });
  for (size_t i = 1; i < order.size(); ++i) {
    if (order[i]->header < order[i - 1]->data + order[i - 1]->packed) {
      refuse("'{}' and '{}' overlap", printable(order[i - 1]->name), printable(order[i]->name));
    }
  }
}

// Name, sizes and checksum as both headers have them, from "flags" on. Deflated members are written
// in one pass, so their local header leaves sizes and checksum to a descriptor behind the data.
std::string ZipWriter::common_fields(const Written& member, bool sizes_follow, size_t extra) {
  std::string text;
  put16(text, member.deflated ? 8 : 0);  // flags: a descriptor follows the data
  put16(text, member.deflated ? 8 : 0);  // method
  put16(text, 0);                        // time
  put16(text, 0x21);                     // 1 January 1980
  put32(text, sizes_follow ? 0 : member.crc);
  put32(text, sizes_follow ? 0 : member.packed);
  put32(text, sizes_follow ? 0 : member.size);
  put16(text, member.name.size());
  put16(text, extra);
  return text;
}

void ZipWriter::add(const std::string& name, const std::vector<std::string_view>& pieces,
                    bool deflate, size_t align) {
  Written member{name, 0, 0, 0, file_.written(), deflate};
  uint32_t crc = 0;
  for (std::string_view piece : pieces) {
    crc = checksum(crc, piece.data(), piece.size());
    member.size += piece.size();
  }
  member.crc = crc;
  if (!deflate) member.packed = member.size;
  if (name.size() > 0xffff || member.size >= see_zip64 || member.header >= see_zip64 ||
      members_.size() >= 0xfffe) {
    fail(op_, at_,
         "'{}' needs zip64 (over 4 GiB or 65534 members), which is not written; use safetensors",
         printable(name));
  }
  // Zeros to align by are an extra field of the id PyTorch uses, "FB": 4 bytes and its contents.
  size_t begin = member.header + local_size + name.size();
  size_t extra = (begin % align == 0) ? 0 : 4 + (align - (begin + 4) % align) % align;
  std::string local;
  put32(local, local_signature);
  put16(local, 20);  // version needed
  local += common_fields(member, deflate, extra) + name;
  if (extra > 0) {
    put16(local, 0x4246);
    put16(local, extra - 4);
    local.append(extra - 4, '\0');
  }
  file_.write(local);
  if (deflate) {
    write_deflated(pieces, member);
  } else {
    for (std::string_view piece : pieces) file_.write(piece);
  }
  members_.push_back(std::move(member));
}

void ZipWriter::write_deflated(const std::vector<std::string_view>& pieces, Written& member) {
  z_stream zip = {};
  if (deflateInit2(&zip, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) !=
      Z_OK) {
    fail(op_, at_, "zlib could not start");
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
      file_.write(packed.data(), packed.size() - zip.avail_out);
      member.packed += packed.size() - zip.avail_out;
    } while (zip.avail_out == 0);
  };
  for (std::string_view piece : pieces) {
    for (size_t i = 0; i < piece.size(); i += largest_piece) {
      std::string_view part = piece.substr(i, largest_piece);
      zip.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(part.data()));
      zip.avail_in = static_cast<uInt>(part.size());
      run(Z_NO_FLUSH);
    }
  }
  run(Z_FINISH);
  std::string descriptor;
  put32(descriptor, descriptor_signature);
  put32(descriptor, member.crc);
  put32(descriptor, member.packed);
  put32(descriptor, member.size);
  file_.write(descriptor);
}

void ZipWriter::finish() {
  uint64_t start = file_.written();
  std::string directory;
  for (const Written& member : members_) {
    put32(directory, central_signature);
    put16(directory, 20);  // made by
    put16(directory, 20);  // version needed
    directory += common_fields(member, false, 0);
    put16(directory, 0);  // comment
    put16(directory, 0);  // disk
    put16(directory, 0);  // attributes
    put32(directory, 0);
    put32(directory, member.header);
    directory += member.name;
  }
  if (start + directory.size() >= see_zip64) {
    fail(op_, at_, "the archive needs zip64 (over 4 GiB), which is not written; use safetensors");
  }
  file_.write(directory);
  std::string end;
  put32(end, end_signature);
  put32(end, 0);  // disks
  put16(end, members_.size());
  put16(end, members_.size());
  put32(end, directory.size());
  put32(end, start);
  put16(end, 0);  // comment
  file_.write(end);
}

}  // namespace strata::io
