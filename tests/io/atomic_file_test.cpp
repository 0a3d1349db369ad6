// AtomicFile: the old file or the new one, never a part; whatever kills the writer.
#include "engine/io/atomic_file.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/io/io_support.h"

namespace strata::test {
namespace {

// Runs `work` in a child process; its exit status, or minus the signal that killed it.
template <class F>
int in_child(F&& work) {
  pid_t child = fork();
  if (child == 0) {
    work();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

TEST(AtomicFile, AppearsOnCommitOnly) {
  Folder folder;
  write_text(folder / "x", "old");
  {
    io::AtomicFile file(folder / "x");
    file.write("new");
    EXPECT_EQ(file.written(), 3u);
    EXPECT_EQ(read_text(folder / "x"), "old");
  }
  EXPECT_EQ(read_text(folder / "x"), "old") << "not committed";
  EXPECT_FALSE(std::filesystem::exists(folder / "x.partial"));
  {
    io::AtomicFile file(folder / "x");
    file.write("new");
    file.commit();
  }
  EXPECT_EQ(read_text(folder / "x"), "new");
  EXPECT_FALSE(std::filesystem::exists(folder / "x.partial"));
}

TEST(AtomicFile, AKilledWriterLeavesTheOldFile) {
  Folder folder;
  write_text(folder / "x", "old");
  EXPECT_EQ(in_child([&] {
              io::AtomicFile file(folder / "x");
              file.write(std::string(100'000, 'n'));
              raise(SIGKILL);
            }),
            -SIGKILL);
  EXPECT_EQ(read_text(folder / "x"), "old");
  // What it left is no obstacle, and nothing of it gets into the next file.
  EXPECT_TRUE(std::filesystem::exists(folder / "x.partial"));
  io::write_file(folder / "x", "next");
  EXPECT_EQ(read_text(folder / "x"), "next");
  EXPECT_FALSE(std::filesystem::exists(folder / "x.partial"));
}

TEST(AtomicFile, AFullDiskIsOneLineAndTheOldFileStays) {
  Folder folder;
  write_text(folder / "x", "old");
  int status = in_child([&] {
    signal(SIGXFSZ, SIG_IGN);
    rlimit limit{1000, 1000};
    setrlimit(RLIMIT_FSIZE, &limit);
    std::string message = error_of([&] { io::write_file(folder / "x", std::string(5000, 'n')); });
    _exit(message.find("the disk is full or a size limit is reached after 1000 bytes") !=
                  message.npos
              ? 7
              : 1);
  });
  EXPECT_EQ(status, 7);
  EXPECT_EQ(read_text(folder / "x"), "old");
  EXPECT_FALSE(std::filesystem::exists(folder / "x.partial"));
}

TEST(AtomicFile, SaysWhatIsWrongWithThePlace) {
  Folder folder;
  EXPECT_FAILS(io::AtomicFile(folder / "no/such/x"), "the folder '.*/no/such' does not exist");
  if (geteuid() != 0) {  // root may write anywhere
    std::filesystem::permissions(
        folder.path(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
    EXPECT_FAILS(io::AtomicFile(folder / "x"), "no permission to write in the folder");
    std::filesystem::permissions(folder.path(), std::filesystem::perms::owner_all);
  }
}

TEST(AtomicFile, TwoWritersOfOneFileAreAnError) {
  Folder folder;
  io::AtomicFile first(folder / "x");
  first.write("first");
  EXPECT_FAILS(io::AtomicFile(folder / "x"), "another process is writing it");
  first.commit();
  EXPECT_EQ(read_text(folder / "x"), "first");
}

}  // namespace
}  // namespace strata::test
