#pragma once

#include <functional>
#include <string>
#include <vector>

namespace tutti {

// The value of an environment variable; empty: not set.
using EnvironmentLookup = std::function<std::string(const char* name)>;
std::string EnvironmentVariable(const char* name);

// Base URLs without a slash at the end. HF_ENDPOINT, with or without "https://", else https://huggingface.co.
std::string HuggingFaceEndpoint(const EnvironmentLookup& environment);
// MODELSCOPE_DOMAIN, with or without "https://", else https://www.modelscope.cn.
std::string ModelScopeEndpoint(const EnvironmentLookup& environment);
// As pip finds its index: PIP_INDEX_URL, else `index-url` of [download], [install] or [global] in the files of
// PIP_CONFIG_FILE, the user and the machine, else https://pypi.org/simple. May hold a user and a password.
std::string PackageIndex(const EnvironmentLookup& environment);
// The folders of PIP_FIND_LINKS, where pip looks for wheels, too; pages in the network are left out.
std::vector<std::string> WheelFolders(const EnvironmentLookup& environment);

}  // namespace tutti
