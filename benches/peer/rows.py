"""What is raced: one row per work and model, with the mark it is held against."""

from dataclasses import dataclass

PROMPT = 512  # tokens that prefill reads
ANSWER = 128  # tokens that decode makes
WHOLE = 64  # tokens of a whole answer about a photo


@dataclass(frozen=True)
class Row:
    """A work on a model's files. A mark is the least ratio, or for memory the largest; None is no mark."""

    work: str
    shape: str
    type: str
    avx2: float | None
    best: float | None
    tower: str | None = None  # how the vision tower is stored
    peer_tower: str | None = None  # how the peer's is, where that differs

    def name(self):
        tower = f" + {self.tower}" if self.tower else ""
        other = f" against {self.peer_tower}" if self.peer_tower else ""
        return f"{self.shape} {self.type}{tower}{other}"

    def mark(self, isa):
        return self.avx2 if isa == "avx2" else self.best

    def files(self, engine):
        """Names of the model's file and the tower's, as `ocelli synthesize` gives them."""
        tower = self.peer_tower if engine == "peer" and self.peer_tower else self.tower
        return f"{self.shape}-{self.type}.gguf", tower and f"mmproj-{self.shape}-{tower}.gguf"


def _text():
    models = [(s, t) for s in ("qwen2-0.5b", "tinyllama-1.1b") for t in ("Q4_0", "Q4_K_M", "Q8_0")]
    for shape, type in [*models, ("smolvlm-256m", "Q4_K_M")]:
        k = type == "Q4_K_M"
        yield Row("prefill", shape, type, 2.0, 1.7 if type == "Q8_0" else 2.5)
        yield Row("decode", shape, type, 1.3 if k else 1.1, 1.3 if k else 1.0)


SMOL = dict(shape="smolvlm-256m", type="Q8_0", tower="Q8_0")
LLAVA = dict(shape="llava-1.5-1.1b", type="Q4_K_M", tower="Q8_0")

ROWS = [
    Row("encode", avx2=2.5, best=6.0, **SMOL),
    Row("encode", avx2=3.0, best=6.0, peer_tower="F16", **SMOL),
    Row("encode", avx2=2.5, best=6.0, **LLAVA),
    Row("encode", avx2=3.0, best=6.0, peer_tower="F16", **LLAVA),
    *_text(),
    Row("first-token", avx2=2.5, best=6.0, **SMOL),
    Row("answer", avx2=1.5, best=2.0, **SMOL),
    Row("preprocess", avx2=4.0, best=None, **SMOL),
    Row("load", "tinyllama-1.1b", "Q4_0", 5.0, None),
    Row("load", "tinyllama-1.1b", "Q4_K_M", 5.0, None),
    Row("memory", "tinyllama-1.1b", "Q4_0", 0.6, 0.6),
    Row("memory", "tinyllama-1.1b", "Q4_K_M", 0.6, 0.6),
    Row("memory", "qwen2-0.5b", "Q4_K_M", 1.0, 1.0),
    Row("memory", avx2=1.0, best=1.0, **SMOL),
]

WORKS = list(dict.fromkeys(row.work for row in ROWS))

# Works that one process measures together, and the unit their figures are shown in.
PROBE = {
    "prefill": "text", "decode": "text", "encode": "photo", "first-token": "photo", "answer": "photo",
    "preprocess": "preprocess", "load": "load", "memory": "memory",
}
UNIT = {
    "prefill": "tokens/s", "decode": "tokens/s", "encode": "ms a view", "first-token": "ms", "answer": "ms",
    "preprocess": "ms", "load": "ms", "memory": "MiB",
}


def probe(row):
    """What rows must share to be measured by the same processes."""
    return PROBE[row.work], row.shape, row.type, row.tower, row.peer_tower

# Figures that are times: everything but memory.
TIMES = [work for work in WORKS if UNIT[work] != "MiB"]
