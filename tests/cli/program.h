#pragma once

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/folder.h"

namespace tutti {

inline const std::string kAudio = TUTTI_SOURCE_DIR "/tests/data/fixtures/audio";
inline const std::string kClipA = kAudio + "/clip_a.wav", kClipB = kAudio + "/clip_b.wav", kLong = kAudio + "/long.wav";

struct Ended {
  int exit_code = -1;  // negative: killed by this signal
  std::string out, err;
};

// The built program as a child process; its output goes to files, so that it never waits for a reader.
class Program {
 public:
  // `input` is what its standard input holds.
  explicit Program(std::vector<std::string> arguments, const std::string& input = "") {
    const std::string in = folder_.Write("in", input);
    arguments.insert(arguments.begin(), TUTTI_PROGRAM);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    const std::string out = folder_ / "out", err = folder_ / "err";
    pid_ = fork();
    if (pid_ != 0) return;
    dup2(open(in.c_str(), O_RDONLY), STDIN_FILENO);
    dup2(open(out.c_str(), O_WRONLY | O_CREAT, 0600), STDOUT_FILENO);
    dup2(open(err.c_str(), O_WRONLY | O_CREAT, 0600), STDERR_FILENO);
    execv(TUTTI_PROGRAM, argv.data());
    _exit(127);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program() {
    if (pid_ > 0) Kill();
  }

  void Signal(int signal) const { kill(pid_, signal); }
  pid_t pid() const { return pid_; }  // until Wait

  Ended Wait() {
    int status = 0;
    waitpid(std::exchange(pid_, -1), &status, 0);
    return {.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status),
            .out = testing::BytesOf(folder_ / "out"),
            .err = testing::BytesOf(folder_ / "err")};
  }

 private:
  void Kill() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }

  const testing::Folder folder_;
  pid_t pid_ = -1;
};

inline Ended RunProgram(std::vector<std::string> arguments, const std::string& input = "") {
  return Program(std::move(arguments), input).Wait();
}

}  // namespace tutti
