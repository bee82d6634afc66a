"""A JPEG writer for kinds that no library writes: any sampling, any order of scans, any segment anywhere.

Sequential and progressive (spectral selection and successive approximation), Huffman-coded, 8 bits. Slow and plain: it is
for pictures of a few hundred pixels. Source: ITU-T T.81.
"""

import math
import struct

import numpy as np

ZIGZAG = sorted(range(64), key=lambda i: (i // 8 + i % 8, (i // 8) if (i // 8 + i % 8) % 2 else -(i // 8)))
# T.81, K.3.3.1: DC of luminance. AC: every symbol in eight or nine bits, so that any of them can be written.
DC_COUNTS, DC_SYMBOLS = [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0], list(range(12))
AC_COUNTS, AC_SYMBOLS = [0] * 7 + [255, 1] + [0] * 7, list(range(256))
BASIS = np.array([[math.sqrt((1 if u == 0 else 2) / 8) * math.cos((2 * x + 1) * u * math.pi / 16) for x in range(8)] for u in range(8)])


def codes(counts: list[int], symbols: list[int]) -> dict[int, tuple[int, int]]:
    table, code, place = {}, 0, 0
    for length, count in enumerate(counts, 1):
        for symbol in symbols[place : place + count]:
            table[symbol] = (code, length)
            code += 1
        place += count
        code <<= 1
    return table


def segment(marker: int, data: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def table(kind: int, counts: list[int], symbols: list[int]) -> bytes:
    return bytes([kind]) + bytes(counts) + bytes(symbols)


class Bits:
    def __init__(self) -> None:
        self.out, self.word, self.count = bytearray(), 0, 0

    def put(self, value: int, length: int) -> None:
        self.word = self.word << length | value
        self.count += length
        while self.count >= 8:
            byte = self.word >> (self.count - 8) & 255
            self.out += bytes([byte, 0]) if byte == 255 else bytes([byte])
            self.count -= 8
        self.word &= (1 << self.count) - 1

    def value(self, value: int, size: int) -> None:
        if size:
            self.put(value if value > 0 else value + (1 << size) - 1, size)

    def flush(self) -> None:
        if self.count:
            self.put((1 << (8 - self.count)) - 1, 8 - self.count)


def coefficients(planes: list, size: tuple[int, int], sampling: list, steps: list[int]) -> tuple[list, int, int]:
    """Quantized blocks of each component in zigzag order, in whole units, and the blocks that the image needs."""
    (width, height), most = size, (max(h for h, _ in sampling), max(v for _, v in sampling))
    across, down = math.ceil(width / 8 / most[0]), math.ceil(height / 8 / most[1])
    made = []
    for plane, (h, v) in zip(planes, sampling):
        own = math.ceil(width * h / most[0]), math.ceil(height * v / most[1])
        rows = np.minimum((np.arange(own[1]) * most[1] / v).astype(int), height - 1)
        columns = np.minimum((np.arange(own[0]) * most[0] / h).astype(int), width - 1)
        samples = np.asarray(plane, dtype=float)[rows][:, columns]
        samples = np.pad(samples, ((0, down * v * 8 - own[1]), (0, across * h * 8 - own[0])), mode="edge")
        blocks = samples.reshape(down * v, 8, across * h, 8).transpose(0, 2, 1, 3) - 128
        blocks = (BASIS @ blocks @ BASIS.T).reshape(down * v, across * h, 64)[..., ZIGZAG]
        made.append((np.rint(blocks / np.array(steps)).astype(int), math.ceil(own[0] / 8), math.ceil(own[1] / 8)))
    return made, across, down


class Writer:
    """One scan's bits."""

    def __init__(self, dc: dict, ac: dict, band: tuple[int, int], bits: tuple[int, int]) -> None:
        self.bits, self.dc, self.ac = Bits(), dc, ac
        self.band, (self.high, self.low) = band, bits
        self.before, self.empty = {}, 0

    def end_run(self) -> None:
        if self.empty:
            size = self.empty.bit_length() - 1
            self.bits.put(*self.ac[size << 4])
            if size:
                self.bits.put(self.empty - (1 << size), size)
        self.empty = 0

    def restart(self, number: int) -> None:
        self.end_run()
        self.bits.flush()
        self.bits.out += bytes([0xFF, 0xD0 + number % 8])
        self.before = {}

    def difference(self, component: int, value: int) -> None:
        difference = value - self.before.get(component, 0)
        self.before[component] = value
        size = abs(difference).bit_length()
        self.bits.put(*self.dc[size])
        self.bits.value(difference, size)

    def shifted(self, block: np.ndarray, place: int) -> int:
        value = int(block[place])
        return (abs(value) >> self.low) * (1 if value >= 0 else -1)

    def block(self, component: int, block: np.ndarray, is_progressive: bool) -> None:
        first, last = self.band
        if first == 0 and self.high:
            self.bits.put(int(block[0]) >> self.low & 1, 1)
            return
        if first == 0:
            self.difference(component, int(block[0]) >> self.low)
            if is_progressive:
                return
            first = 1
        if self.high:
            self.refine(block)
            return
        zeros, end = 0, max([k for k in range(first, last + 1) if self.shifted(block, k)], default=first - 1)
        for place in range(first, end + 1):
            value = self.shifted(block, place)
            if value == 0:
                zeros += 1
                continue
            self.end_run()
            while zeros > 15:
                self.bits.put(*self.ac[0xF0])
                zeros -= 16
            size = abs(value).bit_length()
            self.bits.put(*self.ac[zeros << 4 | size])
            self.bits.value(value, size)
            zeros = 0
        if end < last:
            self.empty += 1
            if not is_progressive or self.empty == 0x7FFF:
                self.end_run()

    def refine(self, block: np.ndarray) -> None:
        first, last = self.band
        sizes = [abs(self.shifted(block, place)) for place in range(64)]
        end = max([k for k in range(first, last + 1) if sizes[k] == 1], default=first - 1)
        zeros, corrections = 0, []

        def symbol(value: int) -> None:
            self.bits.put(*self.ac[value])

        def correct() -> None:
            while corrections:
                self.bits.put(corrections.pop(0), 1)

        for place in range(first, end + 1):
            if sizes[place] > 1:
                corrections.append(sizes[place] & 1)
            elif sizes[place] == 0:
                zeros += 1
                if zeros == 16:
                    symbol(0xF0)
                    correct()
                    zeros = 0
            else:
                symbol(zeros << 4 | 1)
                self.bits.put(int(block[place] > 0), 1)
                correct()
                zeros = 0
        corrections += [sizes[place] & 1 for place in range(end + 1, last + 1) if sizes[place] > 1]
        if end < last:
            symbol(0)
            correct()


def jpeg(
    planes: list,
    sampling: list,
    scans: list | None = None,
    *,
    start: int = 0xC0,
    names: tuple = (1, 2, 3, 4),
    before: bytes = b"",
    interval: int = 0,
    steps: list[int] | None = None,
    tables: bool = True,
    height: int | None = None,
    end: bytes = b"\xff\xd9",
) -> bytes:
    """`scans` are lists of components, or (components, first, last, high, low) where `start` is C2."""
    size = (planes[0].shape[1], planes[0].shape[0])
    steps = steps or [3] * 64
    every = list(range(len(planes)))
    made, across, down = coefficients(planes, size, sampling, steps)
    wide = any(step > 255 for step in steps)
    out = b"\xff\xd8" + before + segment(0xDB, bytes([16 if wide else 0]) + struct.pack(">64H" if wide else ">64B", *steps))
    parts = b"".join(bytes([names[c], sampling[c][0] << 4 | sampling[c][1], 0]) for c in every)
    out += segment(start, struct.pack(">BHHB", 8, size[1] if height is None else height, size[0], len(planes)) + parts)
    dc, ac = (DC_COUNTS, DC_SYMBOLS), (AC_COUNTS, AC_SYMBOLS)
    if tables:
        out += segment(0xC4, table(0, *dc) + table(0x10, *ac))
    else:
        ac = (STANDARD_AC_COUNTS, STANDARD_AC_SYMBOLS)
    if interval:
        out += segment(0xDD, struct.pack(">H", interval))
    is_progressive = start == 0xC2
    for scan in scans or [every]:
        components, first, last, high, low = scan if is_progressive else (scan, 0, 63, 0, 0)
        head = b"".join(bytes([names[c], 0]) for c in components)
        out += segment(0xDA, bytes([len(components)]) + head + bytes([first, last, high << 4 | low]))
        writer = Writer(codes(*dc), codes(*ac), (first, last), (high, low))
        if len(components) > 1:
            units = [
                [(c, y * sampling[c][1] + v, x * sampling[c][0] + h) for c in components for v in range(sampling[c][1]) for h in range(sampling[c][0])]
                for y in range(down)
                for x in range(across)
            ]
        else:
            _, wide_in_blocks, high_in_blocks = made[components[0]]
            units = [[(components[0], y, x)] for y in range(high_in_blocks) for x in range(wide_in_blocks)]
        for number, unit in enumerate(units):
            if interval and number and number % interval == 0:
                writer.restart(number // interval - 1)
            for component, y, x in unit:
                writer.block(component, made[component][0][y, x], is_progressive)
        writer.end_run()
        writer.bits.flush()
        out += bytes(writer.bits.out)
    return out + end


# T.81, K.3.3.2: AC of luminance, for files that leave their tables out.
STANDARD_AC_COUNTS = [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7D]
STANDARD_AC_SYMBOLS = list(bytes.fromhex(
    "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435363738"
    "393a434445464748494a535455565758595a636465666768696a737475767778797a838485868788898a92939495969798999aa2a3a4a5"
    "a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa"
))


def ycbcr(rgb: np.ndarray) -> list:
    r, g, b = (rgb[..., c].astype(float) for c in range(3))
    return [
        0.299 * r + 0.587 * g + 0.114 * b,
        128 - 0.168736 * r - 0.331264 * g + 0.5 * b,
        128 + 0.5 * r - 0.418688 * g - 0.081312 * b,
    ]


def script(count: int, kind: str) -> list:
    """Scans of a progressive image."""
    every = list(range(count))

    def each(first: int, last: int, high: int, low: int) -> list:
        return [([c], first, last, high, low) for c in every]

    return {
        "plain": [(every, 0, 0, 0, 0), *each(1, 63, 0, 0)],
        "apart": [*each(0, 0, 0, 0), *each(1, 63, 0, 0)],
        "bands": [(every, 0, 0, 0, 0), *each(1, 5, 0, 0), *each(6, 63, 0, 0)],
        "refined": [(every, 0, 0, 0, 1), *each(1, 63, 0, 2), *each(1, 63, 2, 1), (every, 0, 0, 1, 0), *each(1, 63, 1, 0)],
        "blurred": [(every, 0, 0, 0, 0), *each(1, 9, 0, 0)],
        "flat": [(every, 0, 0, 0, 0)],
        "rough": [(every, 0, 0, 0, 0), *each(1, 63, 0, 1)],
        "part": [([0], 0, 0, 0, 0), ([0], 1, 63, 0, 0)],
    }[kind]
