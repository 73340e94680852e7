#include "service/percent.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

namespace tutti {
namespace {

TEST(PercentTest, EscapesOfAnyCaseAreDecoded) {
  EXPECT_EQ(PercentDecode("a%20b%2fC%2F", false), "a b/C/");
  EXPECT_EQ(PercentDecode("%e4%BD%a0", false), "你");
  EXPECT_EQ(PercentDecode("%00", false), std::string(1, '\0'));
  EXPECT_EQ(PercentDecode("", false), "");
}

TEST(PercentTest, APlusIsASpaceInFormsOnly) {
  EXPECT_EQ(PercentDecode("a+b%2B", true), "a b+");
  EXPECT_EQ(PercentDecode("a+b%2B", false), "a+b+");
}

TEST(PercentTest, MalformedEscapesAreRefused) {
  for (const char* text : {"%", "%2", "a%", "%zz", "%2g", "%g2", "%%20", "%-1", "% 1", "%1\xff"}) {
    EXPECT_EQ(PercentDecode(text, false), std::nullopt) << text;
  }
}

TEST(PercentTest, WhatIsEncodedComesBack) {
  std::mt19937 random(1);
  for (int round = 0; round < 1000; ++round) {
    std::string bytes, encoded;
    for (size_t i = random() % 20; i > 0; --i) {
      const auto byte = static_cast<unsigned char>(random());
      bytes += static_cast<char>(byte);
      const bool plain = std::isalnum(byte) != 0 && random() % 2 == 0;
      encoded += plain ? std::string(1, static_cast<char>(byte)) : fmt::format("%{:02x}", byte);
    }
    EXPECT_EQ(PercentDecode(encoded, true), bytes) << encoded;
  }
}

}  // namespace
}  // namespace tutti
