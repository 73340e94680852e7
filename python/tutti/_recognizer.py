"""Recognizer: many recordings at once, one copy of the weights."""
from __future__ import annotations

import array
import asyncio
import collections
import collections.abc
import concurrent.futures
import itertools
import numbers
import os
import sys
import time
import weakref
from typing import Any, AsyncIterator, Iterable, Iterator, Optional, Sequence, Union

from . import _models, _tutti
from ._errors import from_status
from ._tutti import Transcript

# A path; an encoded file as bytes; samples, [frames] or [frames, channels], as float32 or float64 in [-1, 1] or int16.
Audio = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview, array.array, Any]

_open: "weakref.WeakSet[Recognizer]" = weakref.WeakSet()


class Transcription(concurrent.futures.Future):
    """The future result of one recording, a Transcript."""

    _work: Optional[_tutti.Transcription] = None

    def cancel(self) -> bool:
        """Work that has not started will not; False when the result was there already."""
        if self._work is not None:
            self._work.cancel()
        return super().cancel()


def _input_of(audio: Audio, sample_rate: int, name: Optional[str]) -> _tutti.AudioInput:
    if isinstance(audio, (str, os.PathLike)):
        return _tutti.AudioInput.file(os.fspath(audio))
    if hasattr(audio, "detach"):  # a tensor of PyTorch
        audio = audio.detach().cpu().numpy()
    if isinstance(audio, (bytes, bytearray)) or (isinstance(audio, memoryview) and audio.format in "Bbc"):
        return _tutti.AudioInput.bytes(audio, name or "bytes")
    return _tutti.AudioInput.samples(audio, sample_rate, name or "samples")


