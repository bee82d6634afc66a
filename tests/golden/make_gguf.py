#!/usr/bin/env python3
"""GGUF files of a few hundred bytes as the gguf package writes them, for the container's tests.

    python3 tests/golden/make_gguf.py        # needs gguf and numpy; made with gguf 0.19.0

gguf/whole.gguf               every type of value, arrays, text that is not ASCII, tensors of six types, alignment 64
gguf/split-0000N-of-00003.gguf  a model in three files
gguf/empty.gguf               one key and no tensor
gguf/sizes.txt                number, name, block length and block bytes of every tensor type the package knows
"""

from pathlib import Path

import gguf
import numpy as np

OUT = Path(__file__).parent / "gguf"
TYPES = gguf.GGMLQuantizationType


def whole() -> None:
    w = gguf.GGUFWriter(OUT / "whole.gguf", "llama")
    w.add_custom_alignment(64)
    w.add_uint8("u8", 200)
    w.add_int8("i8", -1)
    w.add_uint16("u16", 65535)
    w.add_int16("i16", -2)
    w.add_uint32("u32", 4294967295)
    w.add_int32("i32", -3)
    w.add_float32("f32", 0.1)
    w.add_bool("bool", True)
    w.add_string("string", "\u00e9\u4e2d\U0001f441 \x00 end")
    w.add_uint64("u64", 2**64 - 1)
    w.add_int64("i64", -(2**63))
    w.add_float64("f64", 0.1)
    w.add_array("strings", ["a", "", "\u2581the"])
    w.add_array("i32s", [1, -2, 3])
    w.add_array("f32s", [0.5, -1.25])
    w.add_array("bools", [True, False, True])
    w.add_tensor("f32", np.arange(6, dtype=np.float32).reshape(2, 3))
    w.add_tensor("f16", np.arange(5, dtype=np.float16))
    w.add_tensor("i8", np.arange(-3, 4, dtype=np.int8).reshape(7, 1, 1))
    w.add_tensor("i64", np.array([[-1]], dtype=np.int64))
    for kind, rows in ((TYPES.Q8_0, 3), (TYPES.Q6_K, 1)):
        _, size = gguf.GGML_QUANT_SIZES[kind]
        data = (np.arange(rows * size) % 251).astype(np.uint8).reshape(rows, size)
        w.add_tensor(kind.name.lower(), data, raw_dtype=kind)
    finish(w)


def split() -> None:
    w = gguf.GGUFWriter(OUT / "split.gguf", "llama", split_max_tensors=2)
    w.add_uint32("llama.block_count", 1)
    for i in range(5):
        w.add_tensor(f"t{i}", np.full(i + 1, i, dtype=np.float32))
    finish(w)


def empty() -> None:
    finish(gguf.GGUFWriter(OUT / "empty.gguf", "none"))


def finish(w: gguf.GGUFWriter) -> None:
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def sizes() -> None:
    rows = [(t.value, t.name, *gguf.GGML_QUANT_SIZES[t]) for t in TYPES]
    text = "".join(f"{i} {name} {length} {size}\n" for i, name, length, size in sorted(rows))
    (OUT / "sizes.txt").write_text(text)


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    whole()
    split()
    empty()
    sizes()
