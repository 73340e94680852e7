// The C++ interface for Python, as thin as it gets; python/tutti/ makes it pleasant.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <map>
#include <thread>

#include "tutti/recognizer.h"

namespace py = pybind11;

namespace tutti {
namespace {

[[noreturn]] void Raise(const absl::Status& status) {
  const auto message = status.message();
  py::module_::import("tutti._errors")
      .attr("raise_status")(static_cast<int>(status.code()), py::str(message.data(), message.size()));
  throw std::logic_error("raise_status returned");
}

// A Python callable that a thread of the recogniser may call and drop.
class Callback {
 public:
  explicit Callback(py::function call)
      : call_(new py::function(std::move(call)), [](py::function* held) {
          const py::gil_scoped_acquire gil;
          delete held;
        }) {}

  void operator()(const absl::StatusOr<Transcript>& result) const {
    const py::gil_scoped_acquire gil;
    try {
      if (result.ok()) {
        (*call_)(0, "", *result);
      } else {
        const auto message = result.status().message();
        (*call_)(static_cast<int>(result.status().code()), py::str(message.data(), message.size()), py::none());
      }
    } catch (py::error_already_set& error) {
      error.discard_as_unraisable("tutti");
    }
  }

 private:
  std::shared_ptr<py::function> call_;
};

// Set while a thread of a recogniser calls Python.
thread_local bool in_callback = false;

// The recogniser's end waits for its threads, and these may wait for the GIL, or be the one that drops the last handle.
void Destroy(Recognizer* recognizer) {
  if (in_callback) {
    std::thread([recognizer] { delete recognizer; }).detach();
    return;
  }
  if (PyGILState_Check() == 0) {
    delete recognizer;
    return;
  }
  const py::gil_scoped_release release;
  delete recognizer;
}

template <typename T>
bool Holds(const py::buffer_info& info) {
  return info.itemsize == sizeof(T) && info.format == py::format_descriptor<T>::format();
}

// Samples of any buffer of floats or 16-bit integers, [frames] or [frames, channels].
AudioInput FromBuffer(const py::buffer& buffer, int sample_rate, std::string name) {
  const py::buffer_info info = buffer.request();
  if (info.ndim < 1 || info.ndim > 2) {
    throw py::value_error("samples have the shape [frames] or [frames, channels]");
  }
  const py::ssize_t frames = info.shape[0], channels = info.ndim == 2 ? info.shape[1] : 1;
  std::vector<float> samples;
  samples.reserve(static_cast<size_t>(frames * channels));
  const auto read = [&]<typename T>(T, float scale) {
    for (py::ssize_t frame = 0; frame < frames; ++frame) {
      for (py::ssize_t channel = 0; channel < channels; ++channel) {
        const char* at = static_cast<const char*>(info.ptr) + frame * info.strides[0] +
                         (info.ndim == 2 ? channel * info.strides[1] : 0);
        T value;
        std::memcpy(&value, at, sizeof value);
        samples.push_back(static_cast<float>(value) * scale);
      }
    }
  };
  if (Holds<float>(info)) {
    read(float{}, 1.0F);
  } else if (Holds<double>(info)) {
    read(double{}, 1.0F);
  } else if (Holds<int16_t>(info)) {
    read(int16_t{}, 1.0F / 32768);
  } else {
    throw py::type_error("samples are float32 or float64 in [-1, 1], or int16; this buffer has the format " +
                         info.format);
  }
  return AudioInput::Samples(std::move(samples), sample_rate, static_cast<int>(channels), std::move(name));
}

TranscribeOptions OptionsOf(bool use_vad, bool split_channels, bool interactive, const std::string& raw_format,
                            int64_t max_segment_ms, std::optional<double> timeout,
                            std::optional<VadOptions> vad_options, const std::map<std::string, std::string>& search) {
  TranscribeOptions options;
  for (const auto& [name, value] : search) {
    const absl::Status set = SetSearchOption(name, value, options.search);
    if (!set.ok()) Raise(set);
  }
  options.use_vad = use_vad;
  options.vad_options = std::move(vad_options);
  options.channels = split_channels ? Channels::kSplit : Channels::kMix;
  options.priority = interactive ? Priority::kInteractive : Priority::kBatch;
  options.raw_format = raw_format;
  options.max_segment_ms = max_segment_ms;
  if (timeout) {
    options.deadline =
        std::chrono::steady_clock::now() +
        std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::duration<double>(*timeout));
  }
  return options;
}

// A Recognizer that can be closed, and that knows the process it works in. Thread-safe under the GIL.
class Core {
 public:
  explicit Core(const RecognizerOptions& options) {
    absl::StatusOr<std::unique_ptr<Recognizer>> made = absl::UnknownError("");
    {
      const py::gil_scoped_release release;
      made = Recognizer::Create(options);
    }
    if (!made.ok()) Raise(made.status());
    recognizer_ = std::shared_ptr<Recognizer>(made->release(), Destroy);
  }

