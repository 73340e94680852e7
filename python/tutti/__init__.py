"""tutti: speech recognition with models of the FunASR family; many recordings at once, one copy of the weights."""
import atexit as _atexit
import os as _os

from ._errors import Cancelled, DeadlineExceeded, Error, InvalidArgument, NotFound, ResourceExhausted
from ._funasr import AutoModel
from ._recognizer import Recognizer, Transcription, VadStream, _after_fork, _close_all
from ._tutti import Segment, Token, Transcript, __version__

__all__ = ["AutoModel", "Cancelled", "DeadlineExceeded", "Error", "InvalidArgument", "NotFound", "Recognizer",
           "ResourceExhausted", "Segment", "Token", "Transcript", "Transcription", "VadStream", "__version__"]

_atexit.register(_close_all)
_os.register_at_fork(after_in_child=_after_fork)
