#include "service/url.h"

#include <gtest/gtest.h>

namespace tutti {
namespace {

TEST(UrlTest, PartsAreTakenApart) {
  const auto plain = ParseUrl("http://Example.com/a/b?c=d#e");
  ASSERT_TRUE(plain.ok());
  EXPECT_FALSE(plain->is_tls);
  EXPECT_EQ(plain->host, "example.com");
  EXPECT_EQ(plain->port, 80);
  EXPECT_EQ(plain->target, "/a/b?c=d");
  EXPECT_EQ(plain->authority(), "example.com");
  const auto port = ParseUrl("https://example.com:8443?x");
  EXPECT_EQ(port->port, 8443);
  EXPECT_EQ(port->target, "/?x");
  EXPECT_EQ(port->authority(), "example.com:8443");
  EXPECT_EQ(ParseUrl("https://[::1]:1/")->host, "::1");
  EXPECT_EQ(ParseUrl("https://[::1]/")->authority(), "[::1]");
}

TEST(UrlTest, WhatCouldMeanTwoThingsIsRefused) {
  for (const char* text : {"", "example.com", "ftp://example.com", "file:///etc/passwd", "http://", "http:///a",
                           "http://a@b/", "http://good.com@evil.com/", "http://a b/", "http://a\\@b/", "http://a:0/",
                           "http://a:65536/", "http://a:1x/", "http://[::1/", "http://[x]/", "http://[::1]x/",
                           "http://ex%61mple.com/", "http://a\r\nHost: b/", "http://ä.de/"}) {
    EXPECT_EQ(ParseUrl(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
  EXPECT_FALSE(ParseUrl("http://a/" + std::string(5000, 'a')).ok());
}

TEST(UrlTest, AddressesOfMachinesNearUsArePrivate) {
  for (const char* address : {"127.0.0.1",
                              "10.1.2.3",
                              "172.16.0.1",
                              "172.31.255.255",
                              "192.168.1.1",
                              "169.254.169.254",
                              "0.0.0.0",
                              "100.64.0.1",
                              "224.0.0.1",
                              "255.255.255.255",
                              "::1",
                              "::",
                              "fe80::1",
                              "fe80::1%eth0",
                              "fc00::1",
                              "ff02::1",
                              "::ffff:127.0.0.1",
                              "::ffff:10.0.0.1",
                              "2002:7f00:1::",
                              "2001:db8::1",
                              "no address",
                              ""}) {
    EXPECT_TRUE(IsPrivateAddress(address)) << address;
  }
  for (const char* address :
       {"8.8.8.8", "172.15.0.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8"}) {
    EXPECT_FALSE(IsPrivateAddress(address)) << address;
  }
}

}  // namespace
}  // namespace tutti
