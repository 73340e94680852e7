#include "service/model_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/service/scripted_recognizer.h"

namespace tutti {
namespace {

using testing::Eventually;
using ::testing::HasSubstr;
using testing::ScriptedRecognizer;

class ModelTableTest : public ::testing::Test {
 protected:
  std::unique_ptr<ModelTable> Load(std::vector<std::string> models) {
    options_.models.model = std::move(models);
    auto table =
        ModelTable::Load(options_, [this](const ServeOptions&, const std::string& given) { return LoadOne(given); });
    EXPECT_TRUE(table.ok()) << table.status();
    return *std::move(table);
  }

  absl::StatusOr<LoadedModel> LoadOne(const std::string& given) {
    ++loads_;
    if (!failure_.ok()) return failure_;
    recognizer_ = std::make_shared<ScriptedRecognizer>();
    auto dispatcher = std::make_unique<Dispatcher>(recognizer_, DispatcherOptions{});
    return LoadedModel{.name = given, .recognizer = recognizer_, .dispatcher = std::move(dispatcher)};
  }

  static absl::Status Submit(const LoadedModel& model, std::function<void(const absl::StatusOr<Transcript>&)> on_done) {
    return model.dispatcher
        ->Submit({.tenant = "t",
                  .input = AudioInput::Samples({}, 16000, 1, "a"),
                  .options = {},
                  .on_done = std::move(on_done)})
        .status();
  }

  ServeOptions options_;
  int loads_ = 0;
  absl::Status failure_;
  std::shared_ptr<ScriptedRecognizer> recognizer_;  // of the last load
};

TEST_F(ModelTableTest, TheFirstIsTheDefault) {
  const auto table = Load({"one", "two"});
  EXPECT_EQ((*table->Find(""))->name, "one");
  EXPECT_EQ((*table->Find("whisper-1"))->name, "one");
  EXPECT_EQ((*table->Find("two"))->name, "two");
  EXPECT_EQ(table->all().size(), 2U);
}

TEST_F(ModelTableTest, AnUnknownOneIsNotFoundAndTheKnownAreListed) {
  const absl::Status status = Load({"one", "two"})->Find("three").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("one, two"));
}

TEST_F(ModelTableTest, NoModelTwoOfOneNameOrOneThatFailsAreErrors) {
  ServeOptions options;
  const auto loader = [this](const ServeOptions&, const std::string& given) { return LoadOne(given); };
  EXPECT_EQ(ModelTable::Load(options, loader).status().code(), absl::StatusCode::kInvalidArgument);
  options.models.model = {"one", "one"};
  EXPECT_EQ(ModelTable::Load(options, loader).status().code(), absl::StatusCode::kInvalidArgument);
  failure_ = absl::NotFoundError("gone");
  options.models.model = {"one"};
  EXPECT_EQ(ModelTable::Load(options, loader).status(), failure_);
}

TEST_F(ModelTableTest, AReloadThatFailsChangesNothing) {
  const auto table = Load({"one"});
  const auto before = *table->Find("one");
  failure_ = absl::NotFoundError("gone");
  EXPECT_EQ(table->Reload(options_), failure_);
  EXPECT_EQ(*table->Find("one"), before);
}

TEST_F(ModelTableTest, ARequestKeepsTheModelItBeganWith) {
  const auto table = Load({"one"});
  auto held = *table->Find("one");
  const auto recognizer = recognizer_;
  std::atomic<bool> done = false;
  ASSERT_TRUE(Submit(*held, [&](const absl::StatusOr<Transcript>& result) { done = result.ok(); }).ok());
  ASSERT_TRUE(recognizer->HasBegun("a"));
  ASSERT_TRUE(table->Reload(options_).ok());
  EXPECT_NE(*table->Find("one"), held);
  EXPECT_EQ(table->pending(), 0) << "of the new ones";
  recognizer->Finish("a", 1);
  EXPECT_TRUE(Eventually([&] { return done.load(); }));
}

TEST_F(ModelTableTest, WhoLetsGoOfAModelLastDoesNotWaitForItsEnd) {
  const auto table = Load({"one"});
  auto held = *table->Find("one");
  testing::Gate callback_may_end;
  std::atomic<bool> ended = false;
  ASSERT_TRUE(Submit(*held, [&](const absl::StatusOr<Transcript>&) {
                callback_may_end.Wait();
                ended = true;
              }).ok());
  ASSERT_TRUE(recognizer_->HasBegun("a"));
  ASSERT_TRUE(table->Reload(options_).ok());
  held.reset();  // would never return if it waited for the callback
  EXPECT_FALSE(ended);
  callback_may_end.Open();
  EXPECT_TRUE(Eventually([&] { return ended.load(); }));
}

TEST_F(ModelTableTest, WithTheTableItsModelsEndAndLaterTheirHoldersMay) {
  auto table = Load({"one", "two"});
  std::weak_ptr<const LoadedModel> one = *table->Find("one");
  auto two = *table->Find("two");
  table.reset();
  EXPECT_TRUE(one.expired());
  EXPECT_EQ(two->dispatcher->load().running, 0);
}

TEST_F(ModelTableTest, AfterADrainModelsRefuseAndSoDoThoseLoadedLater) {
  const auto table = Load({"one"});
  table->Drain();
  const auto refused = [&] { return Submit(**table->Find(""), nullptr).code() == absl::StatusCode::kUnavailable; };
  EXPECT_TRUE(refused());
  ASSERT_TRUE(table->Reload(options_).ok());
  EXPECT_EQ(loads_, 2);
  EXPECT_TRUE(refused());
}

}  // namespace
}  // namespace tutti
