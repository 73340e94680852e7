#include <malloc.h>

#include "cli/command_line.h"

int main(int argc, char** argv) {
  // The features of a segment are taken by one thread and given back by another; malloc would keep them in the arena of
  // the first for good. Pages of their own go back to the system.
  mallopt(M_MMAP_THRESHOLD, 256 << 10);
  return tutti::RunCommandLine(argc, argv);
}
