#include "server/upload.h"

#include <utility>

#include "absl/strings/match.h"
#include "server/fetch.h"
#include "service/api_error.h"
#include "service/multipart.h"

namespace tutti {
namespace {

constexpr int64_t kMaxNameBytes = 255;
constexpr int64_t kMaxFieldBytes = 64 << 10;
constexpr int64_t kMaxJsonBytes = 256 << 10;

bool HasType(std::string_view content_type, std::string_view type) {
  return absl::StartsWithIgnoreCase({content_type.data(), content_type.size()}, {type.data(), type.size()});
}

// Sorts the parts of a form: the file into the spool, everything else into fields.
class FormSink final : public MultipartReader::Sink {
 public:
  FormSink(Spool& spool, Upload& upload) : spool_(spool), upload_(upload) {}

  absl::Status BeginPart(const MultipartReader::Part& part) override {
    part_ = part;
    value_.clear();
    is_audio_ = part.is_file || part.name == "file" || part.name == "audio";
    if (!is_audio_) return absl::OkStatus();
    if (part.name != "file" && part.name != "audio")
      return FieldError(part.name, "is a file; audio belongs into 'file'");
    if (upload_.file != nullptr) return FieldError(part.name, "there is more than one file");
    TUTTI_ASSIGN_OR_RETURN(upload_.file, spool_.NewFile());
    upload_.name = part.file_name;
    return absl::OkStatus();
  }

  absl::Status Data(std::string_view piece) override {
    if (is_audio_) return upload_.file->Append(piece);
    value_ += piece;
    if (std::ssize(value_) > kMaxFieldBytes) {
      return FieldError(part_.name, fmt::format("has more than {} bytes", kMaxFieldBytes));
    }
    return absl::OkStatus();
  }

  absl::Status EndPart() override {
    if (!is_audio_) return upload_.fields.Add(part_.name, std::move(value_));
    upload_.file->Close();
    return absl::OkStatus();
  }

 private:
  Spool& spool_;
  Upload& upload_;
  MultipartReader::Part part_;
  bool is_audio_ = false;
  std::string value_;
};

Awaitable<absl::Status> ReceiveForm(HttpExchange& exchange, Spool& spool, Upload& upload) {
  FormSink sink(spool, upload);
  auto reader = MultipartReader::Create(exchange.header("Content-Type"), sink);
  if (!reader.ok()) co_return reader.status();
  while (true) {
    const auto piece = co_await exchange.NextBody();
    if (!piece.ok()) co_return piece.status();
    if (piece->empty()) co_return reader->Finish();
    if (const absl::Status fed = reader->Feed(*piece); !fed.ok()) co_return fed;
  }
}

Awaitable<absl::Status> ReceiveAudio(HttpExchange& exchange, Spool& spool, Upload& upload) {
  while (true) {
    const auto piece = co_await exchange.NextBody();
    if (!piece.ok()) co_return piece.status();
    if (piece->empty()) break;
    if (upload.file == nullptr) {
      auto file = spool.NewFile();
      if (!file.ok()) co_return file.status();
      upload.file = *std::move(file);
    }
    if (const absl::Status stored = upload.file->Append(*piece); !stored.ok()) co_return stored;
  }
  if (upload.file != nullptr) upload.file->Close();
  upload.name = upload.fields.Text("name");
  co_return absl::OkStatus();
}

// Counts an upload while it lives.
class UploadSlot {
 public:
  explicit UploadSlot(Service& service) : service_(service) { ++service_.uploads; }
  ~UploadSlot() { --service_.uploads; }
  UploadSlot(const UploadSlot&) = delete;
  UploadSlot& operator=(const UploadSlot&) = delete;

 private:
  Service& service_;
};

}  // namespace

Awaitable<absl::StatusOr<Upload>> ReceiveUpload(Service& service, HttpExchange& exchange) {
  if (exchange.content_length().value_or(0) > service.http.max_body_bytes) {
    co_return absl::OutOfRangeError(fmt::format("the request's body has {} bytes, {} are allowed",
                                                *exchange.content_length(), service.http.max_body_bytes));
  }
  if (service.uploads >= service.options.limits.max_uploads) {
    co_return ResourceExhausted("{} uploads are being received, no more are taken; try again later", service.uploads);
  }
  const UploadSlot slot(service);
  Upload upload;
  absl::Status status = upload.fields.AddQuery(exchange.query());
  if (!status.ok()) co_return status;
  const std::string_view type = exchange.header("Content-Type");
  if (HasType(type, "multipart/")) {
    status = co_await ReceiveForm(exchange, *service.spool, upload);
  } else if (HasType(type, "application/json")) {
    const auto body = co_await exchange.ReadBody(kMaxJsonBytes);
    status = body.ok() ? upload.fields.AddJson(*body) : body.status();
  } else if (HasType(type, "application/x-www-form-urlencoded")) {
    const auto body = co_await exchange.ReadBody(kMaxJsonBytes);
    status = body.ok() ? upload.fields.AddQuery(*body) : body.status();
  } else {
    status = co_await ReceiveAudio(exchange, *service.spool, upload);
  }
  if (!status.ok()) co_return status;
  if (upload.file == nullptr && upload.fields.Has("url")) {
    status = co_await FetchUrl(service, upload.fields.Text("url"), upload);
    if (!status.ok()) co_return status;
  }
  if (std::ssize(upload.fields.Text("name")) > kMaxNameBytes) {
    co_return FieldError("name", fmt::format("has more than {} bytes", kMaxNameBytes));
  }
  if (upload.name.empty()) upload.name = "audio";
  co_return upload;
}

}  // namespace tutti
