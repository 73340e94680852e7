#include "service/multipart.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"

namespace tutti {
namespace {

constexpr size_t kMaxBoundary = 70;  // RFC 2046, 5.1.1
constexpr size_t kMaxHeader = 8 << 10;
constexpr int kMaxParts = 256;

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool SameWord(std::string_view a, std::string_view b) {
  return absl::EqualsIgnoreCase({a.data(), a.size()}, {b.data(), b.size()});
}

// The value at the front of `text`, a token or a quoted string; takes it off.
std::string TakeValue(std::string_view& text) {
  std::string value;
  if (text.empty() || text.front() != '"') {
    const size_t end = std::min(text.find(';'), text.size());
    value = Trim(text.substr(0, end));
    text.remove_prefix(end);
    return value;
  }
  size_t i = 1;
  for (; i < text.size() && text[i] != '"'; ++i) {
    // Of the escapes only those that curl writes: Internet Explorer's paths had bare backslashes.
    if (text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == '"' || text[i + 1] == '\\')) ++i;
    value += text[i];
  }
  text.remove_prefix(std::min(i + 1, text.size()));
  return value;
}

std::string WithoutFolders(const std::string& name) {
  const size_t slash = name.find_last_of("/\\");
  return slash == std::string::npos ? name : name.substr(slash + 1);
}

}  // namespace

std::string HeaderParameter(std::string_view value, std::string_view name) {
  size_t semicolon = value.find(';');
  while (semicolon != std::string_view::npos) {
    value.remove_prefix(semicolon + 1);
    const size_t equals = value.find('=');
    if (equals == std::string_view::npos) return "";
    const std::string_view key = Trim(value.substr(0, equals));
    value.remove_prefix(equals + 1);
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    std::string found = TakeValue(value);
    if (SameWord(key, name)) return found;
    semicolon = value.find(';');
  }
  return "";
}

absl::StatusOr<MultipartReader> MultipartReader::Create(std::string_view content_type, Sink& sink) {
  const std::string_view type = Trim(content_type.substr(0, content_type.find(';')));
  if (!SameWord(type, "multipart/form-data")) {
    return InvalidArgument("Content-Type: '{}', expected multipart/form-data", type);
  }
  std::string boundary = HeaderParameter(content_type, "boundary");
  if (boundary.empty() || boundary.size() > kMaxBoundary) {
    return InvalidArgument("Content-Type: the boundary has {} characters, expected 1 … {}", boundary.size(),
                           kMaxBoundary);
  }
  return MultipartReader(std::move(boundary), sink);
}

absl::Status MultipartReader::Feed(std::string_view piece) {
  if (state_ == State::kEpilogue) return absl::OkStatus();
  buffer_ += piece;
  while (true) {
    TUTTI_ASSIGN_OR_RETURN(const bool more, Step());
    if (!more) return absl::OkStatus();
  }
}

absl::Status MultipartReader::Finish() const {
  if (state_ == State::kEpilogue) return absl::OkStatus();
  return InvalidArgument("multipart: the body ends before its last boundary");
}

absl::StatusOr<bool> MultipartReader::Step() {
  switch (state_) {
    case State::kPreamble:
    case State::kData: {
      const size_t at = buffer_.find(delimiter_);
      // What may be the beginning of a delimiter stays.
      const size_t certain =
          at != std::string::npos ? at : buffer_.size() - std::min(buffer_.size(), delimiter_.size() - 1);
      if (state_ == State::kData && certain > 0) {
        TUTTI_RETURN_IF_ERROR(sink_->Data(std::string_view(buffer_).substr(0, certain)));
      }
      if (at == std::string::npos) {
        buffer_.erase(0, certain);
        return false;
      }
      buffer_.erase(0, at + delimiter_.size());
      if (state_ == State::kData) TUTTI_RETURN_IF_ERROR(sink_->EndPart());
      state_ = State::kAfterDelimiter;
      return true;
    }
    case State::kAfterDelimiter: {
      if (buffer_.size() < 2) return false;
      if (buffer_.starts_with("--")) {
        state_ = State::kEpilogue;
        buffer_.clear();
        return false;
      }
      const size_t end = buffer_.find("\r\n");
      const bool blank =
          std::ranges::all_of(buffer_.substr(0, end), [](char c) { return c == ' ' || c == '\t' || c == '\r'; });
      if (!blank || std::min(end, buffer_.size()) > kMaxHeader)
        return InvalidArgument("multipart: a boundary is followed by other text");
      if (end == std::string::npos) return false;
      buffer_.erase(0, end);  // the header keeps its line break, so that it may be empty
      state_ = State::kHeader;
      return true;
    }
    case State::kHeader: {
      const size_t end = buffer_.find("\r\n\r\n");
      if (std::min(end, buffer_.size()) > kMaxHeader) {
        return InvalidArgument("multipart: the header of part {} has more than {} bytes", parts_ + 1, kMaxHeader);
      }
      if (end == std::string::npos) return false;
      TUTTI_RETURN_IF_ERROR(ParseHeader(std::string_view(buffer_).substr(0, end)));
      buffer_.erase(0, end + 4);
      state_ = State::kData;
      return true;
    }
    case State::kEpilogue:
      break;
  }
  return false;
}

absl::Status MultipartReader::ParseHeader(std::string_view header) {
  if (++parts_ > kMaxParts) return InvalidArgument("multipart: more than {} parts", kMaxParts);
  Part part;
  bool has_disposition = false;
  while (!header.empty()) {
    const size_t end = std::min(header.find("\r\n"), header.size());
    const std::string_view line = header.substr(0, end);
    header.remove_prefix(std::min(end + 2, header.size()));
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view name = Trim(line.substr(0, colon)), value = Trim(line.substr(colon + 1));
    if (SameWord(name, "Content-Type")) part.content_type = value;
    if (!SameWord(name, "Content-Disposition")) continue;
    has_disposition = true;
    part.name = HeaderParameter(value, "name");
    part.file_name = WithoutFolders(HeaderParameter(value, "filename"));
    part.is_file = value.find("filename") != std::string_view::npos;
  }
  if (!has_disposition || part.name.empty()) {
    return InvalidArgument("multipart: part {} has no name (Content-Disposition: form-data; name=…)", parts_);
  }
  return sink_->BeginPart(part);
}

}  // namespace tutti