  std::shared_ptr<Transcription> Submit(const AudioInput& input, const TranscribeOptions& options,
                                        py::function on_done) {
    const std::shared_ptr<Recognizer> recognizer = Get();
    Recognizer::OnDone tell = [callback = Callback(std::move(on_done))](const absl::StatusOr<Transcript>& result) {
      in_callback = true;
      callback(result);
      in_callback = false;
    };
    absl::StatusOr<std::shared_ptr<Transcription>> accepted = absl::UnknownError("");
    {
      const py::gil_scoped_release release;
      accepted = recognizer->Submit(input, options, std::move(tell));
    }
    if (!accepted.ok()) Raise(accepted.status());
    return *std::move(accepted);
  }

  std::unique_ptr<VadSession> OpenStream(const VadOptions& options) {
    auto session = Get()->OpenStream(options);
    if (!session.ok()) Raise(session.status());
    return *std::move(session);
  }

  void Close() { recognizer_ = nullptr; }

  // After fork its threads are not in this process: nothing may be called or destroyed.
  void Abandon() {
    if (recognizer_ != nullptr) new std::shared_ptr<Recognizer>(std::move(recognizer_));
    recognizer_ = nullptr;
    abandoned_ = true;
  }

  std::shared_ptr<Recognizer> Get() const {
    if (abandoned_) {
      throw std::runtime_error(
          "this Recognizer was made before the process forked, and its threads did not come along: make one in the "
          "child process, or let multiprocessing start its processes by \"spawn\"");
    }
    if (recognizer_ == nullptr) throw std::runtime_error("this Recognizer is closed");
    return recognizer_;
  }

 private:
  std::shared_ptr<Recognizer> recognizer_;
  bool abandoned_ = false;
};

// Sets the fields that `given` names; the name of one that is not there raises TypeError.
VadOptions VadOptionsOf(VadOptions options, const py::dict& given) {
  for (const auto& [key, value] : given) {
    const auto name = key.cast<std::string>();
    if (name == "detect_mode") {
      options.detect_mode = static_cast<VadOptions::DetectMode>(value.cast<int>());
#define TUTTI_FIELD(field)   \
  }                          \
  else if (name == #field) { \
    options.field = value.cast<decltype(options.field)>();
      TUTTI_FIELD(max_end_silence_time)
      TUTTI_FIELD(max_start_silence_time)
      TUTTI_FIELD(window_size_ms)
      TUTTI_FIELD(sil_to_speech_time_thres)
      TUTTI_FIELD(speech_to_sil_time_thres)
      TUTTI_FIELD(speech_2_noise_ratio)
      TUTTI_FIELD(do_extend)
      TUTTI_FIELD(lookback_time_start_point)
      TUTTI_FIELD(lookahead_time_end_point)
      TUTTI_FIELD(max_single_segment_time)
      TUTTI_FIELD(snr_thres)
      TUTTI_FIELD(noise_frame_num_used_for_snr)
      TUTTI_FIELD(decibel_thres)
      TUTTI_FIELD(speech_noise_thres)
      TUTTI_FIELD(sil_pdf_ids)
      TUTTI_FIELD(dynamic_silence)
      TUTTI_FIELD(chunk_size)
#undef TUTTI_FIELD
    } else {
      throw py::type_error("there is no VAD option " + name);
    }
  }
  return options;
}

RecognizerOptions RecognizerOptionsOf(const std::string& model, const std::string& vad, const std::string& compute_type,
                                      int threads, int decode_threads, bool pin_threads, bool latency,
                                      double batch_seconds, double queue_seconds, int64_t max_pending) {
  RecognizerOptions options;
  options.model = model;
  options.vad = vad;
  const auto type = ParseComputeType(compute_type);
  if (!type.ok()) Raise(type.status());
  options.compute_type = *type;
  options.threads = threads;
  options.decode_threads = decode_threads;
  options.pin_threads = pin_threads;
  options.latency = latency;
  options.batch_seconds = batch_seconds;
  options.queue_seconds = queue_seconds;
  options.max_pending = max_pending;
  return options;
}

py::list EventsOf(VadSession& session, const py::buffer& buffer, bool is_final) {
  const py::buffer_info info = buffer.request();
  if (info.ndim != 1 || !Holds<float>(info) || info.strides[0] != sizeof(float)) {
    throw py::type_error("samples are a one-dimensional contiguous buffer of float32");
  }
  std::vector<VadEvent> events;
  {
    const py::gil_scoped_release release;
    events = session.Accept({static_cast<const float*>(info.ptr), static_cast<size_t>(info.size)}, is_final);
  }
  py::list list;
  for (const VadEvent& event : events) list.append(py::make_tuple(event.start_ms, event.end_ms));
  return list;
}

}  // namespace
}  // namespace tutti

