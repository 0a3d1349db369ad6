#include "engine/io/atomic_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace strata::io {
namespace {

std::string folder_of(const std::string& path) {
  size_t slash = path.rfind('/');
  if (slash == path.npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Whether `path` still names the file that is open: between open() and flock() its writer may have
// renamed it, and writing on would change the finished file.
bool same_file(int descriptor, const char* path) {
  struct stat here, there;
  return fstat(descriptor, &here) == 0 && stat(path, &there) == 0 && here.st_ino == there.st_ino &&
         here.st_dev == there.st_dev;
}

}  // namespace

AtomicFile::AtomicFile(std::string path, Caller at)
    : path_(std::move(path)), partial_(path_ + ".partial"), at_(at) {
  while (true) {
    descriptor_ = open(partial_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor_ < 0) refuse("cannot be written", errno);
    if (flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      int error = errno;
      close(std::exchange(descriptor_, -1));
      if (error == EWOULDBLOCK) {
        fail("write", at_, "{}: another process is writing it", path_);
      }
      refuse("cannot be locked", error);
    }
    if (same_file(descriptor_, partial_.c_str())) break;
    close(descriptor_);
  }
  if (ftruncate(descriptor_, 0) != 0) refuse("cannot be written", errno);
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  unlink(partial_.c_str());
  close(descriptor_);
}

void AtomicFile::refuse(const char* what, int error) const {
  std::string folder = folder_of(path_), reason = std::strerror(error);
  if (error == ENOENT || error == ENOTDIR) {
    reason = fmt::format("the folder '{}' does not exist; make it first", folder);
  } else if (error == EACCES || error == EPERM || error == EROFS) {
    reason = fmt::format("no permission to write in the folder '{}'", folder);
  } else if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
    reason = fmt::format(
        "the disk is full or a size limit is reached after {} bytes ({}); an older file of this "
        "name is as it was",
        written_, std::strerror(error));
  }
  fail("write", at_, "{} {}: {}", path_, what, reason);
}

void AtomicFile::write(const void* data, size_t count) {
  const char* from = static_cast<const char*>(data);
  while (count > 0) {
    ssize_t put = ::write(descriptor_, from, count);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) refuse("cannot be written", errno);
    from += put;
    count -= static_cast<size_t>(put);
    written_ += static_cast<uint64_t>(put);
  }
}

void AtomicFile::commit() {
  if (fsync(descriptor_) != 0) refuse("cannot be flushed to the disk", errno);
  if (rename(partial_.c_str(), path_.c_str()) != 0) refuse("cannot be put in place", errno);
  close(std::exchange(descriptor_, -1));
  // The rename itself is on the disk once the folder is. Some file systems cannot flush a folder;
  // the file is whole either way.
  int folder = open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    fsync(folder);
    close(folder);
  }
}

void write_file(const std::string& path, std::string_view text, Caller at) {
  AtomicFile file(path, at);
  file.write(text);
  file.commit();
}

}  // namespace strata::io
