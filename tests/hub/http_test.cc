#include "hub/http.h"

#include <gtest/gtest.h>

namespace tutti {
namespace {

TEST(HttpUrlTest, AReferenceIsTakenAsABrowserTakesIt) {
  const std::string page = "https://index.example/simple/p/";
  EXPECT_EQ(ResolveUrl(page, "../../files/p.whl").value(), "https://index.example/files/p.whl");
  EXPECT_EQ(ResolveUrl(page, "/p.whl?a=1").value(), "https://index.example/p.whl?a=1");
  EXPECT_EQ(ResolveUrl(page, "https://files.example/p.whl").value(), "https://files.example/p.whl");
  for (const char* bad : {"file:///etc/passwd", "ftp://h/x", "javascript:alert(1)"}) {
    EXPECT_EQ(ResolveUrl(page, bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
}

TEST(HttpUrlTest, APasswordGoesAlongToTheSameHostOnly) {
  const std::string page = "https://me:secret@index.example/simple/p/";
  EXPECT_EQ(ResolveUrl(page, "/p.whl").value(), "https://me:secret@index.example/p.whl");
  EXPECT_EQ(ResolveUrl(page, "https://index.example/p.whl").value(), "https://me:secret@index.example/p.whl");
  EXPECT_EQ(ResolveUrl(page, "http://index.example/p.whl").value(), "http://index.example/p.whl");
  EXPECT_EQ(ResolveUrl(page, "https://other.example/p.whl").value(), "https://other.example/p.whl");
}

TEST(HttpUrlTest, WhatIsShownHoldsNoSecrets) {
  EXPECT_EQ(ShownUrl("https://me:secret@h.example:8443/a/b?token=x#y"), "https://h.example:8443/a/b");
  EXPECT_EQ(ShownUrl("not a url"), "a malformed URL");
}

TEST(HttpUrlTest, APathIsEncodedButForItsSlashes) {
  EXPECT_EQ(PercentEncodedPath("sub/a b#?%é.bin"), "sub/a%20b%23%3F%25%C3%A9.bin");
}

}  // namespace
}  // namespace tutti
