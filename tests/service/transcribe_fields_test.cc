#include "service/transcribe_fields.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "service/api_error.h"

namespace tutti {
namespace {

VadOptions Defaults() {
  VadOptions defaults;
  defaults.max_end_silence_time = 700;
  return defaults;
}

ModelAbilities Searching() {
  return {.takes_search_options = true, .languages = {"en", "zh"}, .translates = true, .vad_options = Defaults()};
}

absl::StatusOr<TranscribeOptions> Read(std::string_view query, const ModelAbilities& model = Searching()) {
  Fields fields;
  EXPECT_TRUE(fields.AddQuery(query).ok());
  auto options = ReadTranscribeOptions(fields, model, {.max_duration_ms = 5000});
  EXPECT_TRUE(!options.ok() || fields.RefuseUnknown().ok()) << query;
  return options;
}

TEST(TranscribeFieldsTest, WithoutFieldsItIsAnInteractiveRequestWithinTheBounds) {
  const auto options = Read("");
  ASSERT_TRUE(options.ok());
  EXPECT_TRUE(options->use_vad);
  EXPECT_FALSE(options->vad_options.has_value()) << "the package's own";
  EXPECT_EQ(options->channels, Channels::kMix);
  EXPECT_EQ(options->priority, Priority::kInteractive);
  EXPECT_EQ(options->max_duration_ms, 5000);
}

TEST(TranscribeFieldsTest, EachFieldSetsItsOption) {
  const auto options = Read("vad=false&channels=split&priority=batch&raw_format=s16le:8000:2&max_segment_ms=5000");
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_FALSE(options->use_vad);
  EXPECT_EQ(options->channels, Channels::kSplit);
  EXPECT_EQ(options->priority, Priority::kBatch);
  EXPECT_EQ(options->raw_format, "s16le:8000:2");
  EXPECT_EQ(options->max_segment_ms, 5000);
}

TEST(TranscribeFieldsTest, EachFieldOfTheSearchSetsItsOption) {
  const auto options = Read(
      "language=zh&task=translate&beam_size=3&patience=2&length_penalty=0.5&repetition_penalty=1.25&no_repeat_ngram_"
      "size=4&"
      "no_speech_threshold=0.75&log_prob_threshold=-2&initial_prompt=Dear+all&hotwords=tutti&prefix=So&max_new_tokens="
      "9&compression_ratio_threshold=3&temperature=0&temperature=0.25,1&best_of=2&condition_on_previous_text=true&"
      "prompt_reset_on_temperature=0.25&window_seconds=15&without_timestamps=false&word_timestamps=true&multilingual="
      "false&suppress_tokens=-1,7&"
      "suppress_blank=false");
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->search, (SearchOptions{.language = "zh",
                                            .multilingual = false,
                                            .task = Task::kTranslate,
                                            .beam_size = 3,
                                            .patience = 2,
                                            .length_penalty = 0.5F,
                                            .repetition_penalty = 1.25F,
                                            .no_repeat_ngram_size = 4,
                                            .no_speech_threshold = 0.75F,
                                            .log_prob_threshold = -2,
                                            .compression_ratio_threshold = 3,
                                            .temperature = {0, 0.25F, 1},
                                            .best_of = 2,
                                            .initial_prompt = "Dear all",
                                            .hotwords = "tutti",
                                            .prefix = "So",
                                            .max_new_tokens = 9,
                                            .suppress_tokens = "-1,7",
                                            .suppress_blank = false,
                                            .condition_on_previous_text = true,
                                            .prompt_reset_on_temperature = 0.25F,
                                            .window_seconds = 15,
                                            .without_timestamps = false,
                                            .word_timestamps = true}));
  EXPECT_EQ(Read("window_seconds=auto")->search, SearchOptions());
  EXPECT_EQ(Read("")->search, SearchOptions());
}

std::string RefusedField(const absl::StatusOr<TranscribeOptions>& options) {
  const auto param = nlohmann::json::parse(ErrorJson(options.status()))["error"]["param"];
  return param.is_string() ? param.get<std::string>() : "";
}

TEST(TranscribeFieldsTest, ALanguageIsACodeOrAnEnglishNameOfTheModels) {
  for (const char* known : {"language=zh", "language=Chinese", "language=ENGLISH", "language=auto", "language="}) {
    EXPECT_TRUE(Read(known).ok()) << known;
  }
  const auto unknown = Read("language=xx");
  EXPECT_EQ(RefusedField(unknown), "language");
  EXPECT_EQ(Message(unknown.status()), "language: 'xx', expected one of en, zh");
}

TEST(TranscribeFieldsTest, WhatTheModelCannotDoIsAnErrorAboutTheField) {
  const ModelAbilities english = {.takes_search_options = true, .languages = {"en"}};
  EXPECT_EQ(RefusedField(Read("task=translate", english)), "task");
  EXPECT_EQ(RefusedField(Read("language=zh", english)), "language");
  EXPECT_TRUE(Read("language=en&task=transcribe", english).ok());
  const ModelAbilities all_at_once;
  for (const char* query :
       {"language=en", "task=translate", "beam_size=2", "prefix=So", "temperature=0", "condition_on_previous_text=1"}) {
    const std::string name(query, std::string_view(query).find('='));
    EXPECT_EQ(RefusedField(Read(query, all_at_once)), name);
  }
  EXPECT_TRUE(Read("task=transcribe&beam_size=5&language=", all_at_once).ok()) << "what it does anyway may be said";
}

TEST(TranscribeFieldsTest, AVadFieldChangesItsOptionAndLeavesTheOthersAtThePackagesDefaults) {
  const auto options = Read("vad_speech_noise_thres=0.8&vad_do_extend=false&vad_detect_mode=single");
  ASSERT_TRUE(options.ok()) << options.status();
  ASSERT_TRUE(options->vad_options.has_value());
  EXPECT_EQ(options->vad_options->speech_noise_thres, 0.8);
  EXPECT_FALSE(options->vad_options->do_extend);
  EXPECT_EQ(options->vad_options->detect_mode, VadOptions::DetectMode::kSingle);
  EXPECT_EQ(options->vad_options->max_end_silence_time, 700);
}

TEST(TranscribeFieldsTest, EveryVadOptionHasItsField) {
  const struct {
    const char* name;
    int VadOptions::*field;
  } fields[] = {{"max_end_silence_time", &VadOptions::max_end_silence_time},
                {"max_start_silence_time", &VadOptions::max_start_silence_time},
                {"window_size_ms", &VadOptions::window_size_ms},
                {"sil_to_speech_time_thres", &VadOptions::sil_to_speech_time_thres},
                {"speech_to_sil_time_thres", &VadOptions::speech_to_sil_time_thres},
                {"lookback_time_start_point", &VadOptions::lookback_time_start_point},
                {"lookahead_time_end_point", &VadOptions::lookahead_time_end_point},
                {"max_single_segment_time", &VadOptions::max_single_segment_time},
                {"noise_frame_num_used_for_snr", &VadOptions::noise_frame_num_used_for_snr},
                {"chunk_size", &VadOptions::chunk_size}};
  for (const auto& [name, field] : fields) {
    const int value = Defaults().*field + 10;
    const auto options = Read(fmt::format("vad_{}={}", name, value));
    ASSERT_TRUE(options.ok()) << options.status();
    EXPECT_EQ((*options->vad_options).*field, value) << name;
  }
}

TEST(TranscribeFieldsTest, WhatIsOutOfRangeIsNamed) {
  for (const char* query : {"vad=x",
                            "channels=left",
                            "priority=urgent",
                            "raw_format=mp3",
                            "max_segment_ms=999",
                            "max_segment_ms=3600001",
                            "vad_chunk_size=1.5",
                            "vad_snr_thres=loud",
                            "vad_do_extend=2",
                            "vad_detect_mode=triple",
                            "vad_chunk_size=99999999999",
                            "task=sing",
                            "beam_size=0",
                            "patience=0",
                            "no_speech_threshold=2",
                            "max_new_tokens=-1",
                            "window_seconds=12",
                            "temperature=0,x",
                            "temperature=-1",
                            "temperature=",
                            "best_of=0",
                            "condition_on_previous_text=2"}) {
    const absl::Status status = Read(query).status();
    const std::string name(query, std::string_view(query).find('='));
    EXPECT_EQ(nlohmann::json::parse(ErrorJson(status))["error"]["param"], name) << status;
  }
  EXPECT_EQ(Read("vad_window_size_ms=-5").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace tutti
