"""Golden blocks for the encoders: numbers, and what ggml's reference quantizers make of them.

Writes `quants/values.f32` (rows of 256 little-endian f32) and `quants/<format>.bin`, the bytes that
`ggml_quantize_chunk` gives for those rows without an importance matrix. The rows are random (normal, heavy
tails, shifted) and chosen to hurt: zeros of both signs, subnormals, magnitudes around 1e-15 (where searches
give up) and below the smallest f16, one huge value among small ones, constants, values of one sign, ramps, values
exactly between two levels, and rows that mix groups of all these.

The same numbers, as rows of 768, are encoded once more with importance: `quants/importance.f32` has a row of
it for each of those rows, `quants/weighted-<format>.bin` the bytes. Importance is spread over many
magnitudes, zero in places or everywhere, one huge column among small ones, constant, tiny, and all that in groups.

ggml is compiled here from its sources with -ffp-contract=off: with contraction its bytes depend on the machine.

    python make_quants.py --ggml llama.cpp/ggml [--work folder] [--rows N --seed S --out folder]

With --rows, N random rows are written into another folder instead (for OCELLI_GOLDEN_QUANTS): too large to be
committed. Needs numpy, gcc and g++.
"""

import argparse
import ctypes
import subprocess
from pathlib import Path

import numpy as np

OUT = Path(__file__).parent / "quants"
ROW = 256
WEIGHTED = 768  # its rows: no power of two, and several blocks of each format
# name -> (ggml's type id, values per block, bytes per block)
FORMATS = {
    "f16": (1, 1, 2),
    "bf16": (30, 1, 2),
    "q8_0": (8, 32, 34),
    "q4_0": (2, 32, 18),
    "q4_1": (3, 32, 20),
    "q5_0": (6, 32, 22),
    "q5_1": (7, 32, 24),
    "q2_k": (10, 256, 84),
    "q3_k": (11, 256, 110),
    "q4_k": (12, 256, 144),
    "q5_k": (13, 256, 176),
    "q6_k": (14, 256, 210),
    "iq4_nl": (20, 32, 18),
    "iq4_xs": (23, 256, 136),
}
SOURCES = ["ggml.c", "ggml.cpp", "ggml-alloc.c", "ggml-backend.cpp", "ggml-backend-meta.cpp", "ggml-opt.cpp"]
SOURCES += ["ggml-threading.cpp", "ggml-quants.c", "gguf.cpp"]


def build(ggml: Path, work: Path) -> Path:
    library = work / "libggml-oracle.so"
    if library.exists():
        return library
    work.mkdir(parents=True, exist_ok=True)
    (work / "ggml-version.h").write_text('#define GGML_VERSION "0"\n#define GGML_COMMIT "0"\n')
    objects = []
    for name in SOURCES:
        source, out = ggml / "src" / name, work / f"{name}.o"
        if not source.exists():  # files come and go between versions
            continue
        compiler = ["g++", "-std=gnu++17"] if name.endswith("cpp") else ["gcc", "-std=gnu11"]
        flags = ["-O3" if name == "ggml-quants.c" else "-O1", "-fPIC", "-DNDEBUG", "-D_GNU_SOURCE", "-w"]
        flags += ["-ffp-contract=off", f"-I{work}", f"-I{ggml}/include", f"-I{ggml}/src"]
        subprocess.run([*compiler, *flags, "-c", source, "-o", out], check=True)
        objects.append(out)
    subprocess.run(["g++", "-shared", "-o", library, *objects], check=True)
    return library


def hard(rng: np.random.Generator) -> list[np.ndarray]:
    def normal(size: float) -> np.ndarray:
        return rng.standard_normal(ROW) * size

    def one(value: float, rest: np.ndarray) -> np.ndarray:
        rest[rng.integers(0, ROW, 2)] = value
        return rest

    signs = rng.choice([-1.0, 1.0], ROW)
    halfway = rng.choice([-115.5, -4.5, 7, 19, 31.5, 45.5, 101], ROW) / 127
    halfway[::32] = -1
    rows = [
        normal(0.02),
        rng.standard_t(2, ROW) * 0.02,
        rng.uniform(-1, 1, ROW) + 0.5,
        np.zeros(ROW),
        signs * 0.0,
        rng.integers(-1000, 1000, ROW) * 2.0**-149,
        normal(3e-38),
        normal(1e-15),
        normal(3e-8),
        normal(1e-5),
        one(6e4, normal(0.01)),
        one(-3e4, normal(1e-3)),
        one(1.0, np.zeros(ROW)),
        np.full(ROW, 0.3),
        np.full(ROW, -0.3),
        -np.abs(normal(0.1)) - 0.01,
        np.abs(normal(0.1)) + 0.01,
        signs,
        np.linspace(-3, 5, ROW),
        halfway,
        normal(8e3),
        np.round(normal(2)),
        np.exp(normal(4)) * signs,
    ]
    mixed = [rows[rng.integers(len(rows))][16 * (g % 16) :][:16] for g in range(64)]
    return rows + list(np.concatenate(mixed).reshape(4, ROW))


