// What a service does whose disk is full, and what its jobs take of the spool.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "service/job_spool.h"
#include "service/job_store.h"
#include "tests/server/fake_server.h"
#include "tests/server/socket_client.h"
#include "tests/support/file_size_limit.h"
#include "tests/support/folder.h"

namespace tutti::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class DiskTest : public ::testing::Test {
 protected:
  ServeOptions WithJobs() const {
    ServeOptions options = QuietOptions();
    options.files.spool = folder_ / "spool";
    options.files.jobs = folder_ / "jobs.db";
    options.log.level = "error";
    return options;
  }
  static std::string PostJob(int64_t ms) { return PostForm("/v1/jobs", {}, Wav(1, ms)); }
  static bool IsDone(FakeServer& server, const Answer& accepted) {
    const std::string target = "/v1/jobs/" + Parse(accepted.body)["id"].get<std::string>();
    return Eventually([&] { return Parse(server.Get(target).body)["state"] == "done"; });
  }

  const Folder folder_;
};

TEST_F(DiskTest, UploadsThatCannotBeStoredAreToldToComeAgainAndLeaveNothing) {
  FakeServer server(WithJobs());
  const std::string wav = Wav(1, 3000);
  const std::string raw = MakeRequest("POST", "/v1/transcribe", {{"Content-Type", "audio/wav"}}, wav);
  {
    const FileSizeLimit full(4096);
    for (const std::string& request : {PostForm("/v1/transcribe", {}, wav), raw, PostForm("/recognition", {}, wav),
                                       PostForm("/v1/audio/transcriptions", {}, wav), PostJob(3000)}) {
      const Answer refusal = server.Ask(request);
      EXPECT_EQ(refusal.status, 503) << refusal.body;
      EXPECT_GE(std::atoi(refusal.header("retry-after").c_str()), 1);
    }
    SocketClient socket(server.port());
    socket.Json({{"mode", "offline"}, {"is_speaking", true}});
    socket.Binary(wav);
    EXPECT_EQ((*socket.Next())["error"]["code"], "unavailable");
  }
  EXPECT_TRUE(server.NothingIsLeft());
  EXPECT_EQ(server.Ask(raw).status, 200);
}

TEST_F(DiskTest, AJobThatCannotBeStoredIsRefusedAndThoseBeforeItEnd) {
  FakeServer server(WithJobs());
  server.door().Close();
  const Answer before = server.Ask(PostJob(100));
  ASSERT_EQ(before.status, 202) << before.body;
  server.door().WaitFor(1);
  std::optional<FileSizeLimit> full(4096);
  const Answer refusal = server.Ask(PostJob(100));
  EXPECT_EQ(refusal.status, 503);
  EXPECT_THAT(refusal.body, Not(HasSubstr("jobs.db"))) << "clients have no use for the server's paths";
  EXPECT_EQ(Parse(server.Get("/v1/jobs").body)["jobs"].size(), 1U);
  server.door().Open();  // its result has to wait
  EXPECT_EQ(server.Ask(PostJob(100)).status, 503);
  full.reset();
  EXPECT_TRUE(IsDone(server, before));
  const Answer after = server.Ask(PostJob(100));
  EXPECT_EQ(after.status, 202);
  EXPECT_TRUE(IsDone(server, after));
  EXPECT_TRUE(server.NothingIsLeft());
}

TEST_F(DiskTest, AudioOfJobsCountsUntilTheyEnd) {
  ServeOptions options = WithJobs();
  options.limits.max_body_bytes = options.limits.spool_bytes = 10'000;
  FakeServer server(options);
  server.door().Close();
  const std::string wav = Wav(1, 200);
  const Answer first = server.Ask(PostJob(200));
  ASSERT_EQ(first.status, 202) << first.body;
  EXPECT_TRUE(Eventually([&] { return server.Metric("tutti_spool_bytes") == static_cast<double>(wav.size()); }));
  EXPECT_EQ(server.Ask(PostJob(200)).status, 429);
  EXPECT_EQ(server.Ask(PostForm("/v1/transcribe", {}, wav)).status, 429);
  server.door().Open();
  EXPECT_TRUE(IsDone(server, first));
  EXPECT_TRUE(server.NothingIsLeft());
  EXPECT_EQ(server.Ask(PostForm("/v1/transcribe", {}, wav)).status, 200);
}

TEST_F(DiskTest, AudioOfJobsCountsAfterARestartToo) {
  const std::string id(32, 'a');
  {
    const auto store = JobStore::Open(folder_ / "jobs.db");
    ASSERT_TRUE(store.ok()) << store.status();
    Job job;
    job.id = id;
    job.file_name = "a.wav";
    job.parameters = "{}";
    job.audio_path = JobAudioPath(folder_ / "spool", id);
    folder_.Write("spool/job-" + id + ".audio", Wav(1, 200));
    ASSERT_EQ((*store)->Add(job), absl::OkStatus());
  }
  ServeOptions options = WithJobs();
  options.limits.max_body_bytes = options.limits.spool_bytes = 10'000;
  FakeServer server(options, nullptr, /*door_is_open=*/false);
  server.door().WaitFor(1);
  EXPECT_EQ(server.Ask(PostJob(200)).status, 429);
  server.door().Open();
  EXPECT_TRUE(server.NothingIsLeft());
}

}  // namespace
}  // namespace tutti::testing
