#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "service/batch_journal.h"

namespace tutti {

// How far a job is.
struct JobReport {
  std::string file;
  bool running = false;  // a program works on it now
  BatchJournal::Counts counts;
  BatchJournal::Run run;  // the last one, or the one that goes on
  int64_t now_ms = 0;
  std::vector<JournalRecording> failed;

  // Audio by time since the run began (while it goes on) or until the last result. 0 before the first.
  double x_real_time() const;
  // By the recordings that are left. Negative: not known, or nobody works on it.
  double seconds_left() const;
};

std::string RenderText(const JobReport& report);
std::string RenderJson(const JobReport& report);

// One line of `tutti job export`. `texts` are those of `formats`, empty when it is not done.
std::string ExportLine(const JournalRecording& recording, const std::vector<std::string>& formats,
                       const std::vector<std::string>& texts);

}  // namespace tutti
