#pragma once

#include <sys/types.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <vector>

namespace tutti::testing {

inline std::vector<pid_t> ChildrenOf(pid_t pid) {
  std::vector<pid_t> found;
  std::error_code error;
  const std::filesystem::directory_iterator tasks("/proc/" + std::to_string(pid) + "/task", error);
  for (auto it = begin(tasks); !error && it != end(tasks); it.increment(error)) {
    std::ifstream children(it->path() / "children");
    for (pid_t child = 0; children >> child;) found.push_back(child);
  }
  return found;
}

inline std::vector<pid_t> GrandchildrenOf(pid_t pid) {
  std::vector<pid_t> found;
  for (const pid_t child : ChildrenOf(pid)) {
    for (const pid_t grandchild : ChildrenOf(child)) found.push_back(grandchild);
  }
  return found;
}

// A process that has ended and that nobody has asked about is not alive.
inline bool IsAlive(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(file, line);
  const size_t name_end = line.rfind(')');
  return name_end != std::string::npos && line.substr(name_end + 2, 1) != "Z";
}

}  // namespace tutti::testing
