"""FunASR's call shape: a program that says `from funasr import AutoModel` goes on with `from tutti import AutoModel`."""
from __future__ import annotations

import os
import pathlib
import random
import string
import warnings
from typing import Any, Iterator, Optional, Tuple

from . import _models
from ._errors import NotFound
from ._recognizer import Audio, Recognizer
from ._tutti import Transcript

# They choose how FunASR computes, which here the recogniser does.
_WITHOUT_MEANING = {
    "device", "ngpu", "hub", "disable_update", "disable_pbar", "disable_log", "trust_remote_code", "remote_code",
    "model_revision", "vad_model_revision", "punc_model_revision", "spk_model_revision", "batch_size", "batch_size_s",
    "batch_size_threshold_s", "merge_vad", "merge_length_s", "cache", "is_final", "log_level", "use_itn",
    "pred_timestamp", "seed", "fp16", "bf16"}
_VAD_OPTIONS = {
    "detect_mode", "max_end_silence_time", "max_start_silence_time", "window_size_ms", "sil_to_speech_time_thres",
    "speech_to_sil_time_thres", "speech_2_noise_ratio", "do_extend", "lookback_time_start_point",
    "lookahead_time_end_point", "max_single_segment_time", "snr_thres", "noise_frame_num_used_for_snr", "decibel_thres",
    "speech_noise_thres", "dynamic_silence"}
# Of OpenAI's Whisper, to which FunASR hands them: their names here, and those that change nothing.
_DECODING_OPTIONS = {"task": "task", "language": "language", "temperature": "temperature", "beam_size": "beam_size",
                     "patience": "patience", "length_penalty": "length_penalty", "prompt": "initial_prompt",
                     "prefix": "prefix", "sample_len": "max_new_tokens", "best_of": "best_of",
                     "suppress_tokens": "suppress_tokens", "suppress_blank": "suppress_blank"}
_DECODING_WITHOUT_MEANING = {"fp16", "without_timestamps", "max_initial_timestamp"}
_NOT_YET = {"punc_model": "text comes without punctuation", "spk_model": "results name no speakers",
            "lm_model": "no language model is used"}


def _list_of(path: str) -> Iterator[Tuple[str, str]]:
    """Keys and paths of a wav.scp."""
    for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
        parts = line.strip().split(maxsplit=1)
        if parts:
            yield (parts[0], parts[1]) if len(parts) == 2 else (pathlib.Path(parts[0]).stem, parts[0])


class AutoModel:
    """FunASR's AutoModel over a Recognizer, safe for any number of threads.

    `model` and `vad_model` are FunASR model directories or names that `Recognizer` knows; nothing is downloaded.
    Without `vad_model` a recording is one segment, as in FunASR. Arguments of FunASR's that tutti cannot follow are
    warned about, unknown ones raise TypeError.
    """

    def __init__(self, model: str, vad_model: Optional[str] = None, vad_kwargs: Optional[dict] = None,
                 ncpu: int = 0, compute_type: str = "auto", **kwargs: Any):
        for name, meaning in _NOT_YET.items():
            if kwargs.pop(name, None) is not None:
                warnings.warn(f"tutti has no {name} yet: {meaning}", stacklevel=2)
        self._vad_options = {**(vad_kwargs or {})}
        self._vad_options.update({key: kwargs.pop(key) for key in list(kwargs) if key in _VAD_OPTIONS})
        kwargs = {key: value for key, value in kwargs.items()
                  if key not in _WITHOUT_MEANING and not key.endswith("_kwargs")}
        if kwargs:
            raise TypeError(f"AutoModel has no argument {', '.join(sorted(kwargs))}")
        self.recognizer = Recognizer(_local(model), _local(vad_model) if vad_model else None, threads=ncpu,
                                     compute_type=compute_type)

    def generate(self, input: Any, *, hotword: Optional[str] = None, language: Optional[str] = None,
                 DecodingOptions: Optional[dict] = None, fs: int = 16000, key: Any = None,
                 **kwargs: Any) -> "list[dict]":
        """One dict for each recording, in order: {"key", "text"}, "timestamp" where the model has times, and "language"
        where it tells.

        `input`: a path, a wav.scp, encoded bytes, samples, or a list of such. `DecodingOptions` are those of OpenAI's
        Whisper, as FunASR takes them: without a beam_size the search is greedy.
        """
        search = self._search(hotword, language, DecodingOptions)
        options = {**self._vad_options, **{name: kwargs.pop(name) for name in list(kwargs) if name in _VAD_OPTIONS}}
        unknown = {name for name in kwargs if name not in _WITHOUT_MEANING}
        if unknown:
            raise TypeError(f"generate has no argument {', '.join(sorted(unknown))}")
        keys, audios = _inputs(input, key)
        results = self.recognizer.transcribe_many(audios, sample_rate=fs, **search, **options)
        return [_as_dict(key, transcript) for key, transcript in zip(keys, results)]


    def _search(self, hotword: Optional[str], language: Optional[str], decoding: Optional[dict]) -> dict:
        """Options of the search; none for models that have no such search."""
        unknown = {name for name in decoding or {} if name not in _DECODING_OPTIONS.keys() | _DECODING_WITHOUT_MEANING}
        if unknown:
            raise TypeError(f"DecodingOptions has no argument {', '.join(sorted(unknown))}")
        if not self.recognizer.takes_search_options:
            if hotword:
                warnings.warn("this model takes no hotwords", stacklevel=3)
            return {}
        search = {"beam_size": 1, "language": language, "hotwords": hotword}
        for name, value in (decoding or {}).items():
            if name in _DECODING_OPTIONS and value is not None:
                search[_DECODING_OPTIONS[name]] = value
        return search


def _local(model: str) -> str:
    try:
        return _models.find(model)
    except NotFound as error:
        raise NotFound(f"{error}. tutti downloads no models: give the directory that FunASR or modelscope left in "
                       f"~/.cache/modelscope") from None


def _inputs(given: Any, key: Any) -> "Tuple[list[str], list[Audio]]":
    if isinstance(given, (str, os.PathLike)) and os.fspath(given).endswith(".scp"):
        listed = list(_list_of(os.fspath(given)))
        return [name for name, _ in listed], [path for _, path in listed]
    audios = list(given) if isinstance(given, (list, tuple)) else [given]
    if key is not None:
        keys = list(key) if isinstance(key, (list, tuple)) else [key]
        if len(keys) != len(audios):
            raise ValueError(f"{len(keys)} keys for {len(audios)} recordings")
        return keys, audios
    return [_key_of(audio) for audio in audios], audios


def _key_of(audio: Audio) -> str:
    if isinstance(audio, (str, os.PathLike)):
        return pathlib.Path(audio).stem
    return "rand_key_" + "".join(random.choices(string.ascii_letters + string.digits, k=13))


def _as_dict(key: str, transcript: Transcript) -> dict:
    texts = [segment.text for segment in transcript.segments if segment.text]
    result: dict = {"key": key, "text": " ".join(texts)}
    times = [[token.start_ms, token.end_ms] for segment in transcript.segments for token in segment.tokens]
    if times and all(start is not None and end is not None for start, end in times):
        result["timestamp"] = times
    elif not texts:
        result["timestamp"] = []
    if transcript.language:
        result["language"] = transcript.language
    return result