def _text_of(name: str, value: Any) -> str:
    """An option of the search as tutti reads it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, numbers.Real):
        return str(value)
    if isinstance(value, collections.abc.Sequence):
        return ",".join(_text_of(name, each) for each in value)
    raise TypeError(f"{name} is a string, a number or a list of numbers, not {type(value).__name__}")


class Recognizer:
    """Transcribes any number of recordings at once; they share the weights and batches, and nothing else.

    Every method may be called from any number of threads at the same time, none after `fork`: a child process makes a
    Recognizer of its own, or is given this one by multiprocessing's "spawn", which makes it anew there.
    """

    def __init__(self, model: Union[str, "os.PathLike[str]"] = "whisper-base",
                 vad: Union[str, "os.PathLike[str]", None] = "fsmn-vad", *, compute_type: str = "auto", threads: int = 0,
                 decode_threads: int = 0, pin_threads: bool = False, latency: bool = False, batch_seconds: float = 60,
                 queue_seconds: float = 600, max_pending: int = 100_000):
        """`model`, `vad`: the directory of a FunASR or Whisper model, a GGUF file or the name of a model; `vad` None:
        every recording is one segment. `threads` 0: one a core."""
        self._arguments = dict(model=_models.find(model), vad=_models.find(vad) if vad else "",
                               compute_type=compute_type, threads=threads, decode_threads=decode_threads,
                               pin_threads=pin_threads, latency=latency, batch_seconds=batch_seconds,
                               queue_seconds=queue_seconds, max_pending=max_pending)
        self._core = _tutti.Core(_tutti.RecognizerOptions(**self._arguments))
        _open.add(self)

    @property
    def threads(self) -> int:
        return self._core.threads()

    @property
    def compute_type(self) -> str:
        """What the model runs: "f32", "bf16" or "int8"."""
        return self._core.compute_type()

    @property
    def takes_search_options(self) -> bool:
        """Whether the model finds its text token by token, as Whisper, and so takes `language`, `beam_size`, …."""
        return self._core.takes_search_options()

    @property
    def languages(self) -> "list[str]":
        """What `language` may be, such as "en" and "zh"; empty where a call does not choose the language."""
        return self._core.languages()

    @property
    def translates(self) -> bool:
        """Whether `task` may be "translate", into English."""
        return self._core.translates()

    @property
    def pending(self) -> int:
        """Recordings submitted and not finished."""
        return self._core.pending()

    def submit(self, audio: Audio, *, sample_rate: int = 16000, name: Optional[str] = None, use_vad: bool = True,
               split_channels: bool = False, interactive: bool = False, raw_format: str = "",
               max_segment_ms: int = 120_000, timeout: Optional[float] = None,
               language: Optional[str] = None, task: Optional[str] = None, beam_size: Optional[int] = None,
               patience: Optional[float] = None, length_penalty: Optional[float] = None,
               repetition_penalty: Optional[float] = None, no_repeat_ngram_size: Optional[int] = None,
               no_speech_threshold: Optional[float] = None, log_prob_threshold: Optional[float] = None,
               compression_ratio_threshold: Optional[float] = None,
               temperature: Union[float, Sequence[float], None] = None, best_of: Optional[int] = None,
               initial_prompt: Optional[str] = None, hotwords: Optional[str] = None, prefix: Optional[str] = None,
               max_new_tokens: Optional[int] = None, condition_on_previous_text: Optional[bool] = None,
               prompt_reset_on_temperature: Optional[float] = None,
               window_seconds: Union[str, int, None] = None, without_timestamps: Optional[bool] = None,
               word_timestamps: Optional[bool] = None, multilingual: Optional[bool] = None,
               suppress_tokens: Union[str, Sequence[int], None] = None, suppress_blank: Optional[bool] = None,
               **vad_options: Any) -> Transcription:
        """Accepts a recording and returns at once.

        `sample_rate` is that of samples. `timeout`: seconds until the result must be there. `language`, `task`,
        `beam_size`, … are faster-whisper's options, for models that find their text token by token, as Whisper; None is
        the default of `tutti transcribe --help`. Further options are those of FSMN-VAD under FunASR's names, such as
        max_end_silence_time. All of them are this call's own.
        """
        search = dict(language=language, task=task, beam_size=beam_size, patience=patience,
                      length_penalty=length_penalty, repetition_penalty=repetition_penalty,
                      no_repeat_ngram_size=no_repeat_ngram_size, no_speech_threshold=no_speech_threshold,
                      log_prob_threshold=log_prob_threshold, compression_ratio_threshold=compression_ratio_threshold,
                      temperature=temperature, best_of=best_of, initial_prompt=initial_prompt, hotwords=hotwords,
                      prefix=prefix, max_new_tokens=max_new_tokens,
                      condition_on_previous_text=condition_on_previous_text,
                      prompt_reset_on_temperature=prompt_reset_on_temperature, window_seconds=window_seconds,
                      without_timestamps=without_timestamps, word_timestamps=word_timestamps,
                      multilingual=multilingual, suppress_tokens=suppress_tokens, suppress_blank=suppress_blank)
        options = _tutti.TranscribeOptions(use_vad=use_vad, split_channels=split_channels, interactive=interactive,
                                           raw_format=raw_format, max_segment_ms=max_segment_ms, timeout=timeout,
                                           vad_options=self._core.vad_options(vad_options) if vad_options else None,
                                           search={key: _text_of(key, value) for key, value in search.items()
                                                   if value is not None})
        future = Transcription()

        def on_done(code: int, message: str, transcript: Optional[Transcript]) -> None:
            if not future.set_running_or_notify_cancel():
                return
            if transcript is None:
                future.set_exception(from_status(code, message))
            else:
                future.set_result(transcript)

        future._work = self._core.submit(_input_of(audio, sample_rate, name), options, on_done)
        return future

    def transcribe(self, audio: Audio, **options: Any) -> Transcript:
        """Waits for the result; options as of `submit`."""
        future = self.submit(audio, **options)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def transcribe_many(self, audios: Iterable[Audio], *, progress: bool = False, errors: str = "raise",
                        read_ahead: Optional[int] = None, **options: Any) -> Iterator[Transcript]:
        """Results in the order given, with at most `read_ahead` recordings under way. `errors` "return": what a
        recording failed with stands in its place."""
        if errors not in ("raise", "return"):
            raise ValueError(f'errors is "raise" or "return", not {errors!r}')
        window = read_ahead or 16 * self.threads
        source, waiting = iter(audios), collections.deque()
        report = _Progress(audios) if progress else None
        try:
            while self._refill(waiting, source, window, options):
                future = waiting[0]
                failure = future.exception()
                waiting.popleft()
                if report:
                    report.add(None if failure else future.result())
                if failure is None:
                    yield future.result()
                elif errors == "raise":
                    raise failure
                else:
                    yield failure  # type: ignore[misc]
        finally:
            for future in waiting:
                future.cancel()
            if report:
                report.end()

    def _refill(self, waiting: collections.deque, source: Iterator[Audio], window: int, options: dict) -> bool:
        """Has `window` recordings under way, as far as the source goes; False when none is left."""
        for audio in itertools.islice(source, window - len(waiting)):
            waiting.append(self.submit(audio, **options))
        return bool(waiting)

    async def transcribe_async(self, audio: Audio, **options: Any) -> Transcript:
        """Cancelling it cancels the work."""
        return await asyncio.wrap_future(self.submit(audio, **options))

    async def transcribe_many_async(self, audios: Iterable[Audio], *, read_ahead: Optional[int] = None,
                                    **options: Any) -> AsyncIterator[Transcript]:
        """As transcribe_many, in the order given."""
        window = read_ahead or 16 * self.threads
        source, waiting = iter(audios), collections.deque()
        try:
            while self._refill(waiting, source, window, options):
                yield await asyncio.wrap_future(waiting[0])
                waiting.popleft()
        finally:
            for future in waiting:
                future.cancel()

    def open_stream(self, **vad_options: Any) -> "VadStream":
        """Voice activity of a live stream."""
        return VadStream(self._core.open_stream(self._core.vad_options(vad_options)))

    def close(self) -> None:
        """Cancels what is pending and waits for the threads. Idempotent."""
        _open.discard(self)
        self._core.close()

    def __enter__(self) -> "Recognizer":
        return self

    def __exit__(self, *unused: Any) -> None:
        self.close()

    def __reduce__(self):
        return _remade, (self._arguments,)


def _remade(arguments: dict) -> Recognizer:
    model, vad = arguments.pop("model"), arguments.pop("vad") or None
    return Recognizer(model, vad, **arguments)


class VadStream:
    """Not thread-safe; one owner each, independent of every other stream."""

    def __init__(self, session: _tutti.VadSession):
        self._session = session

    def accept(self, samples: Any, is_final: bool = False) -> "list[tuple[int, int]]":
        """16 kHz mono float32 samples in [-1, 1] to events (start_ms, end_ms), -1 where a side is not known yet or was
        told before. After `is_final` the stream starts anew."""
        return self._session.accept(samples, is_final)


class _Progress:
    """A line on standard error, at most ten times a second."""

    def __init__(self, audios: Iterable[Audio]):
        self.total = len(audios) if hasattr(audios, "__len__") else None
        self.done, self.seconds, self.start, self.last = 0, 0.0, time.monotonic(), 0.0

    def add(self, transcript: Optional[Transcript]) -> None:
        self.done += 1
        self.seconds += transcript.duration_ms / 1000 if transcript else 0
        if time.monotonic() - self.last > 0.1:
            self.show("\r")

    def show(self, start: str) -> None:
        self.last = time.monotonic()
        rate = self.seconds / max(self.last - self.start, 1e-9)
        of = f" of {self.total}" if self.total is not None else ""
        print(f"{start}{self.done}{of} recordings, {self.seconds:.0f} s of audio, {rate:.0f} x real time", end="",
              file=sys.stderr, flush=True)

    def end(self) -> None:
        self.show("\r")
        print(file=sys.stderr)


def _close_all() -> None:
    # A recogniser's threads call Python: none may be left when the interpreter goes.
    for recognizer in list(_open):
        recognizer.close()


def _after_fork() -> None:
    for recognizer in list(_open):
        recognizer._core.abandon()
    _open.clear()
