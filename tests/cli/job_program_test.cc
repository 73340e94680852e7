// Jobs of the built program, from outside.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <thread>

#include "service/batch_journal.h"
#include "service/file_lock.h"
#include "tests/cli/program.h"

namespace tutti {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Clock = std::chrono::steady_clock;
using Json = nlohmann::json;

const std::string kRecordingsFolder = std::string(TUTTI_SOURCE_DIR) + "/tests/data/fixtures/audio";

std::map<std::string, std::string> ContentsBelow(const std::string& folder) {
  std::map<std::string, std::string> files;
  if (!fs::exists(folder)) return files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.emplace(entry.path().lexically_relative(folder), testing::BytesOf(entry.path()));
  }
  return files;
}

// TSan's programs are twenty times slower.
#ifdef __SANITIZE_THREAD__
constexpr int kRecordings = 8;
#else
constexpr int kRecordings = 40;
#endif

class JobProgramTest : public ::testing::Test {
 protected:
  // `count` recordings in two folders, of different lengths.
  void Recordings(int count) {
    const std::vector<std::string> clips = {kRecordingsFolder + "/clip_a.wav", kRecordingsFolder + "/long.wav",
                                            kRecordingsFolder + "/clip_b.wav"};
    for (int i = 0; i < count; ++i) {
      const std::string name = fmt::format("in/{}/{:03}.wav", i % 2 == 0 ? "even" : "odd", i);
      fs::create_directories(fs::path(folder_ / name).parent_path());
      fs::copy_file(clips[static_cast<size_t>(i) % clips.size()], folder_ / name);
    }
  }
  std::vector<std::string> Arguments() const {
    return {"transcribe",    "--model",  "demo-paraformer", "--job",     folder_ / "job.db", "--output",
            folder_ / "out", "--format", "txt,srt,tsv",     "--summary", folder_ / "s",      folder_ / "in"};
  }
  Json Summary() const { return Json::parse(testing::BytesOf(folder_ / "s")); }
  // Done, as the journal says.
  int64_t Done() const {
    const auto journal = BatchJournal::OpenToRead(folder_ / "job.db");
    return journal.ok() ? (*journal)->CountStates()->done : 0;
  }

  const testing::Folder folder_;
};

TEST_F(JobProgramTest, KilledAtRandomMomentsItGivesEveryOutputOnceAndByteForByteAsAQuietRun) {
  Recordings(kRecordings);
  const auto quiet_start = Clock::now();
  ASSERT_EQ(RunProgram({"transcribe", "--model", "demo-paraformer", "--output", folder_ / "quiet", "--format",
                        "txt,srt,tsv", folder_ / "in"})
                .exit_code,
            0);
  const auto quiet = Clock::now() - quiet_start;
  const unsigned seed = std::random_device()();
  std::mt19937 random(seed);
  int64_t done = 0;
  int kills = 0;
  for (const auto end = Clock::now() + std::chrono::seconds(6); kills < 20 && Clock::now() < end;) {
    Program program(Arguments());
    while (kills == 0 && !FileLock::IsHeld(folder_ / "job.db")) std::this_thread::yield();
    if (kills > 0) std::this_thread::sleep_for(quiet * (random() % 1000) / 1000);
    program.Signal(SIGKILL);
    const Ended ended = program.Wait();
    const int64_t now = Done();
    ASSERT_GE(now, done) << "seed " << seed;
    done = now;
    if (ended.exit_code == 0) break;
    ASSERT_EQ(ended.exit_code, -SIGKILL) << ended.err;
    ++kills;
  }
  const Ended last = RunProgram(Arguments());
  EXPECT_EQ(last.exit_code, 0) << last.err;
  EXPECT_EQ(ContentsBelow(folder_ / "out"), ContentsBelow(folder_ / "quiet")) << "seed " << seed << ", kills " << kills;
  EXPECT_EQ(ContentsBelow(folder_ / "out").size(), size_t{3} * kRecordings);
  EXPECT_EQ(Done(), kRecordings);
  EXPECT_EQ(Summary()["job"]["done"], kRecordings);
  EXPECT_EQ(Summary()["skipped"], done);
}

