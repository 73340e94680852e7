#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <span>
#include <utility>

#include "engine/audio_input.h"
#include "pool/supervisor.h"

namespace tutti {
namespace {

// With a message that no other status shares: TSan does not see abseil count its owners.
absl::Status OwnCopy(const absl::Status& status) { return absl::Status(status.code(), Message(status)); }

}  // namespace

void Supervisor::HandOutAll() {
  // One at a time to each, so that all begin.
  for (bool any = true; any && hand_out_.has_waiting();) {
    any = false;
    for (auto& [id, worker] : workers_) {
      if (!worker.takes_jobs()) continue;
      const std::optional<int64_t> job = hand_out_.Next(id);
      any = (job && StartJobAt(worker, *job)) || any;
    }
  }
}

// What to tell the worker of a job, with the file to send along; the audio in memory is put where both can see it.
absl::StatusOr<StartJob> Supervisor::Describe(int64_t job_id, Job& job, UniqueFd* file) {
  StartJob start;
  start.job = job_id;
  start.name = job.input.name();
  start.tell_segments = static_cast<bool>(job.request->options().on_segment);
  start.only_speech = job.only_speech;
  start.options = job.request->options();
  if (AudioInputAccess::IsFile(job.input)) {
    start.audio = AudioInputAccess::IsUpload(job.input) ? AudioKind::kUpload : AudioKind::kFile;
    // Without O_NONBLOCK a named pipe would keep everyone waiting.
    TUTTI_ASSIGN_OR_RETURN(*file, OpenRecording(AudioInputAccess::Path(job.input), O_NONBLOCK | O_NOCTTY));
    struct stat info {};
    if (fstat(file->get(), &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) {
      return InvalidArgument(
          "{}: is no regular file, and another process could not read it again; give it on standard input (-)",
          job.input.name());
    }
    return start;
  }
  start.audio = AudioInputAccess::IsSamples(job.input) ? AudioKind::kSamples : AudioKind::kBytes;
  start.sample_rate = AudioInputAccess::SampleRate(job.input);
  start.sample_channels = AudioInputAccess::SampleChannels(job.input);
  if (!job.shared_audio) {
    const std::span<const std::byte> contents = AudioInputAccess::Contents(job.input);
    TUTTI_ASSIGN_OR_RETURN(job.shared_audio, ShareBytes(contents));
    job.shared_bytes = static_cast<int64_t>(contents.size());
    AudioInputAccess::DropContents(job.input);
  }
  start.bytes = job.shared_bytes;
  return start;
}

bool Supervisor::StartJobAt(WorkerLink& worker, int64_t job_id) {
  Job& job = jobs_.at(job_id);
  const auto fail = [&](const absl::Status& status) {
    job.request->Fail(OwnCopy(NamingInput(status, job.request->name())));
    hand_out_.Finished(worker.id, job_id, 0);
    jobs_.erase(job_id);
    return true;
  };
  UniqueFd file;
  const absl::StatusOr<StartJob> start = Describe(job_id, job, &file);
  if (!start.ok()) return fail(start.status());
  auto sheet = JobSheet::Create();
  if (!sheet.ok()) return fail(sheet.status());
  const int audio = file ? file.get() : job.shared_audio.get();
  ReachSyncPoint(options_.recognizer.sync_points, "Supervisor:handing_out");
  const absl::Status sent = worker.channel.Send(*start, {(*sheet)->fd(), audio}, false);
  if (absl::IsInvalidArgument(sent)) return fail(sent);
  if (!sent.ok()) {  // full, or dead: its end is on the way
    hand_out_.TakeBack(worker.id, job_id);
    return false;
  }
  job.sheet = *std::move(sheet);
  ++job.attempts;
  job.segments_seen = 0;
  job.cancel_sent = false;
  return true;
}

void Supervisor::ReadWorker(WorkerLink& worker) {
  while (worker.channel) {
    absl::StatusOr<std::optional<Received>> received = worker.channel.Receive(false);
    if (absl::IsUnavailable(received.status())) return worker.channel.Close();
    if (!received.ok()) return Kill(worker, fmt::format("sent what makes no sense ({})", Message(received.status())));
    if (!received->has_value()) return;
    HandleWorkerMessage(worker, **received);
  }
}

void Supervisor::HandleWorkerMessage(WorkerLink& worker, const Received& received) {
  if (const auto* up = std::get_if<WorkerUp>(&received.message)) {
    worker.up = true;
    stillborn_ = 0;
    unavailable_ = absl::OkStatus();
    stats_.sandboxed = stats_.sandboxed && up->sandboxed;
  } else if (const auto* beat = std::get_if<WorkerBeat>(&received.message)) {
    worker.health.Beat();
    worker.resident_bytes = beat->resident_bytes;
  } else if (const auto* segment = std::get_if<SegmentReady>(&received.message)) {
    HandleSegment(worker, *segment);
  } else if (const auto* done = std::get_if<JobDone>(&received.message)) {
    HandleDone(worker, *done);
  } else {
    Kill(worker, "sent a message that is not for the front");
  }
}

void Supervisor::HandleSegment(const WorkerLink& worker, const SegmentReady& ready) {
  Job* const job = JobAt(worker, ready.job);
  if (job == nullptr || ++job->segments_seen <= job->segments_told) return;
  const absl::StatusOr<std::string> bytes = job->sheet->Read(ready.offset, ready.size);
  if (!bytes.ok()) return;
  absl::StatusOr<Segment> segment = DecodeSegment(std::as_bytes(std::span(*bytes)));
  if (segment.ok()) job->request->Relay(job->segments_told++, *std::move(segment));
}

Supervisor::Job* Supervisor::JobAt(const WorkerLink& worker, int64_t job_id) {
  const std::vector<int64_t> running = hand_out_.Of(worker.id);
  return std::ranges::find(running, job_id) != running.end() ? &jobs_.at(job_id) : nullptr;
}

void Supervisor::HandleDone(WorkerLink& worker, const JobDone& done) {
  Job* const job = JobAt(worker, done.job);
  if (job == nullptr) return Kill(worker, "finished a recording that it did not have");
  const absl::StatusOr<std::string> bytes = job->sheet->Read(done.offset, done.size);
  bool decoded = false;
  auto result = bytes.ok() ? DecodeResult(std::as_bytes(std::span(*bytes)), &decoded)
                           : absl::StatusOr<Transcript>(bytes.status());
  if (!decoded) return Kill(worker, fmt::format("sent what makes no sense ({})", Message(result.status())));
  TellProgress(*job);
  const int64_t audio_ms = result.ok() ? result->duration_ms : 0;
  if (result.ok()) {
    job->request->Complete(*std::move(result));
  } else {
    job->request->Fail(OwnCopy(NamingInput(result.status(), job->request->name())));
  }
  hand_out_.Finished(worker.id, done.job, audio_ms);
  jobs_.erase(done.job);
  ++worker.finished;
  deaths_in_a_row_ = 0;
  nursery_deaths_ = 0;
}

void Supervisor::TellProgress(Job& job) {
  Progress progress = job.sheet->progress();
  progress.attempts = job.attempts;
  if (!job.request->options().progress || progress == job.told) return;
  job.told = progress;
  job.request->Relay(progress);
}

void Supervisor::ForgetStopped() {
  std::vector<int64_t> stopped;
  for (const auto& [id, job] : jobs_) {
    if (job.request->stopped()) stopped.push_back(id);
  }
  for (const int64_t id : stopped) {
    if (hand_out_.Drop(id)) jobs_.erase(id);
  }
  for (const auto& [worker_id, worker] : workers_) {
    for (const int64_t id : hand_out_.Of(worker_id)) {
      Job& job = jobs_.at(id);
      // Not told for want of room, it goes on for nothing, and nobody waits for it.
      if (job.request->stopped() && worker.channel && !std::exchange(job.cancel_sent, true)) {
        worker.channel.Send(CancelJob{id}, {}, false).IgnoreError();
      }
    }
  }
}

}  // namespace tutti
