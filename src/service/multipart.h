#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace tutti {

// Reads multipart/form-data (RFC 7578) as it arrives, in pieces of any size: memory holds a part's header or a
// delimiter, never a part. Hostile input: every length is bounded, and whatever is malformed is an error.
//
// Not thread-safe; one body each.
class MultipartReader {
 public:
  struct Part {
    std::string name;
    std::string file_name;  // as the client called it, without folders; empty: no file
    std::string content_type;
    bool is_file = false;
  };

  class Sink {
   public:
    virtual ~Sink() = default;
    // An error ends the reading and is returned by Feed.
    virtual absl::Status BeginPart(const Part& part) = 0;
    virtual absl::Status Data(std::string_view piece) = 0;
    virtual absl::Status EndPart() = 0;
  };

  // From the request's Content-Type; InvalidArgument when it has no usable boundary. `sink` outlives the reader.
  static absl::StatusOr<MultipartReader> Create(std::string_view content_type, Sink& sink);

  absl::Status Feed(std::string_view piece);
  // InvalidArgument when the body broke off.
  absl::Status Finish() const;

 private:
  enum class State { kPreamble, kAfterDelimiter, kHeader, kData, kEpilogue };

  MultipartReader(std::string boundary, Sink& sink) : delimiter_("\r\n--" + boundary), sink_(&sink) {}

  // Does what the buffered bytes allow; false when it needs more.
  absl::StatusOr<bool> Step();
  absl::Status ParseHeader(std::string_view header);

  std::string delimiter_;
  Sink* sink_;
  State state_ = State::kPreamble;
  // The first delimiter may lack the line break that belongs to the others.
  std::string buffer_ = "\r\n";
  int parts_ = 0;
};

// A parameter of a header field's value: Parameter("form-data; name=\"a\"", "name") is "a". Quoted strings may have
// escapes. Empty when there is none.
std::string HeaderParameter(std::string_view value, std::string_view name);

}  // namespace tutti