def importance(rng: np.random.Generator, count: int) -> np.ndarray:
    """Rows of mean squares of activations, which no model need have."""

    def one(rest: np.ndarray, value: float) -> np.ndarray:
        rest[rng.integers(0, WEIGHTED, 3)] = value
        return rest

    def some() -> np.ndarray:
        return np.exp(rng.standard_normal(WEIGHTED) * 2)

    kinds = [
        some(),
        rng.standard_normal(WEIGHTED) ** 2 * 1e-3,
        some() * (rng.random(WEIGHTED) < 0.5),
        one(some() * 1e-4, 3e6),
        one(np.zeros(WEIGHTED), 0.7),
        np.zeros(WEIGHTED),
        np.full(WEIGHTED, 0.25),
        some() * 1e-20,
        one(some() * 1e-30, 1e10),
    ]
    mixed = lambda: np.concatenate([kinds[rng.integers(len(kinds))][16 * g :][:16] for g in range(WEIGHTED // 16)])
    rows = [kinds[0], kinds[1], kinds[2], kinds[3]] + [mixed() for _ in range(5)]
    if count > len(rows):
        rows = [kinds[i % len(kinds)][rng.permutation(WEIGHTED)] if i % 2 else mixed() for i in range(count)]
    return np.stack(rows)[:count]


def random(rng: np.random.Generator, count: int) -> np.ndarray:
    """Rows of every size and shape: normal, heavy tails, shifted; some values far out, some exactly zero."""
    size = 10.0 ** rng.uniform(-6, 2, (count, 1))
    rows = np.where(rng.random((count, 1)) < 0.5, rng.standard_normal((count, ROW)), rng.standard_t(3, (count, ROW)))
    rows += np.where(rng.random((count, 1)) < 0.2, rng.standard_normal((count, 1)) * 3, 0)
    rows *= np.where(rng.random((count, ROW)) < 0.002, 50, 1)
    rows *= np.where(rng.random((count, ROW)) < 0.01, 0, 1)
    return rows * size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ggml", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("golden-work"))
    parser.add_argument("--rows", type=int)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    ggml = ctypes.CDLL(str(build(args.ggml, args.work).absolute()))
    ggml.ggml_quantize_chunk.restype = ctypes.c_size_t
    pointer, long = ctypes.c_void_p, ctypes.c_int64
    ggml.ggml_quantize_chunk.argtypes = [ctypes.c_int, pointer, pointer, long, long, long, pointer]
    rng = np.random.default_rng(args.seed)
    rows = random(rng, args.rows) if args.rows else np.stack(hard(rng))
    values = np.ascontiguousarray(rows.astype("<f4"))
    assert np.isfinite(values).all()
    weights = np.ascontiguousarray(importance(rng, values.size // WEIGHTED).astype("<f4"))
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "values.f32").write_bytes(values.tobytes())
    (args.out / "importance.f32").write_bytes(weights.tobytes())

    def encoded(kind: int, size: int, rows: np.ndarray, weights: np.ndarray | None) -> bytes:
        blocks = np.zeros(size, np.uint8)
        pointer = None if weights is None else weights.ctypes.data
        shape = (len(rows), rows.shape[1])
        written = ggml.ggml_quantize_chunk(kind, rows.ctypes.data, blocks.ctypes.data, 0, *shape, pointer)
        assert written == blocks.size, kind
        return blocks.tobytes()

    for name, (kind, block, size) in FORMATS.items():
        plain = encoded(kind, values.size // block * size, values, None)
        (args.out / f"{name}.bin").write_bytes(plain)
        print(f"{name}: {values.size // block} blocks, {len(plain)} bytes")
        if name in ("f16", "bf16", "q8_0"):
            continue
        rows = values.reshape(-1)[: weights.size].reshape(-1, 1, WEIGHTED)
        made = [encoded(kind, WEIGHTED // block * size, x, h) for x, h in zip(rows, weights)]
        (args.out / f"weighted-{name}.bin").write_bytes(b"".join(made))


if __name__ == "__main__":
    main()
