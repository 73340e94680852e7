#include "models/whisper_batch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "nn/team.h"
#include "tests/support/random.h"
#include "tests/support/whisper.h"

namespace tutti {
namespace {

using testing::DecodeAlone;
using testing::RandomFloats;
using testing::TinyWhisper;
using testing::TinyWhisperVocabulary;

constexpr int64_t kBatchWidth = 64;

struct Job {
  std::vector<float> encoded;
  WhisperDecodeOptions options;
};

// Utterances of many lengths, some greedy, some with beams, some drawn; with times, after text, in a language to find.
std::vector<Job> Jobs(const WhisperVocabulary& tokens) {
  std::vector<Job> jobs;
  for (uint32_t i = 0; i < 14; ++i) {
    Job job;
    job.encoded = RandomFloats((20 + 37 * (i % 5)) * kBatchWidth, 50 + i);
    if (i % 5 == 3) job.options.prompt = {570, 10, 11, 12, 13};
    for (const int32_t token : {558, 559, 568}) job.options.prompt.push_back(token);
    job.options.rules.suppress = tokens.suppress;
    if (i % 3 != 0) job.options.prompt.push_back(572);
    if (i % 4 == 1) job.options.beam_size = 5;
    if (i % 4 == 2) job.options.temperature = 0.7F, job.options.best_of = 3, job.options.seed = i;
    job.options.detect_language = i % 7 == 5;
    job.options.max_length = 30 + 20 * i;
    jobs.push_back(std::move(job));
  }
  return jobs;
}

void ExpectSame(const WhisperResult& found, const WhisperResult& expected) {
  ASSERT_EQ(found.sequences.size(), expected.sequences.size());
  for (size_t i = 0; i < found.sequences.size(); ++i) {
    EXPECT_EQ(found.sequences[i].tokens, expected.sequences[i].tokens);
    EXPECT_EQ(found.sequences[i].score, expected.sequences[i].score);
    EXPECT_EQ(found.sequences[i].log_prob, expected.sequences[i].log_prob);
  }
  EXPECT_EQ(found.no_speech_prob, expected.no_speech_prob);
  EXPECT_EQ(found.language, expected.language);
  EXPECT_EQ(found.language_prob, expected.language_prob);
}

class WhisperBatchTest : public ::testing::TestWithParam<ComputeType> {};

TEST_P(WhisperBatchTest, AnUtteranceHasTheSameBitsAloneAndWithOthersThatComeAndGo) {
  const TinyWhisper model(GetParam());
  ASSERT_TRUE(model.decoder);
  const WhisperVocabulary tokens = TinyWhisperVocabulary();
  const auto jobs = Jobs(tokens);
  Workspace workspace, with_team;
  Team team(2);
  with_team.set_team(&team);
  std::vector<WhisperResult> alone;
  for (const Job& job : jobs) alone.push_back(DecodeAlone(model, tokens, job.encoded, job.options, workspace));

  std::mt19937 generator(3);
  for (int round = 0; round < 4; ++round) {
    Workspace& own = round % 2 == 0 ? workspace : with_team;
    std::vector<size_t> order(jobs.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::shuffle(order.begin(), order.end(), generator);
    WhisperBatch batch(*model.decoder, tokens, int64_t{1} << 26);
    size_t next = 0, done = 0;
    while (done < jobs.size()) {
      while (next < order.size() && (batch.empty() || generator() % 3 == 0)) {
        const Job& job = jobs[order[next]];
        CrossMemory memory =
            model.decoder->Listen(job.encoded.data(), static_cast<int64_t>(job.encoded.size()) / kBatchWidth, own);
        ASSERT_TRUE(batch.Admit(static_cast<int64_t>(order[next]), memory, job.options).ok());
        ++next;
      }
      batch.Step(own);
      for (const auto& [id, result, memory] : batch.TakeFinished()) {
        SCOPED_TRACE(id);
        ExpectSame(result, alone[static_cast<size_t>(id)]);
        ++done;
      }
    }
    EXPECT_EQ(batch.pool().pages_in_use(), 0);
    EXPECT_EQ(batch.pool().reserved(), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Types, WhisperBatchTest,
                         ::testing::Values(ComputeType::kF32, ComputeType::kBf16, ComputeType::kInt8));

TEST(WhisperBatchPoolTest, AFullPoolDelaysAndNeverFails) {
  const TinyWhisper model;
  ASSERT_TRUE(model.decoder);
  const WhisperVocabulary tokens = TinyWhisperVocabulary();
  const auto jobs = Jobs(tokens);
  Workspace workspace;
  WhisperBatch batch(*model.decoder, tokens, 40 * model.decoder->MakePool(1).page_bytes());
  size_t done = 0, delayed = 0;
  for (size_t i = 0; i < jobs.size();) {
    CrossMemory memory = model.decoder->Listen(jobs[i].encoded.data(),
                                               static_cast<int64_t>(jobs[i].encoded.size()) / kBatchWidth, workspace);
    const absl::Status admitted = batch.Admit(static_cast<int64_t>(i), memory, jobs[i].options);
    if (admitted.ok()) {
      ++i;
    } else {
      ASSERT_EQ(admitted.code(), absl::StatusCode::kResourceExhausted) << admitted;
      EXPECT_GT(memory.rows(), 0) << "still the caller's";
      ++delayed;
    }
    batch.Step(workspace);
    EXPECT_LE(batch.pool().pages_in_use(), std::max(batch.pool().max_pages(), batch.pool().reserved()));
    done += batch.TakeFinished().size();
  }
  while (!batch.empty()) batch.Step(workspace);
  done += batch.TakeFinished().size();
  EXPECT_EQ(done, jobs.size());
  EXPECT_GT(delayed, 0U);
  batch.Trim();
  EXPECT_EQ(batch.pool().bytes(), 0);
}

TEST(WhisperBatchPoolTest, AnUtteranceThatIsRemovedLeavesNothingBehind) {
  const TinyWhisper model;
  ASSERT_TRUE(model.decoder);
  const WhisperVocabulary tokens = TinyWhisperVocabulary();
  const auto jobs = Jobs(tokens);
  Workspace workspace;
  WhisperBatch batch(*model.decoder, tokens, int64_t{1} << 26);
  for (size_t i = 0; i < 3; ++i) {
    CrossMemory memory = model.decoder->Listen(jobs[i].encoded.data(),
                                               static_cast<int64_t>(jobs[i].encoded.size()) / kBatchWidth, workspace);
    ASSERT_TRUE(batch.Admit(static_cast<int64_t>(i), memory, jobs[i].options).ok());
  }
  batch.Step(workspace);
  batch.Step(workspace);
  batch.Remove(1);
  EXPECT_EQ(batch.utterances(), 2);
  while (!batch.empty()) batch.Step(workspace);
  EXPECT_EQ(batch.TakeFinished().size(), 2U);
  EXPECT_EQ(batch.pool().pages_in_use(), 0);
  EXPECT_EQ(batch.pool().reserved(), 0);
}

}  // namespace
}  // namespace tutti
