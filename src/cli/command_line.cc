#include "cli/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "audio/decoder.h"
#include "base/print.h"
#include "cli/bench_command.h"
#include "cli/completion.h"
#include "cli/exit_codes.h"
#include "cli/job_command.h"
#include "cli/keys_command.h"
#include "cli/man_page.h"
#include "cli/models_command.h"
#include "cli/option_text.h"
#include "cli/serve_command.h"
#include "cli/transcribe_command.h"
#include "cli/usage_error.h"
#include "cli/vad_command.h"
#include "nn/matrix_product.h"
#include "nn/ops.h"

namespace tutti {
namespace {

std::string VersionText() {
  return fmt::format("tutti {}\noneDNN {}, vector code {}, {}", TUTTI_VERSION, DetectProductIsa().name, VectorIsa(),
                     AudioLibraryVersion());
}

struct Commands {
  TranscribeCommand transcribe;
  VadCommand vad;
  ModelsCommand models;
  ServeCommand serve;
  KeysCommand keys;
  JobCommand job;
  BenchCommand bench;
};

int Dispatch(int argc, char** argv) {
  CLI::App app("speech recognition for many recordings at once, with models of the FunASR family", "tutti");
  app.formatter(std::make_shared<HelpFormatter>());
  app.set_help_flag("-h,--help", "print help");
  app.set_version_flag("--version", VersionText, "print the version, and the instruction sets and libraries in use");
  app.require_subcommand(1);
  app.footer(
      "Examples:\n"
      "  tutti transcribe meeting.m4a\n"
      "  tutti transcribe --output texts --format txt,srt recordings/\n"
      "  tutti vad --max-end-silence-time 500 call.wav\n"
      "  tutti models list\n"
      "  tutti serve\n"
      "\n"
      "`tutti COMMAND --help` explains a command.");
  Commands commands;
  const CLI::App* transcribe = commands.transcribe.Define(app);
  const CLI::App* job = commands.job.Define(app);
  const CLI::App* vad = commands.vad.Define(app);
  const CLI::App* models = commands.models.Define(app);
  const CLI::App* serve = commands.serve.Define(app);
  const CLI::App* keys = commands.keys.Define(app);
  commands.bench.Define(app);

  // For the build (src/CMakeLists.txt), not for users: neither is in the help.
  if (argc == 2 && std::string(argv[1]) == "--generate-man") {
    PrintText(stdout, "{}", ManPage(app));
    return kExitOk;
  }
  if (argc == 3 && std::string(argv[1]) == "--generate-completion" && std::string(argv[2]) == "bash") {
    PrintText(stdout, "{}", BashCompletion(app));
    return kExitOk;
  }

  const bool names_command = argc >= 2 && std::ranges::any_of(Subcommands(app), [&](const CLI::App* command) {
                               return command->get_name() == argv[1];
                             });
  if (argc < 2 || (argv[1][0] != '-' && !names_command)) {
    return UsageError(
        InvalidArgument("{}; there are transcribe, job, vad, models, serve, keys, bench (see tutti --help)",
                        argc < 2 ? "a command is needed" : fmt::format("no command '{}'", argv[1])));
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help, --version
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    PrintText(stderr, "tutti: {}\nTry `tutti --help` or `tutti COMMAND --help`.\n", error.what());
    return kExitUsage;
  }
  if (transcribe->parsed()) return commands.transcribe.Run();
  if (vad->parsed()) return commands.vad.Run();
  if (models->parsed()) return commands.models.Run();
  if (serve->parsed()) return commands.serve.Run();
  if (keys->parsed()) return commands.keys.Run();
  if (job->parsed()) return commands.job.Run();
  return commands.bench.Run();
}

}  // namespace

int RunCommandLine(int argc, char** argv) {
  const int code = Dispatch(argc, argv);
  const bool flushed = std::fflush(stdout) == 0;
  if (code != kExitOk || (flushed && std::ferror(stdout) == 0)) return code;
  return CannotStart(Unavailable("standard output: {}", flushed ? "an earlier write failed" : std::strerror(errno)));
}

}  // namespace tutti
