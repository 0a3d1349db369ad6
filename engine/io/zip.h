// Zip archives (PKWARE's APPNOTE.TXT), as much of the format as .npz and PyTorch's files use:
// stored and deflated members, zip64 when reading. Encrypted and split archives are refused.
//
// Archives are not trusted. Every number of the directory is checked before anything is allocated;
// members may not overlap, may not claim to unpack to more than deflate can do or than a limit, and
// must unpack to exactly what they declare, with the right checksum.
#pragma once

#include <string>
#include <vector>

#include "engine/io/atomic_file.h"
#include "engine/io/source.h"

namespace strata::io {

class ZipReader {
 public:
  struct Member {
    std::string name;
    bool deflated = false;
    uint32_t crc = 0;
    uint64_t packed = 0, size = 0;  // bytes in the archive, bytes unpacked
    uint64_t header = 0, data = 0;  // places in the archive
  };

  // Reads the directory. `op` is the format's name in messages; `limit` is of all members together,
  // unpacked. The source must outlive the reader.
  ZipReader(const Source& source, const char* op, uint64_t limit, Caller at = Caller::here());

  // In the order of the directory.
  const std::vector<Member>& members() const { return members_; }
  // The first member of that name, or null.
  const Member* find(const std::string& name) const;

  // The bytes of a member, unpacked as they are read; after the last, its end and checksum are
  // checked.
  std::unique_ptr<Stream> open(const Member& member) const;

 private:
  template <class... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    fail(op_, at_, "{}: {}", source_.name(), fmt::format(format, std::forward<Args>(args)...));
  }
  void find_end();
  void find_zip64_end(uint64_t end);
  void read_members();
  void read_member(const uint8_t* entry, size_t extra, size_t extra_size, Member& member);
  void check_overlap() const;

  const Source& source_;
  const char* op_;
  uint64_t limit_;
  Caller at_;
  uint64_t directory_ = 0, directory_size_ = 0, count_ = 0;
  std::vector<Member> members_;
};

// Writes an archive into a file, which the caller commits. Times are 1 January 1980: the same
// members give the same bytes. Archives over 4 GiB or 65534 members would need zip64, which is not
// written: an error.
class ZipWriter {
 public:
  ZipWriter(AtomicFile& file, const char* op, Caller at = Caller::here())
      : file_(file), op_(op), at_(at) {}
  // Adds a member that consists of these pieces, one after the other. `align`, if not 1, makes a
  // stored member's bytes begin at a multiple of it.
  void add(const std::string& name, const std::vector<std::string_view>& pieces, bool deflate,
           size_t align = 1);
  // Writes the directory.
  void finish();

 private:
  struct Written {
    std::string name;
    uint64_t crc, packed, size, header;
    bool deflated;
  };
  static std::string common_fields(const Written& member, bool sizes_follow, size_t extra);
  void write_deflated(const std::vector<std::string_view>& pieces, Written& member);

  AtomicFile& file_;
  const char* op_;
  Caller at_;
  std::vector<Written> members_;
};

}  // namespace strata::io
