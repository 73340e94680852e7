#pragma once

namespace tutti {

// The whole program: parses the command line, runs the command, gives the exit code (cli/exit_codes.h).
int RunCommandLine(int argc, char** argv);

}  // namespace tutti
