#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <functional>
#include <numbers>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace tutti::testing {

// Sounds without speech, 16 kHz, the same on every machine.

inline constexpr double kSignalRate = 16'000;

// f(t), t in seconds.
inline std::vector<float> Synthesised(double seconds, const std::function<double(double)>& f) {
  std::vector<float> samples(static_cast<size_t>(seconds * kSignalRate));
  for (size_t i = 0; i < samples.size(); ++i) samples[i] = static_cast<float>(f(static_cast<double>(i) / kSignalRate));
  return samples;
}

inline double Sine(double hertz, double t) { return std::sin(2 * std::numbers::pi * hertz * t); }

inline std::vector<float> WhiteNoise(double seconds, double level, uint32_t seed = 1) {
  std::mt19937 generator(seed);
  return Synthesised(seconds, [&](double) { return level * (static_cast<double>(generator()) * 0x1p-31 - 1); });
}

// Falls with the frequency, as the noise of rooms and lines does.
inline std::vector<float> BrownNoise(double seconds, double level) {
  std::vector<float> samples = WhiteNoise(seconds, level / 4);
  float last = 0;
  for (float& sample : samples) sample = last = 0.98F * last + sample;
  return samples;
}

// A struck string: harmonics that fade.
inline double Note(double hertz, double since) {
  if (since < 0) return 0;
  double sum = 0;
  for (int k = 1; k <= 6; ++k) sum += Sine(hertz * k, since) / std::pow(k, 1.3);
  return sum * std::exp(-2.5 * since) * std::min(1.0, since * 200);
}

// Four chords that go round, a melody above them, and a beat.
inline std::vector<float> Music(double seconds) {
  constexpr double kChords[4][3] = {
      {261.63, 329.63, 392}, {220, 261.63, 329.63}, {174.61, 220, 261.63}, {196, 246.94, 293.66}};
  constexpr double kScale[8] = {523.25, 587.33, 659.25, 783.99, 880, 1046.5, 1174.66, 1318.51};
  std::mt19937 generator(7);
  std::vector<double> melody;
  for (int i = 0; i < 400; ++i) melody.push_back(kScale[generator() % 8]);
  return Synthesised(seconds, [&](double t) {
    double sum = 0;
    for (const double hertz : kChords[static_cast<int>(t) % 4]) sum += Note(hertz, t - std::floor(t));
    const double quarter = std::floor(t * 4);
    sum += 0.8 * Note(melody[static_cast<size_t>(quarter)], t - quarter / 4);
    const double beat = t - std::floor(t * 2) / 2;
    sum += 0.5 * (static_cast<double>(generator()) * 0x1p-31 - 1) * std::exp(-40 * beat);
    return 0.15 * sum;
  });
}

inline std::vector<std::pair<std::string, std::vector<float>>> SoundsWithoutSpeech(double seconds) {
  const auto while_on = [](double t, double on, double period) { return std::fmod(t, period) < on ? 1.0 : 0.0; };
  return {
      {"silence", Synthesised(seconds, [](double) { return 0; })},
      {"quiet noise", WhiteNoise(seconds, 0.001)},
      {"noise", WhiteNoise(seconds, 0.1)},
      {"loud noise", WhiteNoise(seconds, 0.5)},
      {"low noise", BrownNoise(seconds, 0.3)},
      {"mains hum",
       Synthesised(seconds, [](double t) { return 0.2 * (Sine(50, t) + Sine(100, t) + Sine(150, t) / 2); })},
      {"a tone", Synthesised(seconds, [](double t) { return 0.5 * Sine(440, t); })},
      {"a dial tone", Synthesised(seconds, [](double t) { return 0.3 * (Sine(350, t) + Sine(440, t)); })},
      {"ringing",
       Synthesised(seconds, [&](double t) { return 0.3 * while_on(t, 2, 6) * (Sine(440, t) + Sine(480, t)); })},
      {"an engaged tone",
       Synthesised(seconds, [&](double t) { return 0.3 * while_on(t, 0.5, 1) * (Sine(480, t) + Sine(620, t)); })},
      {"a rising tone", Synthesised(seconds, [&](double t) { return 0.5 * Sine(100 + 1950 * t / seconds, t); })},
      {"keys", Synthesised(seconds,
                           [&](double t) {
                             constexpr double kRows[] = {697, 770, 852, 941}, kColumns[] = {1209, 1336, 1477};
                             const int key = static_cast<int>(t * 3) * 7;
                             return 0.3 * while_on(t, 0.15, 1.0 / 3) *
                                    (Sine(kRows[key % 4], t) + Sine(kColumns[key % 3], t));
                           })},
      {"music", Music(seconds)},
  };
}

}  // namespace tutti::testing
