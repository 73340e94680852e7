#include "service/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <thread>
#include <vector>

#include "tests/support/folder.h"

namespace tutti {
namespace {

using OrderedJson = nlohmann::ordered_json;
using testing::BytesOf;
using testing::Folder;
using ::testing::MatchesRegex;

class LogTest : public ::testing::Test {
 public:
  ~LogTest() override { std::fclose(file_); }

 protected:
  std::vector<OrderedJson> Lines() {
    std::vector<OrderedJson> lines;
    std::istringstream text(BytesOf(folder_ / "log"));
    for (std::string line; std::getline(text, line);) lines.push_back(OrderedJson::parse(line, nullptr, false));
    return lines;
  }

  const Folder folder_;
  std::FILE* const file_ = std::fopen((folder_ / "log").c_str(), "a");
};

TEST_F(LogTest, ALineIsAnObjectWithTimeLevelAndEvent) {
  Log(file_, LogLevel::kInfo).Write(LogLevel::kWarning, "request", {{"status", 500}});
  ASSERT_EQ(Lines().size(), 1U);
  const OrderedJson line = Lines()[0];
  EXPECT_THAT(line["time"].get<std::string>(), MatchesRegex("20..-..-..T..:..:..[.]...Z"));
  EXPECT_EQ(line["level"], "warning");
  EXPECT_EQ(line["event"], "request");
  EXPECT_EQ(line["status"], 500);
}

TEST_F(LogTest, WhatIsBelowTheLevelIsNotWritten) {
  const Log log(file_, LogLevel::kWarning);
  log.Write(LogLevel::kInfo, "a", OrderedJson::object());
  log.Write(LogLevel::kError, "b", OrderedJson::object());
  ASSERT_EQ(Lines().size(), 1U);
  EXPECT_EQ(Lines()[0]["event"], "b");
  EXPECT_FALSE(Log(nullptr, LogLevel::kDebug).on(LogLevel::kError));
}

TEST_F(LogTest, AClientsBytesCannotBreakALine) {
  Log(file_, LogLevel::kInfo).Write(LogLevel::kInfo, "a", {{"path", "\n{\"forged\": 1}\n\xff\"\x01"}});
  ASSERT_EQ(Lines().size(), 1U);
  EXPECT_FALSE(Lines()[0].is_discarded());
}

TEST_F(LogTest, LinesOfManyThreadsStayWhole) {
  const Log log(file_, LogLevel::kInfo);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&log, i] {
      for (int j = 0; j < 100; ++j)
        log.Write(LogLevel::kInfo, "a", {{"text", std::string(200, static_cast<char>('a' + i))}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Lines().size(), 400U);
  for (const OrderedJson& line : Lines()) EXPECT_FALSE(line.is_discarded());
}

TEST(TraceParentTest, AWellFormedOneIsTaken) {
  const auto parent = ParseTraceParent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  EXPECT_EQ(parent.trace_id, "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(parent.parent_id, "b7ad6b7169203331");
  EXPECT_EQ(ParseTraceParent("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-later").parent_id,
            "b7ad6b7169203331")
      << "a later version may have more";
}

TEST(TraceParentTest, AnythingElseIsAsIfThereWereNone) {
  const std::string good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  for (size_t length = 0; length < good.size(); ++length) {
    EXPECT_EQ(ParseTraceParent(good.substr(0, length)).trace_id, "") << length;
  }
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = 'X';
    EXPECT_EQ(ParseTraceParent(bad).trace_id, "") << bad;
  }
  for (const char* bad : {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
                          "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                          "00-00000000000000000000000000000000-b7ad6b7169203331-01",
                          "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
                          "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01later"}) {
    EXPECT_EQ(ParseTraceParent(bad).trace_id, "") << bad;
  }
}

TEST(RandomHexTest, NoTwoAreTheSame) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string text = RandomHex(32);
    EXPECT_THAT(text, MatchesRegex("[0-9a-f]+"));
    EXPECT_EQ(text.size(), 32U);
    EXPECT_TRUE(seen.insert(text).second);
  }
}

}  // namespace
}  // namespace tutti
