#include "server/router.h"

#include <fmt/format.h>

namespace tutti {

const Route* FindRoute(std::string_view method, std::string_view path, std::string& allowed) {
  static constexpr Route kRoutes[] = {
      {"POST", "/v1/audio/transcriptions", HandleOpenAiTranscription},
      {"POST", "/v1/audio/translations", HandleOpenAiTranslation},
      {"GET", "/v1/models", HandleModels},
      {"GET", "/v1/models/*", HandleModels},
      {"POST", "/v1/transcribe", HandleTranscribe},
      {"POST", "/v1/jobs", HandleNewJob},
      {"GET", "/v1/jobs", HandleJobs},
      {"GET", "/v1/jobs/*", HandleJob},
      {"DELETE", "/v1/jobs/*", HandleCancelJob},
      {"GET", "/v1/status", HandleStatus},
      {"POST", "/recognition", HandleRecognition},
      {"POST", "/asr", HandleAsr},
      {"GET", "/metrics", HandleMetrics},
      {"GET", "/health", HandleHealth, true},
      {"GET", "/healthz", HandleAlive, true},
      {"GET", "/readyz", HandleReady, true},
      {"GET", "/", HandleAsset, true, true},
      {"GET", "/ws", HandleNoSocket, true, true},
      {"GET", "/openapi.json", HandleAsset, true},
      {"GET", "/assets/*", HandleAsset, true},
  };
  if (method == "HEAD") method = "GET";
  allowed.clear();
  for (const Route& route : kRoutes) {
    const bool is_prefix = route.pattern.ends_with('*');
    const std::string_view fixed = route.pattern.substr(0, route.pattern.size() - (is_prefix ? 1 : 0));
    if (is_prefix ? !path.starts_with(fixed) : path != fixed) continue;
    if (route.method == method) return &route;
    allowed += fmt::format("{}{}", allowed.empty() ? "" : ", ", route.method == "GET" ? "GET, HEAD" : route.method);
  }
  return nullptr;
}

}  // namespace tutti
