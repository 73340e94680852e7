#include "service/transcribe_events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/service/example_transcript.h"

namespace tutti {
namespace {

using Json = nlohmann::json;
using testing::ExampleTranscript;

// The JSON of an event that has this name; the form of an event is checked on the way.
Json DataOf(const std::string& event, const std::string& name) {
  const std::string begin = "event: " + name + "\ndata: ";
  EXPECT_EQ(event.substr(0, begin.size()), begin);
  EXPECT_EQ(event.find('\n', begin.size()), event.size() - 2) << "data is one line, then comes an empty one";
  EXPECT_TRUE(event.ends_with("\n\n"));
  return Json::parse(event.substr(std::min(begin.size(), event.size())), nullptr, false);
}

TEST(TranscribeEventsTest, ProgressHasItsThreeNumbers) {
  EXPECT_EQ(DataOf(ProgressEvent({.audio_ms_decoded = 5, .segments_found = 3, .segments_done = 1}), "progress"),
            (Json{{"audio_ms_decoded", 5}, {"segments_found", 3}, {"segments_done", 1}}));
}

TEST(TranscribeEventsTest, ASegmentIsThatOfTheTranscript) {
  Segment segment = ExampleTranscript().segments[0];
  segment.text = "line\nbreak";
  const Json json = DataOf(SegmentEvent(segment), "segment");
  EXPECT_EQ(json["text"], "line\nbreak");
  EXPECT_EQ(json["start_ms"], 100);
}

TEST(TranscribeEventsTest, TheEndIsTheTranscriptOrTheError) {
  EXPECT_EQ(DataOf(EndEvent(ExampleTranscript()), "done")["text"], "hello there 你好");
  EXPECT_EQ(DataOf(EndEvent(absl::DataLossError("broken\noff")), "error")["error"]["message"], "broken\noff");
}

}  // namespace
}  // namespace tutti
