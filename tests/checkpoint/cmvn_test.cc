#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "checkpoint/model_package.h"

namespace tutti {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::string_view kGood =
    "<Nnet>\n"
    "<Splice> 3 3\n"
    "[ 0 ]\n"
    "<AddShift> 3 3\n"
    "<LearnRateCoef> 0 [ -8.311879 -8.5 1e-3 ]\n"
    "<Rescale> 3 3\n"
    "<LearnRateCoef> 0 [ 0.155775 2 3 ]\n"
    "</Nnet>\n";

std::string Error(std::string_view from, std::string_view to) {
  std::string text(kGood);
  text.replace(text.find(from), from.size(), to);
  const auto cmvn = ParseCmvn(text, "am.mvn");
  return cmvn.ok() ? "no error" : Message(cmvn.status());
}

TEST(CmvnTest, TheSpliceBlockIsNotTheShift) {
  const auto cmvn = ParseCmvn(kGood, "am.mvn");
  ASSERT_TRUE(cmvn.ok()) << cmvn.status();
  EXPECT_THAT(cmvn->shift, ElementsAre(-8.311879f, -8.5f, 1e-3f));
  EXPECT_THAT(cmvn->scale, ElementsAre(0.155775f, 2, 3));
}

TEST(CmvnTest, WindowsLineEndsAndAMissingSpliceAreFine) {
  const auto cmvn =
      ParseCmvn("<AddShift> 1 1\r\n<LearnRateCoef> 0 [ 1 ]\r\n<Rescale> 1 1\r\n<LearnRateCoef> 0 [ 2 ]\r\n", "am.mvn");
  ASSERT_TRUE(cmvn.ok()) << cmvn.status();
  EXPECT_THAT(cmvn->shift, ElementsAre(1));
  EXPECT_THAT(cmvn->scale, ElementsAre(2));
}

TEST(CmvnTest, AMalformedFileNamesLineAndField) {
  EXPECT_THAT(Error("-8.5", "x"), HasSubstr("am.mvn: line 5: field 5: found \"x\", expected a number"));
  EXPECT_THAT(Error("-8.5", "nan"), HasSubstr("field 5"));
  EXPECT_THAT(Error("-8.5", "1e60"), HasSubstr("field 5"));
  EXPECT_THAT(Error("-8.5", "-8.5,"), HasSubstr("field 5"));
  EXPECT_THAT(Error("-8.5 ", ""), AllOf(HasSubstr("line 5"), HasSubstr("<AddShift> has 2 values, expected \"3\"")));
  EXPECT_THAT(Error("2 3 ]", "2 3"), AllOf(HasSubstr("line 7"), HasSubstr("after <Rescale>")));
  EXPECT_THAT(Error("<LearnRateCoef> 0", "<LearnRate>"), HasSubstr("line 5"));
  EXPECT_THAT(Error("<AddShift> 3 3\n", ""), HasSubstr("no <AddShift>"));
  EXPECT_THAT(Error("<Rescale> 3", "<Scale> 3"), HasSubstr("no <Rescale>"));
  EXPECT_THAT(Error("<Rescale> 3", "<AddShift> 3"), HasSubstr("line 6: a second <AddShift>"));
  EXPECT_THAT(Error("<Rescale> 3 3\n<LearnRateCoef> 0 [ 0.155775 2 3 ]", "<Rescale> 1 1\n<LearnRateCoef> 0 [ 1 ]"),
              HasSubstr("3 shifts and 1 scales"));
}

TEST(CmvnTest, AFileCutAnywhereIsRefused) {
  for (size_t length = 0; length + 11 < kGood.size(); ++length) {
    EXPECT_FALSE(ParseCmvn(kGood.substr(0, length), "am.mvn").ok()) << length;
  }
}

}  // namespace
}  // namespace tutti
