#include "frontend/frontend.h"

#include <algorithm>
#include <array>

#include "frontend/fbank_kernel.h"

namespace tutti {
namespace {

constexpr int kSamplesPerMs = 16;
constexpr int kMaxMels = 128;
constexpr int kMaxStacked = 64;  // frames in a row, and between rows
// Filter bank frames that are in work at a time, as floats: enough for many rows of any options, small enough for the
// stack.
constexpr int64_t kBlockFloats = 24 * 1024;

absl::Status Check(const FrontendOptions& options) {
  if (options.sample_rate != 16000) {
    return Unimplemented("frontend: sample rate {} Hz, only 16000 is supported", options.sample_rate);
  }
  if (options.mels < 1 || options.mels > kMaxMels) {
    return InvalidArgument("frontend: {} mel filters, expected 1 to {}", options.mels, kMaxMels);
  }
  constexpr int kMinLength = FbankTables::kPoints / 2 + 1;  // a shorter frame would take a shorter transform
  if (options.frame_length < kMinLength || options.frame_length > FbankTables::kPoints) {
    return Unimplemented("frontend: frames of {} samples, {} to {} are supported", options.frame_length, kMinLength,
                         FbankTables::kPoints);
  }
  if (options.frame_shift < 1 || options.frame_shift > options.frame_length) {
    return InvalidArgument("frontend: frame shift of {} samples, expected 1 to {}", options.frame_shift,
                           options.frame_length);
  }
  if (options.lfr_m < 1 || options.lfr_m > kMaxStacked || options.lfr_n < 1 || options.lfr_n > kMaxStacked) {
    return InvalidArgument("frontend: lfr_m {}, lfr_n {}, expected 1 to {} each", options.lfr_m, options.lfr_n,
                           kMaxStacked);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<FrontendOptions> FrontendOptions::FromConfig(const Config& config) {
  FrontendOptions options;
  TUTTI_ASSIGN_OR_RETURN(const int64_t rate, config.GetIntBetween("frontend_conf.fs", 16000, 1, 1'000'000));
  TUTTI_ASSIGN_OR_RETURN(const int64_t mels, config.GetIntBetween("frontend_conf.n_mels", 80, 1, kMaxMels));
  TUTTI_ASSIGN_OR_RETURN(const int64_t length_ms, config.GetIntBetween("frontend_conf.frame_length", 25, 1, 1000));
  TUTTI_ASSIGN_OR_RETURN(const int64_t shift_ms, config.GetIntBetween("frontend_conf.frame_shift", 10, 1, 1000));
  TUTTI_ASSIGN_OR_RETURN(const int64_t lfr_m, config.GetIntBetween("frontend_conf.lfr_m", 1, 1, kMaxStacked));
  TUTTI_ASSIGN_OR_RETURN(const int64_t lfr_n, config.GetIntBetween("frontend_conf.lfr_n", 1, 1, kMaxStacked));
  // FunASR's spelling.
  TUTTI_ASSIGN_OR_RETURN(options.upscale_samples, config.GetBool("frontend_conf.upsacle_samples", true));
  TUTTI_ASSIGN_OR_RETURN(const std::string window, config.GetString("frontend_conf.window", "hamming"));
  TUTTI_ASSIGN_OR_RETURN(const bool snip_edges, config.GetBool("frontend_conf.snip_edges", true));
  if (window != "hamming") {
    return Unimplemented("{}: frontend_conf.window: \"{}\", only hamming is supported", config.source_name(), window);
  }
  if (!snip_edges) {
    return Unimplemented("{}: frontend_conf.snip_edges: false, only true is supported", config.source_name());
  }
  options.sample_rate = static_cast<int>(rate);
  options.mels = static_cast<int>(mels);
  options.frame_length = static_cast<int>(length_ms) * kSamplesPerMs;
  options.frame_shift = static_cast<int>(shift_ms) * kSamplesPerMs;
  options.lfr_m = static_cast<int>(lfr_m);
  options.lfr_n = static_cast<int>(lfr_n);
  if (absl::Status status = Check(options); !status.ok()) return WithContext(status, config.source_name());
  return options;
}

absl::StatusOr<std::shared_ptr<const Frontend>> Frontend::Create(const FrontendOptions& options, Cmvn cmvn) {
  TUTTI_RETURN_IF_ERROR(Check(options));
  const auto width = static_cast<size_t>(options.lfr_m) * static_cast<size_t>(options.mels);
  const bool no_cmvn = cmvn.shift.empty() && cmvn.scale.empty();
  if (!no_cmvn && (cmvn.shift.size() != width || cmvn.scale.size() != width)) {
    return InvalidArgument("frontend: CMVN has {} shifts and {} scales, expected {} (lfr_m {} x {} mel filters)",
                           cmvn.shift.size(), cmvn.scale.size(), width, options.lfr_m, options.mels);
  }
  return std::shared_ptr<const Frontend>(new Frontend(options, std::move(cmvn)));
}

absl::StatusOr<std::shared_ptr<const Frontend>> Frontend::FromPackage(const ModelPackage& package) {
  TUTTI_ASSIGN_OR_RETURN(const std::string kind, package.config.GetString("frontend", "WavFrontend"));
  if (kind != "WavFrontend" && kind != "WavFrontendOnline") {
    return Unimplemented("{}: frontend: \"{}\", WavFrontend and WavFrontendOnline are supported",
                         package.config.source_name(), kind);
  }
  TUTTI_ASSIGN_OR_RETURN(const FrontendOptions options, FrontendOptions::FromConfig(package.config));
  auto frontend = Create(options, package.cmvn);
  if (!frontend.ok()) return WithContext(frontend.status(), package.directory);
  return frontend;
}

Frontend::Frontend(const FrontendOptions& options, Cmvn cmvn)
    : options_(options),
      cmvn_(std::move(cmvn)),
      tables_(std::make_unique<FbankTables>(options.frame_length, options.frame_shift, options.mels,
                                            options.upscale_samples ? 32768.0F : 1.0F)) {}

Frontend::~Frontend() = default;

int64_t Frontend::Frames(int64_t samples) const {
  return samples < options_.frame_length ? 0 : 1 + (samples - options_.frame_length) / options_.frame_shift;
}

void Frontend::ComputeFbank(std::span<const float> samples, std::vector<float>& frames) const {
  const int64_t count = Frames(static_cast<int64_t>(samples.size()));
  const size_t used = frames.size();
  frames.resize(used + static_cast<size_t>(count * options_.mels));
  LogMelEnergies(*tables_, samples.data(), count, frames.data() + used);
}

void Frontend::StackRow(const float* frames, int64_t first, int64_t total, int64_t i, float* row) const {
  for (int64_t j = 0; j < options_.lfr_m; ++j) {
    const int64_t frame = std::clamp<int64_t>(i * options_.lfr_n + j - left(), 0, total - 1);
    const float* in = frames + (frame - first) * options_.mels;
    std::copy(in, in + options_.mels, row + j * options_.mels);
  }
  const float* shift = cmvn_.shift.data();
  const float* scale = cmvn_.scale.data();
  for (size_t c = 0; c < cmvn_.shift.size(); ++c) row[c] = (row[c] + shift[c]) * scale[c];
}

void Frontend::Compute(std::span<const float> samples, std::vector<float>& rows) const {
  const int64_t total = Frames(static_cast<int64_t>(samples.size()));
  const int64_t count = (total + options_.lfr_n - 1) / options_.lfr_n;
  const size_t used = rows.size();
  rows.resize(used + static_cast<size_t>(count * width()));
  float* out = rows.data() + used;

  // Blocks of rows; the few frames that two blocks share are computed twice, with the same bits.
  std::array<float, kBlockFloats> frames;
  const int64_t rows_at_a_time = (kBlockFloats / options_.mels - options_.lfr_m) / options_.lfr_n + 1;
  for (int64_t row = 0; row < count; row += rows_at_a_time) {
    const int64_t end = std::min(count, row + rows_at_a_time);
    const int64_t first = std::clamp<int64_t>(row * options_.lfr_n - left(), 0, total - 1);
    const int64_t last = std::clamp<int64_t>((end - 1) * options_.lfr_n + options_.lfr_m - 1 - left(), 0, total - 1);
    LogMelEnergies(*tables_, samples.data() + first * options_.frame_shift, last + 1 - first, frames.data());
    for (int64_t i = row; i < end; ++i) StackRow(frames.data(), first, total, i, out + i * width());
  }
}

int64_t FrontendStream::Accept(std::span<const float> samples, bool is_final, std::vector<float>& rows) {
  const int64_t first_row = next_row_;
  // Pieces, so that the carry stays small however much comes at a time.
  constexpr size_t kPiece = 16'000;
  for (; !samples.empty(); samples = samples.subspan(std::min(kPiece, samples.size()))) {
    AcceptPiece(samples.first(std::min(kPiece, samples.size())), rows);
  }
  if (!is_final) return next_row_ - first_row;
  const int64_t lfr_n = frontend_->options().lfr_n;
  Emit((total_frames_ + lfr_n - 1) / lfr_n, total_frames_, rows);
  const int64_t emitted = next_row_ - first_row;
  samples_.clear();
  frames_.clear();
  first_frame_ = total_frames_ = next_row_ = 0;
  return emitted;
}

void FrontendStream::AcceptPiece(std::span<const float> samples, std::vector<float>& rows) {
  const FrontendOptions& options = frontend_->options();
  samples_.insert(samples_.end(), samples.begin(), samples.end());
  const int64_t frames = frontend_->Frames(static_cast<int64_t>(samples_.size()));
  if (frames == 0) return;
  frontend_->ComputeFbank(samples_, frames_);
  samples_.erase(samples_.begin(), samples_.begin() + frames * options.frame_shift);
  total_frames_ += frames;
  // Row i needs frames up to i · lfr_n + right.
  const int64_t right = options.lfr_m - 1 - frontend_->left();
  if (total_frames_ > right) Emit((total_frames_ - 1 - right) / options.lfr_n + 1, total_frames_, rows);
}

void FrontendStream::Emit(int64_t end, int64_t total, std::vector<float>& rows) {
  const FrontendOptions& options = frontend_->options();
  const int64_t width = frontend_->width();
  size_t out = rows.size();
  rows.resize(out + static_cast<size_t>((end - next_row_) * width));
  for (; next_row_ < end; ++next_row_, out += static_cast<size_t>(width)) {
    frontend_->StackRow(frames_.data(), first_frame_, total, next_row_, rows.data() + out);
  }
  const int64_t needed = std::clamp<int64_t>(next_row_ * options.lfr_n - frontend_->left(), first_frame_, total);
  frames_.erase(frames_.begin(), frames_.begin() + (needed - first_frame_) * options.mels);
  first_frame_ = needed;
}

}  // namespace tutti
