"""What kind of file a name says: how the page shows it, and as what a browser gets it."""

from __future__ import annotations

import os

_IMAGES = {
    ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp",
    ".bmp": "image/bmp", ".avif": "image/avif", ".ico": "image/x-icon", ".apng": "image/apng",
}  # fmt: skip
_MEDIA = {
    ".mp3": "audio/mpeg", ".wav": "audio/wav", ".ogg": "audio/ogg", ".flac": "audio/flac", ".mp4": "video/mp4",
    ".webm": "video/webm",
}  # fmt: skip
_HARMLESS = {**_IMAGES, **_MEDIA}
_SVG = ".svg"
_ACTIVE = {".html": "text/html", ".htm": "text/html", _SVG: "image/svg+xml"}
"""What a browser might run: saved, or shown in a sandbox."""

_TABLES = (".csv", ".tsv")
_TEXTS = frozenset((
    "", ".txt", ".log", ".md", ".rst", ".json", ".jsonl", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf", ".py",
    ".pyi", ".sh", ".r", ".c", ".h", ".cpp", ".cu", ".js", ".ts", ".css", ".xml", ".tex", ".out", ".err", ".diff",
    ".patch", ".sql", ".lock", ".gin", ".ipynb", *_TABLES,
))  # fmt: skip
_OPAQUE = frozenset((
    ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".npy", ".npz", ".bin", ".onnx", ".h5", ".hdf5", ".joblib", ".zip",
    ".gz", ".tgz", ".bz2", ".xz", ".tar", ".whl", ".so", ".o", ".db", ".sqlite", ".parquet", ".feather", ".arrow",
    ".pdf", ".safetensors", ".pb", ".tfrecord", ".msgpack", ".pyc", ".exe",
))  # fmt: skip


def preview(name: str) -> str:
    """Return how the page can show a file: `image`, `table`, `text` or `none`."""
    ending = _ending(name)
    if ending in _IMAGES or ending == _SVG:
        return "image"
    if ending in _TABLES:
        return "table"
    return "none" if ending in _OPAQUE or ending in _MEDIA else "text"


def served_as(name: str, *, show: bool) -> tuple[str, bool]:
    """Return the type that a file is sent as, and whether a browser may show it rather than save it.

    Args:
        name: its name.
        show: whether what a browser might run is shown, in the sandbox that the answer asks for. A drawing that is not
            shown keeps its type all the same: as a picture in a page it runs nothing.
    """
    ending = _ending(name)
    if ending in _HARMLESS:
        return _HARMLESS[ending], True
    if ending in _ACTIVE and (show or ending == _SVG):
        return _ACTIVE[ending], show
    if ending in _TEXTS:
        return "text/plain; charset=utf-8", True
    return "application/octet-stream", False


def _ending(name: str) -> str:
    return os.path.splitext(name)[1].lower()