PYBIND11_MODULE(_tutti, module) {
  using namespace tutti;  // NOLINT(google-build-using-namespace): the names of this file
  module.attr("__version__") = TUTTI_VERSION;
  module.def("search_option_names", &SearchOptionNames);

  py::class_<Token>(module, "Token")
      .def_readonly("text", &Token::text)
      .def_readonly("start_ms", &Token::start_ms)
      .def_readonly("end_ms", &Token::end_ms)
      .def_readonly("score", &Token::score);
  py::class_<Segment>(module, "Segment")
      .def_readonly("start_ms", &Segment::start_ms)
      .def_readonly("end_ms", &Segment::end_ms)
      .def_readonly("channel", &Segment::channel)
      .def_readonly("text", &Segment::text)
      .def_readonly("tokens", &Segment::tokens)
      .def_readonly("avg_logprob", &Segment::avg_logprob)
      .def_readonly("no_speech_prob", &Segment::no_speech_prob)
      .def_readonly("compression_ratio", &Segment::compression_ratio)
      .def_readonly("temperature", &Segment::temperature)
      .def_readonly("language", &Segment::language)
      .def_readonly("language_probability", &Segment::language_probability)
      .def_readonly("token_ids", &Segment::token_ids);
  py::class_<Transcript>(module, "Transcript")
      .def_readonly("file", &Transcript::file)
      .def_readonly("duration_ms", &Transcript::duration_ms)
      .def_readonly("channels", &Transcript::channels)
      .def_readonly("text", &Transcript::text)
      .def_readonly("segments", &Transcript::segments)
      .def_readonly("truncated", &Transcript::truncated)
      .def_readonly("language", &Transcript::language)
      .def_readonly("language_probability", &Transcript::language_probability)
      .def_readonly("model", &Transcript::model)
      .def_readonly("compute_type", &Transcript::compute_type);

  py::class_<AudioInput>(module, "AudioInput")
      .def_static("file", &AudioInput::File)
      .def_static("bytes",
                  [](const py::buffer& bytes, std::string name) {
                    const py::buffer_info info = bytes.request();
                    const auto size = static_cast<size_t>(info.size * info.itemsize);
                    return AudioInput::Bytes(
                        std::make_shared<const std::string>(static_cast<const char*>(info.ptr), size), std::move(name));
                  })
      .def_static("samples", &FromBuffer);
  py::class_<RecognizerOptions>(module, "RecognizerOptions")
      .def(py::init(&RecognizerOptionsOf), py::kw_only(), py::arg("model"), py::arg("vad"), py::arg("compute_type"),
           py::arg("threads"), py::arg("decode_threads"), py::arg("pin_threads"), py::arg("latency"),
           py::arg("batch_seconds"), py::arg("queue_seconds"), py::arg("max_pending"));
  py::class_<VadOptions>(module, "VadOptions");
  py::class_<TranscribeOptions>(module, "TranscribeOptions")
      .def(py::init(&OptionsOf), py::kw_only(), py::arg("use_vad"), py::arg("split_channels"), py::arg("interactive"),
           py::arg("raw_format"), py::arg("max_segment_ms"), py::arg("timeout"), py::arg("vad_options"),
           py::arg("search"));

  py::class_<Transcription, std::shared_ptr<Transcription>>(module, "Transcription")
      .def("cancel", &Transcription::Cancel, py::call_guard<py::gil_scoped_release>());
  py::class_<VadSession>(module, "VadSession").def("accept", &EventsOf);
  py::class_<Core>(module, "Core")
      .def(py::init<const RecognizerOptions&>())
      .def("submit", &Core::Submit)
      .def("open_stream", &Core::OpenStream)
      .def("vad_options", [](const Core& core,
                             const py::dict& given) { return VadOptionsOf(core.Get()->default_vad_options(), given); })
      .def("close", &Core::Close)
      .def("abandon", &Core::Abandon)
      .def("threads", [](const Core& core) { return core.Get()->threads(); })
      .def("compute_type", [](const Core& core) { return std::string(Name(core.Get()->compute_type())); })
      .def("languages", [](const Core& core) { return core.Get()->languages(); })
      .def("translates", [](const Core& core) { return core.Get()->translates(); })
      .def("takes_search_options", [](const Core& core) { return core.Get()->takes_search_options(); })
      .def("pending", [](const Core& core) { return core.Get()->stats().pending; });
}
