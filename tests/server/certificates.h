#pragma once

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <memory>
#include <string>

namespace tutti::testing {

struct FreeTls {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(X509_EXTENSION* extension) const { X509_EXTENSION_free(extension); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};

// A certificate authority of a test. Not thread-safe.
class TestAuthority {
 public:
  TestAuthority()
      : key_(EVP_EC_gen("P-256")), certificate_(Sign(key_.get(), "basicConstraints", "critical,CA:TRUE", nullptr)) {}

  // Its own certificate, PEM.
  void Write(const std::string& path) const { WritePem(path, certificate_.get(), nullptr); }
  // A certificate for `name`, "IP:127.0.0.1" or "DNS:example.org", with its key.
  void Issue(const std::string& name, const std::string& certificate_path, const std::string& key_path) {
    const std::unique_ptr<EVP_PKEY, FreeTls> key(EVP_EC_gen("P-256"));
    const auto certificate = Sign(key.get(), "subjectAltName", name, certificate_.get());
    WritePem(certificate_path, certificate.get(), nullptr);
    WritePem(key_path, nullptr, key.get());
  }

 private:
  // `issuer` null: itself.
  std::unique_ptr<X509, FreeTls> Sign(EVP_PKEY* key, const char* extension, const std::string& value,
                                      const X509* issuer) {
    std::unique_ptr<X509, FreeTls> certificate(X509_new());
    X509_set_version(certificate.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), ++serial_);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
    X509_set_pubkey(certificate.get(), key);
    const std::string subject = issuer == nullptr ? "test authority" : "test";
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(subject.c_str()), -1, -1, 0);
    X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer == nullptr ? certificate.get() : issuer));
    const std::unique_ptr<X509_EXTENSION, FreeTls> made(X509V3_EXT_conf(nullptr, nullptr, extension, value.c_str()));
    X509_add_ext(certificate.get(), made.get(), -1);
    EXPECT_NE(X509_sign(certificate.get(), key_.get(), EVP_sha256()), 0);
    return certificate;
  }

  static void WritePem(const std::string& path, X509* certificate, EVP_PKEY* key) {
    std::FILE* file = std::fopen(path.c_str(), "w");
    ASSERT_NE(file, nullptr) << path;
    if (certificate != nullptr) PEM_write_X509(file, certificate);
    if (key != nullptr) PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
  }

  int serial_ = 0;
  const std::unique_ptr<EVP_PKEY, FreeTls> key_;
  const std::unique_ptr<X509, FreeTls> certificate_;
};

}  // namespace tutti::testing
