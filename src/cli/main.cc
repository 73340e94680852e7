#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include "cli/command_line.h"

namespace {

// A descriptor that the caller has closed would become that of some file we open, and reports would go into that file.
void TakeStandardDescriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    // The wrong way round, so that using it is an error; it gets `fd`, the lowest one free.
    if (fcntl(fd, F_GETFD) < 0) open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

}  // namespace

int main(int argc, char** argv) {
  TakeStandardDescriptors();
  // The features of a segment are taken by one thread and given back by another; malloc would keep them in the arena of
  // the first for good. Pages of their own go back to the system.
  mallopt(M_MMAP_THRESHOLD, 256 << 10);
  return tutti::RunCommandLine(argc, argv);
}
