#include <string>

#include "checkpoint/printable.h"
#include "checkpoint/tensor_table.h"
#include "checkpoint/torch_state_dict.h"
#include "checkpoint/zip.h"

namespace tutti {
namespace {

std::string_view Text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// "archive/" when the state dict is archive/data.pkl.
absl::StatusOr<std::string> FindFolder(const ZipDirectory& zip) {
  constexpr std::string_view kPickle = "/data.pkl";
  for (const auto& [name, entry] : zip.entries()) {
    const size_t folder = name.find('/');
    if (folder != std::string_view::npos && name.substr(folder) == kPickle)
      return std::string(name.substr(0, folder + 1));
  }
  return InvalidArgument("a zip of {} entries without <name>/data.pkl; expected a file written by torch.save",
                         zip.entries().size());
}

absl::Status CheckByteOrder(const ZipDirectory& zip, const std::string& folder) {
  const std::string name = folder + "byteorder";
  if (!zip.entries().contains(name)) return absl::OkStatus();  // before torch 2.1, always little
  TUTTI_ASSIGN_OR_RETURN(const auto bytes, zip.Find(name));
  if (Text(bytes) == "little") return absl::OkStatus();
  return InvalidArgument("byteorder: found {}, expected little", Printable(Text(bytes)));
}

}  // namespace

absl::StatusOr<TensorTable> ReadTorchZip(std::span<const std::byte> bytes) {
  TUTTI_ASSIGN_OR_RETURN(const ZipDirectory zip, ZipDirectory::Open(bytes));
  TUTTI_ASSIGN_OR_RETURN(const std::string folder, FindFolder(zip));
  TUTTI_RETURN_IF_ERROR(CheckByteOrder(zip, folder));
  TUTTI_ASSIGN_OR_RETURN(const auto data, zip.Find(folder + "data.pkl"));
  const auto pickle = ParsePickle(data, TorchGlobals());
  if (!pickle.ok()) return WithContext(pickle.status(), "data.pkl");
  const TorchStorageBytes storage_bytes =
      [&zip, &folder](const TorchStorage& storage) -> absl::StatusOr<std::span<const std::byte>> {
    TUTTI_ASSIGN_OR_RETURN(const auto found, zip.Find(fmt::format("{}data/{}", folder, storage.key)));
    const auto held = static_cast<int64_t>(found.size()) / ByteSize(storage.dtype);
    if (held >= storage.numel) return found;
    return InvalidArgument("storage {} holds {} elements of {}, expected {}", Printable(storage.key), held,
                           Name(storage.dtype), storage.numel);
  };
  return ReadTorchStateDict(*pickle->root, storage_bytes, static_cast<int64_t>(bytes.size()));
}

}  // namespace tutti
