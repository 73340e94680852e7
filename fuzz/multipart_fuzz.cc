// multipart/form-data: any bytes give parts or an error, and how they are cut into pieces changes nothing. The first
// byte is the size of the pieces, the first line the Content-Type.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "service/multipart.h"

namespace {

// What was read, as text that tells any two readings apart.
class Recorder final : public tutti::MultipartReader::Sink {
 public:
  absl::Status BeginPart(const tutti::MultipartReader::Part& part) override {
    if (open_) std::abort();
    open_ = true;
    for (const std::string* text : {&part.name, &part.file_name, &part.content_type}) {
      read += std::to_string(text->size()) + ":" + *text;
    }
    read += part.is_file ? "F" : "f";
    return absl::OkStatus();
  }
  absl::Status Data(std::string_view piece) override {
    if (!open_ || piece.empty()) std::abort();
    read += piece;
    return absl::OkStatus();
  }
  absl::Status EndPart() override {
    if (!open_) std::abort();
    open_ = false;
    read += "|end|";
    return absl::OkStatus();
  }

  std::string read;

 private:
  bool open_ = false;
};

bool Read(std::string_view type, std::string_view body, size_t size, std::string& read) {
  Recorder recorder;
  auto reader = tutti::MultipartReader::Create(type, recorder);
  absl::Status status = reader.status();
  for (size_t at = 0; status.ok() && at < body.size(); at += size) status = reader->Feed(body.substr(at, size));
  if (status.ok()) status = reader->Finish();
  read = recorder.read;
  return status.ok();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t line = std::min(text.find('\n'), text.size());
  const std::string_view type = text.substr(0, line), body = text.substr(std::min(line + 1, text.size()));
  std::string whole, pieces;
  const bool whole_ok = Read(type, body, body.size() + 1, whole);
  const bool pieces_ok = Read(type, body, data[0] + size_t{1}, pieces);
  if (whole_ok != pieces_ok) std::abort();
  if (whole_ok && whole != pieces) std::abort();
  tutti::HeaderParameter(type, "boundary");
  return 0;
}
