// What hubs and package indexes answer: any text gives files or an error, and no file's name leaves its directory.
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "hub/listing.h"

namespace {

void Check(const absl::StatusOr<std::vector<tutti::ModelFile>>& files) {
  if (!files.ok()) return;
  for (const tutti::ModelFile& file : *files) {
    const std::filesystem::path path = (std::filesystem::path("/a/b") / file.name).lexically_normal();
    if (!path.string().starts_with("/a/b/") || file.size < 0) std::abort();
  }
  tutti::ChooseFiles(*files, {}).IgnoreError();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Check(tutti::ParseHuggingFaceTree(text));
  Check(tutti::ParseModelScopeFiles(text));
  for (const char* type : {"text/html", "application/vnd.pypi.simple.v1+json"}) {
    const auto files = tutti::ParseIndexPage(text, type);
    if (files.ok()) {
      tutti::FindWheel(*files, {.package = "a", .version = "1", .sha256 = "0", .path = {}}).status().IgnoreError();
    }
  }
  tutti::NextLink(text);
  return 0;
}
