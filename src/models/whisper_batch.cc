#include "models/whisper_batch.h"

#include <algorithm>
#include <utility>

#include "nn/team.h"

namespace tutti {

absl::Status WhisperBatch::Admit(int64_t id, CrossMemory& memory, WhisperDecodeOptions options) {
  TUTTI_ASSIGN_OR_RETURN(auto search, WhisperSearch::Create(tokens_, decoder_.dims(), std::move(options), pool_));
  if (!pool_.Reserve(search->pages())) {
    return ResourceExhausted("key and value cache: {} pages more than {} of {}", search->pages(), pool_.reserved(),
                             pool_.max_pages());
  }
  utterances_.push_back(std::make_unique<Utterance>(Utterance{id, std::move(memory), std::move(search)}));
  return absl::OkStatus();
}

void WhisperBatch::Remove(int64_t id) {
  std::erase_if(utterances_, [&](const auto& utterance) {
    if (utterance->id != id) return false;
    pool_.Unreserve(utterance->search->pages());
    return true;
  });
}

void WhisperBatch::Step(Workspace& workspace) {
  inputs_.clear();
  wanted_.clear();
  first_wanted_.clear();
  int64_t rows = 0;
  for (const auto& utterance : utterances_) {
    first_wanted_.push_back(static_cast<int64_t>(wanted_.size()));
    utterance->search->AddWanted(rows, wanted_);
    const size_t before = inputs_.size();
    utterance->search->AddInputs(utterance->memory, inputs_);
    for (size_t i = before; i < inputs_.size(); ++i) rows += static_cast<int64_t>(inputs_[i].tokens.size());
  }
  if (rows == 0) return;
  const int64_t width = decoder_.dims().width, vocabulary = decoder_.dims().vocabulary;
  const auto wanted = static_cast<int64_t>(wanted_.size());
  Workspace::Scope scope(workspace);
  float* hidden = scope.Floats(rows * width);
  decoder_.Run(inputs_, workspace, hidden);
  for (int64_t i = 0; i < wanted; ++i) {  // ascending, so nothing is overwritten that is still to move
    const int64_t row = wanted_[static_cast<size_t>(i)];
    if (row != i) std::copy_n(hidden + row * width, width, hidden + i * width);
  }
  float* logits = scope.Floats(wanted * vocabulary);
  decoder_.Logits(hidden, wanted, workspace, logits);
  ForEach(utterances(), workspace, [&](int64_t i, Workspace& own) {
    WhisperSearch& search = *utterances_[static_cast<size_t>(i)]->search;
    float* first = logits + first_wanted_[static_cast<size_t>(i)] * vocabulary;
    search.Choose({first, static_cast<size_t>(search.wanted() * vocabulary)}, own);
  });
  for (const auto& utterance : utterances_) {
    utterance->search->Advance();
    if (!utterance->search->finished()) continue;
    pool_.Unreserve(utterance->search->pages());
    finished_.push_back({utterance->id, utterance->search->TakeResult(), std::move(utterance->memory)});
  }
  std::erase_if(utterances_, [](const auto& utterance) { return utterance->search->finished(); });
}

}  // namespace tutti
