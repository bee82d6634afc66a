"""Goldens for images: Pillow's resampler, its decoders, and the Hugging Face PIL processors.

    python tests/golden/make_images.py

Needs pillow, numpy and transformers (figures of the committed files: see images/VERSIONS). Everything is
seeded by formula; running it again must change nothing.

Written to tests/golden/images/:
  resize.txt      filter  in_w in_h  out_w out_h  channels  fnv1a64(output bytes)
  preprocess.txt  what a processor makes of an image: sizes, views, u8 hashes and the bits of some floats
  decode.txt      file  width height  tolerance  fnv1a64(RGB bytes) or the bytes themselves
  files/          the encoded images that decode.txt names
"""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import PIL
from PIL import Image

OUT = Path(__file__).parent / "images"
FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def fnv(data: bytes) -> str:
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def noise(first: int, count: int) -> np.ndarray:
    """Byte i of an endless noise: an integer hash of i, the same in the Rust tests."""
    x = np.arange(first, first + count, dtype=np.uint64).astype(np.uint32)
    x = x * np.uint32(0x9E3779B1)
    x ^= x >> np.uint32(15)
    x = x * np.uint32(0x85EBCA77)
    x ^= x >> np.uint32(13)
    return (x >> np.uint32(24)).astype(np.uint8)


def noise_image(width: int, height: int, channels: int = 3) -> Image.Image:
    rows = [noise(y * width * channels, width * channels) for y in range(height)]
    data = np.stack(rows).reshape(height, width, channels)
    return Image.fromarray(data[..., 0] if channels == 1 else data)


SIZES = [
    (1, 1, 1, 1), (1, 1, 7, 5), (1, 9, 4, 3), (13, 1, 5, 8), (2, 2, 3, 3), (7, 5, 7, 5), (7, 5, 7, 11),
    (7, 5, 3, 5), (17, 11, 31, 23), (31, 23, 17, 11), (101, 67, 32, 32), (64, 48, 64, 32), (33, 47, 50, 20),
    (512, 3, 5, 300), (97, 89, 1, 1), (640, 480, 336, 336), (300, 200, 512, 342), (5, 4000, 6, 7),
]


def resize_goldens() -> None:
    lines = []
    for name, kernel in FILTERS.items():
        for sw, sh, dw, dh in SIZES:
            for channels in (3, 1):
                out = noise_image(sw, sh, channels).resize((dw, dh), kernel)
                lines.append(f"{name} {sw} {sh} {dw} {dh} {channels} {fnv(out.tobytes())}")
        out = noise_image(10000, 10000).resize((512, 512), kernel)
        lines.append(f"{name} 10000 10000 512 512 3 {fnv(out.tobytes())}")
    (OUT / "resize.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    Image.MAX_IMAGE_PIXELS = None
    OUT.mkdir(exist_ok=True)
    resize_goldens()
