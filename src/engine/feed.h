#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "audio/decoder.h"
#include "engine/parts.h"
#include "engine/request.h"
#include "engine/segment_queue.h"
#include "engine/segmenter.h"
#include "nn/workspace.h"

namespace tutti {

// One recording on its way from bytes to queued segments, a step of about a second at a time, so that its thread can
// turn to something more urgent in between and never has to sleep with the recording in its hands.
//
// Owned by one thread (or the FeedQueue) at a time.
class Feed {
 public:
  // `parts` and `queue` outlive it.
  Feed(std::shared_ptr<Request> request, AudioInput input, const RecognizerParts& parts, SegmentQueue& queue,
       SyncPoints* sync_points);

  const Request& request() const { return *request_; }
  int64_t size() const { return size_; }  // bytes of the input, to compare: how much work it is; 0 when not known
  bool begun() const { return decoder_ != nullptr; }

  // False while the segment that comes next has no room in the queue, or waits for the text before it.
  bool can_run() const;
  // The next segment is told what was said in the last one, which is not found yet.
  bool waits_for_text() const;

  // Queues what was cut as far as there is room; with all of it gone, decodes on. False when nothing is left to do:
  // the last segment is queued, or the request has ended.
  bool Step(Workspace& workspace);

 private:
  absl::StatusOr<bool> TryStep(Workspace& workspace);
  absl::Status Open();
  absl::Status DecodeOn(Workspace& workspace);
  // The segmenter's segments, in their order; those of a channel that the model wants joined wait for the next ones.
  void Cut(VadSegment segment, int channel, std::span<const float> samples);
  void CutJoined(int channel);
  void Queue(std::vector<VadSegment> pieces, int channel, std::span<const float> samples);

  const std::shared_ptr<Request> request_;
  const AudioInput input_;
  const int64_t size_;
  const RecognizerParts& parts_;
  SegmentQueue& queue_;
  SyncPoints* const sync_points_;

  std::unique_ptr<AudioDecoder> decoder_;    // null before the first step
  std::vector<Segmenter> segmenters_;        // one a channel
  std::vector<std::vector<float>> decoded_;  // what the last step decoded, of each channel
  // Stretches of speech that go on as one segment.
  struct Joined {
    std::vector<VadSegment> pieces;
    std::vector<float> samples;
  };
  std::vector<Joined> joined_;                      // one a channel
  std::deque<std::unique_ptr<QueuedSegment>> cut_;  // no room yet
  int64_t samples_ = 0;                             // decoded, of each channel
  Recording recording_;
  int64_t queued_ = 0;  // segments
  bool ended_ = false;  // decoded to the end
};

}  // namespace tutti
