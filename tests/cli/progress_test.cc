#include "cli/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

namespace tutti {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const ProgressDisplay::Time kStart = ProgressDisplay::Time() + std::chrono::hours(1);

RunState Halfway() {
  return {.files = 4,
          .done = 1,
          .failed = 1,
          .audio_seconds = 90,
          .elapsed_seconds = 3,
          .bytes = 1000,
          .bytes_finished = 500};
}

// What a display in `mode` writes while `use` uses it.
std::string Written(ProgressMode mode, const std::function<void(ProgressDisplay&)>& use) {
  char* text = nullptr;
  size_t size = 0;
  std::FILE* out = open_memstream(&text, &size);
  {
    ProgressDisplay display(mode, out);
    use(display);
  }
  std::fclose(out);
  std::string written(text, size);
  std::free(text);
  return written;
}

TEST(ProgressTest, AutoIsABarOnATerminalAndLinesElsewhere) {
  EXPECT_EQ(ParseProgressMode("auto", true).value(), ProgressMode::kBar);
  EXPECT_EQ(ParseProgressMode("auto", false).value(), ProgressMode::kLines);
  EXPECT_EQ(ParseProgressMode("json", true).value(), ProgressMode::kJson);
  EXPECT_FALSE(ParseProgressMode("loud", true).ok());
}

TEST(ProgressTest, TimeLeftFollowsTheBytes) {
  EXPECT_DOUBLE_EQ(Halfway().seconds_left(), 3);
  EXPECT_LT(RunState{}.seconds_left(), 0);
  EXPECT_DOUBLE_EQ(Halfway().x_real_time(), 30);
}

TEST(ProgressTest, TheBarShowsFilesAudioSpeedAndTimeLeft) {
  const std::string bar = Written(ProgressMode::kBar, [](ProgressDisplay& d) { d.Update(Halfway(), kStart); });
  EXPECT_THAT(bar, HasSubstr("[############............] 2/4 files (1 failed)  90 s audio  30 x real time  0:03 left"));
}

TEST(ProgressTest, TheBarIsDrawnTenTimesASecondAtMost) {
  const std::string bars = Written(ProgressMode::kBar, [](ProgressDisplay& d) {
    for (int ms = 0; ms < 1000; ++ms) d.Update(Halfway(), kStart + std::chrono::milliseconds(ms));
  });
  EXPECT_EQ(std::count(bars.begin(), bars.end(), '['), 2 * 10);  // one of the bar, one of the escape before it
}

TEST(ProgressTest, LinesComeNowAndThenWithoutEscapes) {
  const std::string lines = Written(ProgressMode::kLines, [](ProgressDisplay& d) {
    for (int s = 0; s < 11; ++s) d.Update(Halfway(), kStart + std::chrono::seconds(s));
  });
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 2) << lines;
  EXPECT_THAT(lines, Not(HasSubstr("\x1b")));
}

TEST(ProgressTest, AnErrorIsShownInEveryMode) {
  for (const ProgressMode mode : {ProgressMode::kBar, ProgressMode::kLines, ProgressMode::kJson, ProgressMode::kNone}) {
    const std::string text = Written(
        mode, [](ProgressDisplay& d) { d.FileDone("a.wav", absl::InvalidArgumentError("broken"), 0, Halfway()); });
    EXPECT_THAT(text, AllOf(HasSubstr("a.wav"), HasSubstr("broken")));
  }
}

TEST(ProgressTest, NoneIsSilentAboutSuccess) {
  EXPECT_THAT(Written(ProgressMode::kNone,
                      [](ProgressDisplay& d) {
                        d.Update(Halfway(), kStart);
                        d.FileDone("a.wav", absl::OkStatus(), 1, Halfway());
                        d.End(Halfway(), 0, false);
                      }),
              IsEmpty());
}

TEST(ProgressTest, EveryJsonEventParsesWhateverTheFileIsCalled) {
  const std::string text = Written(ProgressMode::kJson, [](ProgressDisplay& d) {
    d.Update(Halfway(), kStart);
    d.FileDone("\xFF\"\n.wav", absl::OkStatus(), 1, Halfway());
    d.End(Halfway(), 1 << 20, true);
  });
  size_t from = 0;
  std::string events;
  for (size_t end = text.find('\n'); end != std::string::npos; from = end + 1, end = text.find('\n', from)) {
    events += nlohmann::json::parse(text.substr(from, end - from))["event"].get<std::string>() + " ";
  }
  EXPECT_EQ(events, "start file end ");
}

}  // namespace
}  // namespace tutti
