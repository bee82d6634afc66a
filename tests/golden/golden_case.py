"""The two files of a golden case, made to be read by a test without any parser library.

`<case>.txt` has one `key value…` per line; `<case>.bin` holds the arrays. Strings are the rest of
their line with `\\\\`, `\\n`, `\\r` and `\\t` escaped. An array line is
`array <name> <type> <byte offset in the .bin> <extent>…`, type `f32` or `u8`, little-endian, the last
extent varies fastest; offsets are multiples of 4. See `models/README.md` for the keys.
"""

from pathlib import Path

import numpy as np


def escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")


class Case:
    def __init__(self, folder: Path, name: str):
        self.path = folder / name
        self.lines: list[str] = []
        self.data = bytearray()

    def text(self, key: str, value: str) -> None:
        self.lines.append(f"{key} {escape(value)}")

    def numbers(self, key: str, values) -> None:
        self.lines.append(" ".join([key] + [f"{v:.6g}" if isinstance(v, float) else str(int(v)) for v in values]))

    def array(self, name: str, values) -> None:
        values = np.ascontiguousarray(values)
        kind = "u8" if values.dtype == np.uint8 else "f32"
        raw = values if kind == "u8" else values.astype("<f4")
        extents = " ".join(str(n) for n in values.shape)
        self.lines.append(f"array {name} {kind} {len(self.data)} {extents}")
        self.data += raw.tobytes()
        self.data += bytes(-len(self.data) % 4)

    def write(self) -> None:
        self.path.with_suffix(".txt").write_text("\n".join(self.lines) + "\n")
        self.path.with_suffix(".bin").write_bytes(bytes(self.data))
        print(f"{self.path.name}: {len(self.data)} bytes")
