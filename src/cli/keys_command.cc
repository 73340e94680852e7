#include "cli/keys_command.h"

#include <fmt/chrono.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/print.h"
#include "cli/exit_codes.h"
#include "cli/usage_error.h"
#include "service/keys.h"

namespace tutti {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kDefaultFile = "$XDG_CONFIG_HOME/tutti/keys or ~/.config/tutti/keys";

absl::StatusOr<std::string> DefaultFile() {
  const auto folder = [](const char* variable, const char* below) -> std::string {
    const char* value = std::getenv(variable);
    return value == nullptr || *value == '\0' ? "" : value + std::string(below);
  };
  std::string config = folder("XDG_CONFIG_HOME", "");
  if (config.empty()) config = folder("HOME", "/.config");
  if (config.empty()) return InvalidArgument("keys: say --file FILE: neither XDG_CONFIG_HOME nor HOME is set");
  return config + "/tutti/keys";
}

}  // namespace

CLI::App* KeysCommand::Define(CLI::App& app) {
  CLI::App* command = app.add_subcommand("keys", "make and revoke the API keys that a service accepts");
  command->require_subcommand(1);
  command->footer(
      "Examples:\n"
      "  tutti keys add callcentre\n"
      "  tutti keys list\n"
      "  tutti keys revoke 4f1c09ab\n"
      "\n"
      "The file holds digests; a key is shown once, when it is made. A running service reads the file on SIGHUP.");
  add_ = command->add_subcommand("add", "make a key for a tenant and print it; a tenant may have several");
  add_->add_option("TENANT", tenant_, "whose key it is: 1 to 64 of a-z A-Z 0-9 . _ -")->required();
  revoke_ = command->add_subcommand("revoke", "take all keys of a tenant, or the one with this id, out of the file");
  revoke_->add_option("TENANT|KEY-ID", tenant_, "a tenant, or an id from `tutti keys list`")->required();
  CLI::App* list = command->add_subcommand("list", "tenant, key id and date of each key");
  list->add_flag("--json", json_, "print JSON");
  for (CLI::App* each : {add_, revoke_, list}) {
    each->add_option("--file", file_, "the key file that `tutti serve --keys` reads")
        ->option_text("FILE")
        ->default_str(kDefaultFile);
  }
  return command;
}

int KeysCommand::Run() const {
  const absl::StatusOr<std::string> file = file_.empty() ? DefaultFile() : file_;
  if (!file.ok()) return UsageError(file.status());
  if (add_->parsed()) return Add(*file);
  return revoke_->parsed() ? Revoke(*file) : List(*file);
}

int KeysCommand::Add(const std::string& file) const {
  std::error_code error;  // AddKey says what is wrong
  if (file_.empty()) std::filesystem::create_directories(std::filesystem::path(file).parent_path(), error);
  const auto key = AddKey(file, tenant_, fmt::format("{:%Y-%m-%d}", fmt::gmtime(std::time(nullptr))));
  if (!key.ok()) return absl::IsInvalidArgument(key.status()) ? UsageError(key.status()) : CannotStart(key.status());
  PrintText(stdout, "{}\n", *key);
  PrintText(stderr, "tutti: {}: a key for {}; it is not shown again\n", file, tenant_);
  return kExitOk;
}

int KeysCommand::Revoke(const std::string& file) const {
  const auto revoked = RevokeKeys(file, tenant_);
  if (!revoked.ok()) return CannotStart(revoked.status());
  PrintText(stderr, "tutti: {}: {} {} revoked\n", file, *revoked, *revoked == 1 ? "key" : "keys");
  return kExitOk;
}

int KeysCommand::List(const std::string& file) const {
  const auto store = KeyStore::Load(file);
  if (!store.ok()) return CannotStart(store.status());
  if (json_) {
    Json keys = Json::array();
    for (const KeyStore::Entry& entry : store->entries()) {
      keys.push_back({{"tenant", entry.tenant}, {"id", entry.id}, {"created", entry.created}});
    }
    PrintText(stdout, "{}\n", keys.dump(2));
    return kExitOk;
  }
  size_t width = 0;
  for (const KeyStore::Entry& entry : store->entries()) width = std::max(width, entry.tenant.size());
  for (const KeyStore::Entry& entry : store->entries()) {
    PrintText(stdout, "{:{}}  {}  {}\n", entry.tenant, width, entry.id, entry.created);
  }
  return kExitOk;
}

}  // namespace tutti