TEST_F(JobProgramTest, ASignalKeepsWhatIsDoneAndTheNextRunGoesOn) {
  Recordings(kRecordings);
  std::vector<std::string> arguments = Arguments();
  arguments.insert(arguments.end(), {"--threads", "1"});
  Program program(arguments);
  while (ContentsBelow(folder_ / "out").empty()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  program.Signal(SIGTERM);
  const Ended ended = program.Wait();
  const int64_t done = Done();
  EXPECT_EQ(ended.exit_code, done == kRecordings ? 0 : 130) << ended.err;
  EXPECT_GT(done, 0);
  EXPECT_EQ(ContentsBelow(folder_ / "out").size(), static_cast<size_t>(3 * done));

  const Ended again = RunProgram(arguments);
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(Summary()["skipped"], done);
  EXPECT_EQ(Summary()["recordings"], kRecordings - done);
  EXPECT_EQ(ContentsBelow(folder_ / "out").size(), size_t{3} * kRecordings);
}

TEST_F(JobProgramTest, ASecondProgramOnTheSameJobIsToldThatItIsInUse) {
  Recordings(3);
  const std::string journal = folder_ / "job.db";
  Program first(Arguments());
  while (!FileLock::IsHeld(journal)) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  first.Signal(SIGSTOP);
  if (FileLock::IsHeld(journal)) {  // it may have ended before
    const Ended second = RunProgram(Arguments());
    EXPECT_EQ(second.exit_code, 2);
    EXPECT_THAT(second.err, HasSubstr("job.db: in use by another tutti"));
    EXPECT_EQ(RunProgram({"job", "retry", journal}).exit_code, 1);
  }
  first.Signal(SIGCONT);
  EXPECT_EQ(first.Wait().exit_code, 0);
  EXPECT_EQ(ContentsBelow(folder_ / "out").size(), 9u);
}

TEST_F(JobProgramTest, StatusRetryAndExportTellAndChangeWhatAJobKnows) {
  Recordings(2);
  folder_.Write("in/odd/bad.wav", "not audio");
  const std::string journal = folder_ / "job.db";
  std::vector<std::string> arguments = Arguments();
  arguments.insert(arguments.end(), {"--job-retries", "0"});
  EXPECT_EQ(RunProgram(arguments).exit_code, 1);
  const Ended again = RunProgram(arguments);
  EXPECT_EQ(again.exit_code, 1);
  EXPECT_THAT(again.err, AllOf(HasSubstr("bad.wav"), HasSubstr("tried 1 times; `tutti job retry")));

  const auto status = Json::parse(RunProgram({"job", "status", "--json", journal}).out);
  EXPECT_EQ(status["running"], false);
  EXPECT_EQ(status["recordings"], 3);
  EXPECT_EQ(status["done"], 2);
  EXPECT_EQ(status["failed"], 1);
  EXPECT_EQ(status["failed_recordings"][0]["file"], folder_ / "in/odd/bad.wav");
  EXPECT_NE(status["run"]["ended"], nullptr);
  EXPECT_THAT(RunProgram({"job", "status", journal}).out,
              AllOf(HasSubstr("3 recordings, 2 done, 1 failed, 0 waiting"), HasSubstr("bad.wav")));

  std::istringstream lines(RunProgram({"job", "export", journal}).out);
  std::vector<Json> exported;
  for (std::string line; std::getline(lines, line);) exported.push_back(Json::parse(line));
  ASSERT_EQ(exported.size(), 3u);
  EXPECT_EQ(exported[0]["file"], folder_ / "in/even/000.wav");
  EXPECT_EQ(exported[0]["results"]["txt"], testing::BytesOf(folder_ / "out/even/000.txt"));
  EXPECT_EQ(exported[0]["sha256"].get<std::string>().size(), 64u);
  EXPECT_EQ(exported[2]["state"], "failed");
  EXPECT_EQ(exported[2]["results"], nullptr);
  EXPECT_EQ(RunProgram({"job", "export", "--format", "txt", journal}).out,
            testing::BytesOf(folder_ / "out/even/000.txt") + testing::BytesOf(folder_ / "out/odd/001.txt"));
  EXPECT_THAT(RunProgram({"job", "export", "--format", "json", journal}).err, HasSubstr("the job has txt, srt, tsv"));

  EXPECT_THAT(RunProgram({"job", "retry", journal}).err, HasSubstr("1 recording waits again"));
  EXPECT_EQ(Json::parse(RunProgram({"job", "status", "--json", journal}).out)["waiting"], 1);
  fs::copy_file(kRecordingsFolder + "/clip_b.wav", folder_ / "in/odd/bad.wav", fs::copy_options::overwrite_existing);
  EXPECT_EQ(RunProgram(arguments).exit_code, 0);
  EXPECT_EQ(Done(), 3);
}

TEST_F(JobProgramTest, AnotherModelOrComputeTypeIsRefusedByName) {
  Recordings(1);
  std::vector<std::string> arguments = Arguments();
  arguments.insert(arguments.end(), {"--compute-type", "f32"});
  ASSERT_EQ(RunProgram(arguments).exit_code, 0);
  arguments.back() = "int8";
  const Ended other_type = RunProgram(arguments);
  EXPECT_EQ(other_type.exit_code, 2);
  EXPECT_THAT(other_type.err, HasSubstr("compute type in use is int8 (it was f32)"));
  arguments.back() = "f32";
  arguments.insert(arguments.end(), {"--vad", "none", "--channels", "split"});
  const Ended other_vad = RunProgram(arguments);
  EXPECT_EQ(other_vad.exit_code, 2);
  EXPECT_THAT(other_vad.err, AllOf(HasSubstr("--vad is ''"), HasSubstr("--channels is split (it was mix)")));
  arguments.emplace_back("--job-restart");
  EXPECT_EQ(RunProgram(arguments).exit_code, 0);
}

TEST_F(JobProgramTest, WrongUsageSaysWhatIsWrong) {
  const std::string clip = kRecordingsFolder + "/clip_a.wav", text = folder_.Write("text", std::string(4096, 'x'));
  const std::vector<std::tuple<std::vector<std::string>, int, const char*>> cases = {
      {{"transcribe", "--model", "demo-paraformer", "--job-restart", clip}, 2, "--job"},
      {{"transcribe", "--model", "demo-paraformer", "--job", folder_ / "j", "--output", folder_ / "o",
        "--skip-existing", clip},
       2,
       "--skip-existing"},
      {{"transcribe", "--model", "demo-paraformer", "--job", folder_ / "j", "-"}, 2, "cannot be read again"},
      {{"transcribe", "--model", "demo-paraformer", "--job", text, clip}, 2, "file is not a database"},
      {{"transcribe", "--model", "demo-paraformer", "--job", folder_ / "missing/j", clip},
       2,
       "cannot open: No such file"},
      {{"job", "status", folder_ / "nonesuch"}, 1, "nonesuch: cannot open"},
      {{"job", "retry", folder_ / "nonesuch"}, 1, "nonesuch: no such job"},
      {{"job"}, 2, "subcommand"}};
  for (const auto& [arguments, code, message] : cases) {
    const Ended ended = RunProgram(arguments);
    EXPECT_EQ(ended.exit_code, code) << message;
    EXPECT_THAT(ended.err, HasSubstr(message));
    EXPECT_THAT(ended.out, IsEmpty());
  }
  EXPECT_EQ(testing::BytesOf(text), std::string(4096, 'x'));
}

}  // namespace
}  // namespace tutti
