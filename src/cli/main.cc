#include "cli/command_line.h"

int main(int argc, char** argv) { return tutti::RunCommandLine(argc, argv); }
