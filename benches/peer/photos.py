"""Images that are made here, always the same: coloured waves. Enough for engines that treat every pixel alike."""

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Photo:
    """An image and what makes both engines cut it into as many views."""

    path: Path
    per_view: int  # tokens of a view
    image_tokens: int | None = None  # Ocelli's cap
    peer_tokens: int | None = None  # llama.cpp's: it does not count the whole image beside its tiles
    template: str | None = None  # llama.cpp's name of the chat template, for files without one that it knows


def _rows(width, height):
    wave = bytes((x * x // 61 + 9 * (x % 13)) & 255 for x in range(6 * width))
    for y in range(height):
        start = 3 * ((5 * y + y * y // 97) % width)
        yield wave[start : start + 3 * width]


def png(path, width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = b"".join(b"\0" + row for row in _rows(width, height))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(pixels, 1)) + chunk(b"IEND", b"")
    )
    return path


# A wide image is cut into two tiles and shown whole: three views for both. (Of a square one, both at their lowest,
# llama.cpp makes two views and Ocelli one.)
WIDE, LARGE = (1024, 512), (4000, 3000)


def photo(shape, folder, uncapped):
    """The photo of a question to a model; uncapped it is cut as finely as the model's own rule says."""
    path = folder / f"{WIDE[0]}x{WIDE[1]}.png"
    if not path.exists():
        png(path, *WIDE)
    if shape.startswith("llava"):
        return Photo(path, 576, template="vicuna")
    return Photo(path, 64) if uncapped else Photo(path, 64, image_tokens=192, peer_tokens=128)


def large(folder):
    """12 megapixels."""
    path = folder / f"{LARGE[0]}x{LARGE[1]}.png"
    if not path.exists():
        png(path, *LARGE)
    return Photo(path, 64)
