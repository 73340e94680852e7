#include "hub/endpoints.h"

#include <cctype>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string_view>
#include <vector>

namespace tutti {
namespace {

std::string Trimmed(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) text.remove_suffix(1);
  return std::string(text);
}

std::string WithoutSlash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

// Of a host or a URL.
std::string Endpoint(const std::string& stated) {
  return WithoutSlash(stated.find("://") == std::string::npos ? "https://" + stated : stated);
}

// From the first of the files that counts for pip to the last.
std::vector<std::string> PipFiles(const EnvironmentLookup& environment) {
  std::vector<std::string> files;
  if (const std::string stated = environment("PIP_CONFIG_FILE"); !stated.empty()) files.push_back(stated);
  const std::string home = environment("HOME"), config = environment("XDG_CONFIG_HOME");
  if (!config.empty()) {
    files.push_back(config + "/pip/pip.conf");
  } else if (!home.empty()) {
    files.push_back(home + "/.config/pip/pip.conf");
  }
  if (!home.empty()) files.push_back(home + "/.pip/pip.conf");
  files.emplace_back("/etc/pip.conf");
  return files;
}

std::string IndexIn(const std::string& file) {
  std::ifstream in(file);
  std::map<std::string, std::string> index_of;  // section
  std::string section;
  for (std::string line; std::getline(in, line);) {
    const std::string text = Trimmed(line);
    if (text.starts_with('[') && text.ends_with(']')) section = text.substr(1, text.size() - 2);
    const size_t mark = text.find_first_of("=:");
    if (mark == std::string::npos || text.starts_with('#') || text.starts_with(';')) continue;
    const std::string key = Trimmed(text.substr(0, mark));
    if (key == "index-url" || key == "index_url") index_of[section] = Trimmed(text.substr(mark + 1));
  }
  for (const char* each : {"download", "install", "global"}) {
    if (const std::string& url = index_of[each]; !url.empty()) return url;
  }
  return "";
}

}  // namespace

std::string EnvironmentVariable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string HuggingFaceEndpoint(const EnvironmentLookup& environment) {
  const std::string stated = environment("HF_ENDPOINT");
  return stated.empty() ? "https://huggingface.co" : Endpoint(stated);
}

std::string ModelScopeEndpoint(const EnvironmentLookup& environment) {
  const std::string stated = environment("MODELSCOPE_DOMAIN");
  return stated.empty() ? "https://www.modelscope.cn" : Endpoint(stated);
}

std::vector<std::string> WheelFolders(const EnvironmentLookup& environment) {
  constexpr std::string_view kFile = "file://";
  std::istringstream places(environment("PIP_FIND_LINKS"));
  std::vector<std::string> folders;
  for (std::string place; places >> place;) {
    if (place.starts_with(kFile)) place.erase(0, kFile.size());
    if (place.find("://") == std::string::npos) folders.push_back(place);
  }
  return folders;
}

std::string PackageIndex(const EnvironmentLookup& environment) {
  std::string url = environment("PIP_INDEX_URL");
  for (const std::string& file : PipFiles(environment)) {
    if (url.empty()) url = IndexIn(file);
  }
  return WithoutSlash(url.empty() ? "https://pypi.org/simple" : url);
}

}  // namespace tutti
