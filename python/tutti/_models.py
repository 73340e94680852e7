"""Where the models are that have a name."""
import os
import pathlib

from ._errors import NotFound


def folders():
    """As the command line looks: $TUTTI_MODELS, what was installed with this package, the model cache."""
    found = [pathlib.Path(name) for name in os.environ.get("TUTTI_MODELS", "").split(":") if name]
    found.append(pathlib.Path(__file__).parent / "models")
    cache = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    found.append(pathlib.Path(os.environ.get("TUTTI_HOME") or pathlib.Path(cache) / "tutti") / "models")
    return found


def _places(name):
    """Where `tutti models pull NAME` may have put it, below a folder of models."""
    hub, colon, repository = name.rpartition(":")
    if repository.count("/") != 1 or set(repository.split("/")) & {"", ".", ".."}:
        return [name] if "/" not in name and name not in (".", "..") else []
    return [f"{hub}/{repository}"] if colon else [f"hf/{repository}", f"modelscope/{repository}"]


def find(name_or_path):
    """The path of a model's directory or GGUF file."""
    if os.path.exists(name_or_path):
        return os.fspath(name_or_path)
    name = os.fspath(name_or_path)
    known = set()
    for folder in folders():
        if folder.is_dir():
            known |= {entry.name for entry in folder.iterdir() if not entry.name.startswith(".")}
            for place in _places(name):
                if (folder / place).exists():
                    return str(folder / place)
    raise NotFound(f"{name}: is neither a path nor a model known here ({', '.join(sorted(known)) or 'none is'}); "
                   f"looked in {', '.join(map(str, folders()))}. `tutti models pull {name}` fetches one that has a name")
