#include "cli/pull_display.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tutti {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class PullDisplayTest : public ::testing::Test {
 protected:
  // What is shown for a state at 0 s, one at 1 s and one at 6 s.
  std::string Shown(bool is_terminal, int64_t total) {
    char* text = nullptr;
    size_t size = 0;
    std::FILE* out = open_memstream(&text, &size);
    {
      PullDisplay display("one", is_terminal, out);
      const PullDisplay::Time start(std::chrono::seconds(100));
      display.Update(0, total, start);
      display.Update(1'000'000, total, start + std::chrono::seconds(1));
      display.Update(6'000'000, total, start + std::chrono::seconds(6));
      display.Say("done");
    }
    std::fclose(out);
    std::string shown(text, size);
    std::free(text);
    return shown;
  }
};

TEST_F(PullDisplayTest, ATerminalGetsABarThatIsClearedForALine) {
  const std::string shown = Shown(true, 12'000'000);
  EXPECT_THAT(shown,
              HasSubstr("one [############............] 6.0 MB of 12 MB, 1.0 MB/s, 0:06 left\r\x1b[Ktutti: done\n"));
}

TEST_F(PullDisplayTest, ElseThereIsALineEveryFewSeconds) {
  EXPECT_EQ(Shown(false, 12'000'000), "tutti: one: 6.0 MB of 12 MB, 1.0 MB/s, 0:06 left\ntutti: done\n");
}

TEST_F(PullDisplayTest, WithoutATotalItShowsWhatCame) {
  EXPECT_EQ(Shown(false, -1), "tutti: one: 6.0 MB, 1.0 MB/s\ntutti: done\n");
}

TEST_F(PullDisplayTest, SizesAreInPowersOfTen) {
  EXPECT_EQ(ShownBytes(0), "0 B");
  EXPECT_EQ(ShownBytes(999), "999 B");
  EXPECT_EQ(ShownBytes(1000), "1.0 kB");
  EXPECT_EQ(ShownBytes(999'900), "1.0 MB");
  EXPECT_EQ(ShownBytes(147'882'941), "148 MB");
  EXPECT_EQ(ShownBytes(2'100'000'000), "2.1 GB");
}

}  // namespace
}  // namespace tutti
