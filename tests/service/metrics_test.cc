#include "service/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "tests/service/example_transcript.h"

namespace tutti {
namespace {

using ::testing::AllOf;
using testing::ExampleTranscript;
using ::testing::HasSubstr;

TEST(MetricsTest, RequestsAreCountedByRouteAndStatus) {
  Metrics metrics;
  metrics.CountRequest("/asr", 200, 0.02);
  metrics.CountRequest("/asr", 200, 20);
  metrics.CountRequest("/asr", 429, 0.0001);
  EXPECT_THAT(metrics.Render(), AllOf(HasSubstr("tutti_http_requests_total{route=\"/asr\",status=\"200\"} 2\n"),
                                      HasSubstr("tutti_http_requests_total{route=\"/asr\",status=\"429\"} 1\n"),
                                      HasSubstr("tutti_http_request_seconds_count{route=\"/asr\"} 3\n"),
                                      HasSubstr("tutti_http_request_seconds_bucket{route=\"/asr\",le=\"0.03\"} 2\n")));
}

TEST(MetricsTest, TranscriptsAreCountedWithTheirAudioAndStages) {
  Metrics metrics;
  metrics.CountTranscript("a", ExampleTranscript());
  metrics.CountTranscript("a", ExampleTranscript());
  metrics.CountTranscript("b", ExampleTranscript());
  EXPECT_NEAR(metrics.audio_seconds(), 3 * 2.345, 1e-9);
  EXPECT_GT(metrics.AudioPerSecond(), 0);
  EXPECT_THAT(metrics.Render(), AllOf(HasSubstr("tutti_transcripts_total{model=\"a\"} 2\n"),
                                      HasSubstr("tutti_audio_seconds_total{model=\"b\"} 2.345\n"),
                                      HasSubstr("tutti_stage_seconds_count{stage=\"vad\"} 3\n"),
                                      HasSubstr("tutti_stage_seconds_bucket{stage=\"wall\",le=\"1\"} 0\n")));
}

TEST(MetricsTest, GaugesShowWhatWasSetLast) {
  Metrics metrics;
  metrics.SetConnections(3);
  metrics.SetUploads(2, 1000);
  metrics.SetDraining(true);
  metrics.SetConnections(1);
  RecognizerStats stats;
  stats.batches = 2;
  stats.batched_seconds = 30;
  stats.batch_budget_seconds = 60;
  stats.network_seconds = 5;
  metrics.SetModel("a", "int8", 2, stats, {.waiting = 4, .running = 1, .waiting_seconds = 40, .running_seconds = 10});
  EXPECT_THAT(metrics.Render(), AllOf(HasSubstr("tutti_http_connections 1\n"), HasSubstr("tutti_uploads 2\n"),
                                      HasSubstr("tutti_spool_bytes 1000\n"), HasSubstr("tutti_draining 1\n"),
                                      HasSubstr("tutti_batch_fill{model=\"a\"} 0.25\n"),
                                      HasSubstr("tutti_network_seconds{model=\"a\"} 5\n"),
                                      HasSubstr("tutti_queue_seconds{model=\"a\",state=\"waiting\"} 40\n"),
                                      HasSubstr("tutti_queue_requests{model=\"a\",state=\"running\"} 1\n")));
}

TEST(MetricsTest, ModelInfoHasTheModelsNameTypeAndThreads) {
  Metrics metrics;
  metrics.SetModel("a\"b", "f32", 1, {}, {});
  const std::string text = metrics.Render();
  EXPECT_THAT(text, AllOf(HasSubstr("tutti_model_info{"), HasSubstr("model=\"a\\\"b\""),
                          HasSubstr("compute_type=\"f32\""), HasSubstr("threads=\"1\"")));
  EXPECT_THAT(text, HasSubstr("tutti_batch_fill{model=\"a\\\"b\"} 0\n")) << "no batch yet, and no division by it";
}

TEST(MetricsTest, ThreadsMayCountAndReadAtOnce) {
  Metrics metrics;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&metrics] {
      for (int j = 0; j < 100; ++j) {
        metrics.CountRequest("/asr", 200, 0.1);
        metrics.CountTranscript("a", ExampleTranscript());
        metrics.CountError("internal");
        if (j % 20 == 0) metrics.Render();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(metrics.Render(), AllOf(HasSubstr("tutti_errors_total{code=\"internal\"} 400\n"),
                                      HasSubstr("tutti_transcripts_total{model=\"a\"} 400\n")));
}

}  // namespace
}  // namespace tutti
