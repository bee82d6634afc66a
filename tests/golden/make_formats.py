"""Golden blocks for every block format: raw bytes and the values they stand for.

Writes `formats/<name>.bin` (consecutive blocks, as they lie in a GGUF tensor) and
`formats/<name>.f32` (little-endian f32, the values of those blocks in order). The values are those
of `gguf.quants.dequantize`, the numpy reference decoder of the `gguf` package on PyPI, so that a
decoder is compared with somebody else's reading of the layout and not with our own.

Each file holds random blocks first (random bytes, scales near 0.01) and then blocks chosen to hurt:
scale 0, negative, the smallest f16 denormal, the largest f16, all bits clear, all bits set (with a
finite scale), and the extremes of each field. There is no NaN; f16 and bf16 contain infinities.

Every expected value is one rounding away from the exact product, in the order the formats define
(scale times sub-scale first, which is exact in f32, then times the quant, then minus the minimum
part), so decoders may be compared bit for bit; a zero may carry either sign.

Needs numpy and gguf (made with gguf 0.19.0, numpy 2.4). Run: `python make_formats.py`.
"""

from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType as T
from gguf.constants import GGML_QUANT_SIZES
from gguf.quants import dequantize

OUT = Path(__file__).parent / "formats"
# name -> (type, byte offsets of the f16 scales (and minimums) inside a block)
BLOCKS = {
    "q8_0": (T.Q8_0, [0]),
    "q4_0": (T.Q4_0, [0]),
    "q4_1": (T.Q4_1, [0, 2]),
    "q5_0": (T.Q5_0, [0]),
    "q5_1": (T.Q5_1, [0, 2]),
    "q2_k": (T.Q2_K, [80, 82]),
    "q3_k": (T.Q3_K, [108]),
    "q4_k": (T.Q4_K, [0, 2]),
    "q5_k": (T.Q5_K, [0, 2]),
    "q6_k": (T.Q6_K, [208]),
    "iq4_nl": (T.IQ4_NL, [0]),
    "iq4_xs": (T.IQ4_XS, [0]),
}
# f16 bit patterns put in every scale field in turn
SCALES = [0x0000, 0x8000, 0x0001, 0x83FF, 0x7BFF, 0xA3D7, 0x3C00]


def with_scales(block: np.ndarray, offsets: list[int], bits: list[int]) -> np.ndarray:
    block = block.copy()
    for offset, pattern in zip(offsets, bits):
        block[offset : offset + 2] = np.frombuffer(np.uint16(pattern).tobytes(), np.uint8)
    return block


def blocks(rng: np.random.Generator, size: int, offsets: list[int]) -> np.ndarray:
    """Random blocks, then the adversarial ones, one row each."""
    rows = []
    count = 8 if size < 64 else 4
    for _ in range(count):
        scales = (rng.standard_normal(len(offsets)) * 0.01).astype(np.float16).view(np.uint16)
        rows.append(with_scales(rng.integers(0, 256, size, np.uint8), offsets, list(scales)))
    ordinary = [0x2400] * len(offsets)
    for index, pattern in enumerate(SCALES):
        bits = list(ordinary)
        bits[index % len(offsets)] = pattern
        rows.append(with_scales(rng.integers(0, 256, size, np.uint8), offsets, bits))
    for fill in (0x00, 0xFF, 0x80, 0x7F):
        rows.append(with_scales(np.full(size, fill, np.uint8), offsets, ordinary))
    return np.stack(rows)


def halves(rng: np.random.Generator, special: list[int]) -> np.ndarray:
    """256 16-bit patterns: the special ones, then random finite ones."""
    values = rng.integers(0, 1 << 16, 512, np.uint16)
    finite = values[np.isfinite(values.view(np.float16)) & ((values & 0x7F80) != 0x7F80)]
    return np.concatenate([np.array(special, np.uint16), finite])[:256]


def write(name: str, raw: np.ndarray, kind: T) -> None:
    values = dequantize(np.ascontiguousarray(raw).view(np.uint8), kind).astype("<f4").reshape(-1)
    assert not np.isnan(values).any(), name
    (OUT / f"{name}.bin").write_bytes(raw.tobytes())
    (OUT / f"{name}.f32").write_bytes(values.tobytes())
    print(f"{name}: {raw.nbytes} bytes, {values.size} values")


def main() -> None:
    OUT.mkdir(exist_ok=True)
    for number, (name, (kind, offsets)) in enumerate(BLOCKS.items()):
        rng = np.random.default_rng(1000 + number)
        size = GGML_QUANT_SIZES[kind][1]
        write(name, blocks(rng, size, offsets), kind)
    f16 = halves(np.random.default_rng(1), [0, 0x8000, 1, 0x8001, 0x3FF, 0x400, 0x7BFF, 0xFBFF, 0x7C00, 0xFC00])
    bf16 = halves(np.random.default_rng(2), [0, 0x8000, 1, 0x8001, 0x7F, 0x80, 0x7F7F, 0xFF7F, 0x7F80, 0xFF80])
    (OUT / "f16.bin").write_bytes(f16.tobytes())
    (OUT / "f16.f32").write_bytes(f16.view(np.float16).astype("<f4").tobytes())
    write("bf16", bf16.view(np.uint8), T.BF16)


if __name__ == "__main__":
    main()
