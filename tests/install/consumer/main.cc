#include <tutti/recognizer.h>

#include <iostream>

int main(int, char** argv) {
  auto recognizer = tutti::Recognizer::Create({.model = argv[1]});
  if (!recognizer.ok()) return std::cerr << recognizer.status() << "\n", 1;
  auto transcript = (*recognizer)->Transcribe(tutti::AudioInput::File(argv[2]));
  if (!transcript.ok()) return std::cerr << transcript.status() << "\n", 1;
  std::cout << transcript->text << "\n";
}
