#include "service/job_json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace tutti {
namespace {

using Json = nlohmann::json;

Job DoneJob() {
  Job job;
  job.id = "0123";
  job.tenant = "anna";
  job.state = JobState::kDone;
  job.file_name = "talk \"1\".wav";
  job.audio_path = "/spool/secret";
  job.attempts = 1;
  job.progress = 1;
  job.result = "{\"text\":\"hello\"}\n";
  job.created_ms = 10;
  job.started_ms = 20;
  job.finished_ms = 30;
  return job;
}

TEST(JobJsonTest, ADoneJobHasItsTranscript) {
  EXPECT_EQ(Json::parse(JobJson(DoneJob())), Json::parse(R"({
    "id": "0123", "state": "done", "progress": 1.0, "file": "talk \"1\".wav", "attempts": 1, "created_ms": 10,
    "started_ms": 20, "finished_ms": 30, "result": {"text": "hello"}, "error": null})"));
}

TEST(JobJsonTest, WhatHasNotHappenedYetIsNull) {
  Job job = DoneJob();
  job.state = JobState::kRunning;
  job.progress = 0.123456;
  job.result = "";
  job.finished_ms = 0;
  const Json json = Json::parse(JobJson(job));
  EXPECT_EQ(json["progress"], 0.1235);
  EXPECT_EQ(json["finished_ms"], nullptr);
  EXPECT_EQ(json["result"], nullptr);
}

TEST(JobJsonTest, AFailedJobSaysWhy) {
  Job job = DoneJob();
  job.state = JobState::kFailed;
  job.error_code = "INVALID_ARGUMENT";
  job.error_message = "talk.wav: no audio";
  const Json json = Json::parse(JobJson(job));
  EXPECT_EQ(json["error"], Json::parse(R"({"code": "INVALID_ARGUMENT", "message": "talk.wav: no audio"})"));
  EXPECT_EQ(json["result"], nullptr);
}

TEST(JobJsonTest, ANameThatIsNotUtf8IsStillJson) {
  Job job = DoneJob();
  job.file_name = "\xff.wav";
  EXPECT_EQ(Json::parse(JobJson(job))["file"], "\uFFFD.wav");
}

TEST(JobListJsonTest, AFullPageTellsWhereTheNextBegins) {
  Job older = DoneJob();
  older.created_ms = 5;
  const Json json = Json::parse(JobListJson({DoneJob(), older}, 2));
  EXPECT_EQ(json["next_before"], 5);
  ASSERT_EQ(json["jobs"].size(), 2u);
  EXPECT_EQ(json["jobs"][1]["created_ms"], 5);
  EXPECT_FALSE(json["jobs"][0].contains("result"));
}

TEST(JobListJsonTest, TheLastPageSaysSo) {
  EXPECT_EQ(Json::parse(JobListJson({DoneJob()}, 2))["next_before"], nullptr);
  EXPECT_EQ(JobListJson({}, 2), R"({"jobs":[],"next_before":null})");
}

}  // namespace
}  // namespace tutti
