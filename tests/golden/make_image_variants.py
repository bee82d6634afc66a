"""Small files of every kind that an image format has, and Pillow's pixels of each, for `src/image`.

`images/variants.zz` holds the files (zlib; of each four bytes of length and the file), `images/variants.txt` a line for each:
its name, and width, height and hash of the RGB of `exif_transpose` and `convert("RGB")`, or "refused" where Ocelli refuses
what Pillow shows by guessing, or Pillow refuses too.
"""

import io
import struct
import sys
import warnings
import zlib

import numpy as np
from jpeg_writer import jpeg, script, segment, ycbcr
from make_images import OUT, adam7, chunk, encoded, fnv, lines_of, noise, packed, png, smooth
from PIL import Image, ImageOps

FILES: dict[str, tuple[bytes, bool]] = {}


def add(name: str, data: bytes, refused: bool = False) -> None:
    assert name not in FILES, name
    FILES[name] = (data, refused)


JFIF = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")


def adobe(transform: int) -> bytes:
    return segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([transform]))


def planes(width: int, height: int) -> list:
    return ycbcr(np.asarray(smooth(width, height)))


def named(sampling: list) -> str:
    return "_".join(f"{h}{v}" for h, v in sampling)


WHOLE = [(1, 1)] * 3
HALF = [(2, 2), (1, 1), (1, 1)]
SAMPLINGS = [
    WHOLE, HALF, [(2, 1), (1, 1), (1, 1)], [(1, 2), (1, 1), (1, 1)], [(4, 1), (1, 1), (1, 1)], [(1, 4), (1, 1), (1, 1)],
    [(4, 2), (1, 1), (1, 1)], [(1, 1), (2, 2), (2, 2)], [(1, 1), (2, 1), (1, 1)], [(1, 1), (1, 1), (1, 2)], [(2, 1), (2, 1), (1, 1)],
    [(2, 2), (2, 1), (1, 2)], [(3, 1), (1, 1), (1, 1)], [(1, 3), (1, 1), (1, 1)], [(4, 1), (2, 1), (1, 1)], [(2, 1), (2, 1), (2, 1)],
]


def jpegs() -> None:
    odd = planes(21, 19)
    for sampling in SAMPLINGS:
        for scans, interval in ((None, 0), ([[0], [1], [2]], 0), ([[0], [1], [2]], 3), (None, 1)):
            kind = f"{'apart' if scans else 'whole'}-{interval}"
            add(f"jpeg-{named(sampling)}-{kind}", jpeg(odd, sampling, scans, interval=interval))
        for kind in ("plain", "apart", "bands", "refined"):
            add(f"jpeg-{named(sampling)}-{kind}", jpeg(odd, sampling, script(3, kind), start=0xC2, interval=2 * (kind == "bands")))
    for size in ((1, 1), (2, 3), (4, 1), (1, 5), (8, 8), (5, 9), (16, 16), (17, 1)):
        for sampling in (WHOLE, HALF, SAMPLINGS[2], SAMPLINGS[3], SAMPLINGS[7]):
            for scans in (None, [[2], [0, 1]]):
                add(f"jpeg-{size[0]}x{size[1]}-{named(sampling)}-{'several' if scans else 'one'}", jpeg(planes(*size), sampling, scans))
    for scans in ([[0], [1, 2]], [[2], [1], [0]], [[1], [0, 2]], [[0, 1], [2]]):
        add(f"jpeg-order-{'_'.join(''.join(map(str, s)) for s in scans)}", jpeg(odd, HALF, scans, interval=2))
    markers = {
        "none": b"", "jfif": JFIF, "adobe0": adobe(0), "adobe1": adobe(1), "adobe2": adobe(2), "adobe9": adobe(9),
        "jfif_adobe0": JFIF + adobe(0), "adobe0_jfif": adobe(0) + JFIF, "jfif_adobe1": JFIF + adobe(1), 
        "short_adobe": segment(0xEE, b"Adobe\0\x64"),
    }
    for name, before in markers.items():
        for names in ((1, 2, 3), (0, 1, 2), tuple(b"RGB"), tuple(b"rgb"), (1, 1, 1)):
            add(f"jpeg-{name}-{'.'.join(map(str, names))}", jpeg(planes(9, 9), HALF, names=names, before=before))
        four = planes(9, 9)
        four = four + [255 - four[0] * 0.6]
        for sampling in ([(1, 1)] * 4, [(2, 2), (1, 1), (1, 1), (2, 2)]):
            add(f"jpeg-{name}-four-{named(sampling)}", jpeg(four, sampling, before=before))
            add(f"jpeg-{name}-four-{named(sampling)}-apart", jpeg(four, sampling, [[0], [1], [2], [3]], before=before))
        for sampling in ((1, 1), (2, 2), (1, 3)):
            add(f"jpeg-{name}-grey-{named([sampling])}", jpeg(planes(9, 9)[:1], [sampling], before=before, interval=2))
    add("jpeg-no-tables", jpeg(odd, HALF, tables=False))
    add("jpeg-no-tables-apart", jpeg(odd, HALF, [[0], [1], [2]], tables=False))
    grain = np.random.default_rng(1).integers(0, 256, (19, 21, 3))
    for steps in ([1] * 64, [255] * 64, list(range(1, 65)), [300] * 64):
        for sampling in SAMPLINGS[:4]:
            start = 0xC1 if steps[0] > 255 else 0xC0
            add(f"jpeg-steps{steps[0]}_{steps[-1]}-{named(sampling)}", jpeg(ycbcr(grain), sampling, steps=steps, start=start))
    whole = jpeg(odd, HALF, before=JFIF)
    at = whole.index(b"\xff\xc0")
    between = {
        "comment": segment(0xFE, b"\xff\xd8\xff\xd9"), "fill": b"\xff" * 5, "stray": b"abc", "zeros": b"\xff\0" * 2,
        "several": segment(0xE2, b"MPF\0junk"), "dnl": segment(0xDC, b"\0\5"), "thumbnail": segment(0xE1, b"Exif\0\0" + whole),
    }
    for name, data in between.items():
        add(f"jpeg-with-{name}", whole[:at] + data + whole[at:])
    for name, data in {"stray": b"\x12\x34", "fill": b"\xff\xff", "restart": b"\xff\xd0", "dnl": segment(0xDC, b"\0\x13")}.items():
        add(f"jpeg-end-{name}", whole[:-2] + data + whole[-2:])
    add("jpeg-trailing", whole + b"junk" + whole)
    # What Pillow guesses, and what it refuses too.
    for kind in ("blurred", "flat", "rough", "part"):
        refused = kind != "blurred"
        add(f"jpeg-{kind}", jpeg(odd, HALF, script(3, kind), start=0xC2), refused)
    for cut in (1, 2, 9, 100):
        add(f"jpeg-cut-{cut}", whole[:-cut], True)
        add(f"jpeg-cut-{cut}-ended", whole[: -cut - 2] + b"\xff\xd9", True)
    add("jpeg-part-of-scans", jpeg(odd, HALF, [[0], [1]]), True)
    add("jpeg-twice", jpeg(odd, HALF, [[0, 1, 2], [0]]), True)
    add("jpeg-broken-fraction", jpeg(odd, [(3, 1), (2, 1), (1, 1)]), True)
    for start in (0xC3, 0xC5, 0xC9, 0xCA):
        add(f"jpeg-start-{start:x}", jpeg(odd, HALF, start=start), True)
    add("jpeg-12-bits", whole.replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c"), True)
    add("jpeg-no-height", jpeg(odd, HALF, height=0, end=segment(0xDC, b"\0\x13") + b"\xff\xd9"), True)
    add("jpeg-two-components", jpeg(odd[:2], WHOLE[:2]), True)
    add("jpeg-no-steps", whole.replace(b"\xff\xdb", b"\xff\xef"), True)
    add("jpeg-two-images", whole[:-2] + whole[2:], True)


def pngs() -> None:
    generator = np.random.default_rng(3)
    for width, height in ((1, 1), (5, 1), (1, 9), (13, 11)):
        for bits, kind, channels in [
            (bits, kind, channels)
            for kind, channels in ((0, 1), (2, 3), (3, 1), (4, 2), (6, 4))
            for bits in (1, 2, 4, 8, 16)
            if not (kind in (2, 4, 6) and bits < 8 or kind == 3 and bits > 8)
        ]:
            data = generator.integers(0, 1 << bits, (height, width, channels)).astype(np.uint16 if bits == 16 else np.uint8)
            data = data[..., 0] if channels == 1 else data
            for interlace in (0, 1):
                if bits >= 8:
                    lines = adam7(data) if interlace else lines_of(data)
                else:
                    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
                    parts = [data[y::dy, x::dx] for y, x, dy, dx in (passes if interlace else ((0, 0, 1, 1),))]
                    lines = b"".join(packed(part, bits) for part in parts if part.size)
                name = f"png-{width}x{height}-{kind}-{bits}-{interlace}"
                if kind != 3:
                    clear = chunk(b"tRNS", bytes(5) + b"\1") if kind == 2 else chunk(b"tRNS", b"\0\1") if kind == 0 else b""
                    add(name, png(width, height, bits, kind, lines, clear + chunk(b"gAMA", struct.pack(">I", 20000)), interlace))
                    continue
                for colors in (1 << bits, max(1, (1 << bits) // 3)):
                    table = chunk(b"PLTE", generator.integers(0, 256, 3 * colors).astype(np.uint8).tobytes())
                    for clear in (b"", bytes(range(colors // 2 + 1))):
                        extra = table + (chunk(b"tRNS", clear) if clear else b"")
                        add(f"{name}-{colors}-{len(clear)}", png(width, height, bits, kind, lines, extra, interlace))
    picture = np.asarray(smooth(9, 7))
    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 9, 7, 8, 2, 0, 0, 0))
    packed_lines, end = zlib.compress(lines_of(picture)), chunk(b"IEND", b"")
    pixels, other = chunk(b"IDAT", packed_lines), zlib.compress(lines_of(picture[::-1]))

    def control(number: int, size: tuple[int, int] = (9, 7)) -> bytes:
        return chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, *size, 0, 0, 1, 10, 0, 0))

    def frames(count: int) -> bytes:
        return chunk(b"acTL", struct.pack(">II", count, 0))

    def frame(number: int) -> bytes:
        return chunk(b"fdAT", struct.pack(">I", number) + other)

    for name, body in {
        "plain": pixels, "split": b"".join(chunk(b"IDAT", packed_lines[i : i + 7]) for i in range(0, len(packed_lines), 7)),
        "empty-part": chunk(b"IDAT", b"") + pixels + chunk(b"IDAT", b""), "unknown": chunk(b"abCd", b"x") + pixels + chunk(b"zzZz", b""),
        "more": chunk(b"IDAT", zlib.compress(lines_of(picture) * 2)), "profile": chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(300))) + pixels,
        "animation": frames(2) + control(0) + pixels + control(1) + frame(2), "beside": frames(1) + pixels + control(0) + frame(1),
        "one-frame": frames(1) + control(0) + pixels,
    }.items():
        add(f"png-{name}", head + body + end)
    add("png-no-end", head + pixels)
    add("png-trailing", head + pixels + end + b"junk")
    add("png-less", head + chunk(b"IDAT", zlib.compress(lines_of(picture)[:-20])) + end, True)
    add("png-no-palette", png(9, 7, 8, 3, lines_of(picture[..., 0])), True)


def bmp(header: int, width: int, height: int, bits: int, body: bytes, compression: int = 0, masks: bytes = b"", table: bytes = b"", colors: int = 0, start: int | None = None) -> bytes:
    if header == 12:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        info = struct.pack("<IiiHHIIiiII", header, width, height, 1, bits, compression, len(body), 0, 0, colors, 0)
        info = info + masks if header == 40 else (info + masks).ljust(header, b"\0")
    place = 14 + len(info) + len(table)
    return b"BM" + struct.pack("<IHHI", place + len(body), 0, 0, place if start is None else start) + info + table + body


def bmps() -> None:
    generator = np.random.default_rng(5)

    def some(count: int) -> bytes:
        return generator.integers(0, 256, count).astype(np.uint8).tobytes()

    for header in (12, 40, 52, 56, 64, 108, 124):
        for bits in (1, 4, 8, 16, 24, 32):
            for height in (5,) if header == 12 else (5, -5):
                table = some((3 if header == 12 else 4) << bits) if bits <= 8 else b""
                body = some((7 * bits + 31) // 32 * 4 * 5)
                add(f"bmp-{header}-{bits}-{height}", bmp(header, 7, height, bits, body, table=table))
    masks = [
        (32, 0xFF0000, 0xFF00, 0xFF, 0), (32, 0xFF000000, 0xFF0000, 0xFF00, 0), (32, 0xFF000000, 0xFF00, 0xFF, 0),
        (32, 0xFF000000, 0xFF0000, 0xFF00, 0xFF), (32, 0xFF, 0xFF00, 0xFF0000, 0xFF000000), (32, 0xFF0000, 0xFF00, 0xFF, 0xFF000000),
        (32, 0xFF000000, 0xFF00, 0xFF, 0xFF0000), (32, 0, 0, 0, 0), (24, 0xFF0000, 0xFF00, 0xFF, 0), (16, 0xF800, 0x7E0, 0x1F, 0), (16, 0x7C00, 0x3E0, 0x1F, 0),
    ]
    for bits, *each in masks:
        for header in (40, 124):
            if header == 40 and each[3]:
                continue
            mask = struct.pack("<4I", *each)[: 12 if header == 40 else 16]
            add(f"bmp-masks-{header}-{bits}-{'.'.join(f'{m:x}' for m in each)}", bmp(header, 7, 5, bits, some(28 * 5), 3, mask))
    add("bmp-masks-unknown", bmp(40, 7, 5, 16, some(80), 3, struct.pack("<3I", 0xF00, 0xF0, 0xF)), True)
    runs = {
        "lines": b"\5\1\0\0\5\x23\0\0\5\3\0\1", "absolute": b"\0\5\1\2\3\4\5\0\0\0\0\3\1\2\3\0\2\7\0\0\5\3\0\1",
        "delta": b"\2\1\0\2\1\1\2\3\0\0\5\4\0\1", "over": b"\x09\x01\0\0\5\2\0\0\5\3", "no-end": b"\5\1\0\0\5\2\0\0\5\3",
    }
    for name, data in runs.items():
        for bits, compression in ((8, 1), (4, 2)):
            for height in (3, -3):
                table = bytes(noise(3, 4 << bits))
                add(f"bmp-runs-{name}-{bits}-{height}", bmp(40, 5, height, bits, data, compression, table=table))
    add("bmp-runs-short", bmp(40, 5, 3, 8, b"\5\1\0\1", 1, table=some(1024)), True)
    for colors in (1, 2, 3, 200):
        body = generator.integers(0, 3, 40).astype(np.uint8).tobytes()
        add(f"bmp-colors-{colors}", bmp(40, 7, 5, 8, body, table=some(4 * colors), colors=colors))
    ramp = bytes(v for value in range(256) for v in (value, value, value, 0))
    add("bmp-ramp", bmp(40, 7, 5, 8, some(40), table=ramp))
    add("bmp-short-ramp", bmp(40, 7, 5, 8, some(40), table=ramp[:40], colors=10))
    add("bmp-black-white", bmp(40, 7, 5, 1, some(20), table=ramp[:4] + ramp[-4:]))
    add("bmp-black-white-8", bmp(40, 7, 5, 8, some(40), table=ramp[:4] + ramp[-4:], colors=2), True)
    add("bmp-gap", bmp(40, 7, 5, 24, b"gapgap" + some(120), start=60))
    add("bmp-no-start", bmp(40, 7, 5, 8, some(40), table=some(1024), start=0))
    add("bmp-start-at-palette", bmp(40, 7, 5, 8, some(40), table=some(1024), start=54))
    add("bmp-no-last-padding", bmp(40, 7, 5, 24, some(117)))
    add("bmp-cut", bmp(40, 7, 5, 24, some(116)), True)
    for compression in (4, 5):
        add(f"bmp-compression-{compression}", bmp(40, 7, 5, 24, some(120), compression), True)


def gif_codes(codes: list[tuple[int, int]]) -> bytes:
    word = sum(code << sum(width for _, width in codes[:i]) for i, (code, _) in enumerate(codes))
    data = word.to_bytes((sum(width for _, width in codes) + 7) // 8, "little")
    return bytes([len(data)]) + data + b"\0"


def gifs() -> None:
    for width, height in ((1, 1), (7, 1), (1, 11), (13, 11)):
        for colors in (2, 5, 13, 100):
            for interlace in (0, 1):
                add(f"gif-{width}x{height}-{colors}-{interlace}", encoded(smooth(width, height).quantize(colors), "GIF", interlace=interlace))
    plain = encoded(smooth(13, 11).quantize(13), "GIF", interlace=0)
    at = plain.index(b"\x2c\0\0\0\0")
    control = b"\x21\xf9\4\1\0\0\5\0"
    for name, data in {
        "unknown": b"\x21\x99\3abc\0", "comment": b"\x21\xfe\3abc\0", "empty-comment": b"\x21\xfe\0", "loop": b"\x21\xff\x0bNETSCAPE2.0\3\1\0\0\0",
        "application": b"\x21\xff\3abc\0", "text": b"\x21\1\x0c" + bytes(12) + b"\3abc\0", "control": control, "two-controls": control + b"\x21\xf9\4\0\0\0\7\0",
        "two-transparent": control + b"\x21\xf9\4\1\0\0\7\0", "short-control": b"\x21\xf9\3\0\0\0\0", "long-control": b"\x21\xf9\5\1\0\0\5\7\0",
        "control-parts": b"\x21\xf9\4\1\0\0\5\3abc\0", "zero": b"\0", "zeros": bytes(5), "stray": b"abc", "beyond": b"\x21\xf9\4\1\0\0\xf0\0",
    }.items():
        add(f"gif-with-{name}", plain[:at] + data + plain[at:])
    add("gif-with-short-transparent", plain[:at] + b"\x21\xf9\3\1\0\0\0" + plain[at:], True)

    def changed(place: int, *values: int) -> bytes:
        return plain[:place] + struct.pack(f"<{len(values)}H", *values) + plain[place + 2 * len(values) :]

    for name, data in {
        "large-screen": changed(6, 20, 20), "small-screen": changed(6, 3, 3), "no-screen": changed(6, 0, 0), "moved": changed(at + 1, 9, 9), "lower": changed(at + 7, 5),
    }.items():
        add(f"gif-{name}", data)
        add(f"gif-{name}-transparent", data[:at] + control + data[at:])
    size = 13 + (3 << ((plain[10] & 7) + 1))
    add("gif-no-palette", plain[:10] + bytes([plain[10] & 0x7F]) + plain[11:13] + plain[size:])
    add("gif-trailing", plain + b"junk")
    add("gif-no-end", plain[:-1])
    add("gif-cut", plain[:-20], True)
    add("gif-higher", changed(at + 7, 12), True)
    head = b"GIF89a" + struct.pack("<HHBBB", 4, 2, 0x82, 0, 0) + bytes(noise(9, 24)) + b"\x2c" + struct.pack("<HHHHB", 0, 0, 4, 2, 0)
    for name, codes in {
        "no-clear": [(c, 4) for c in (1, 2, 3, 4, 5, 6)] + [(7, 4), (0, 5), (9, 5)],
        "clears": [(c, 4) for v in range(8) for c in (8, v)] + [(9, 4)],
        "itself": [(8, 4), (1, 4), (10, 4), (11, 4), (2, 4), (3, 4), (9, 4)],
    }.items():
        add(f"gif-codes-{name}", head + b"\3" + gif_codes(codes) + b"\x3b")
    add("gif-codes-unknown", head + b"\3" + gif_codes([(8, 4), (1, 4), (15, 4), (1, 4)]) + b"\x3b", True)
    add("gif-codes-end", head + b"\3" + gif_codes([(8, 4), (1, 4), (9, 4)]) + b"\x3b", True)


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def three(value: int) -> bytes:
    return struct.pack("<I", value)[:3]


def vp8x(flags: int, width: int, height: int) -> tuple[bytes, bytes]:
    return b"VP8X", bytes([flags, 0, 0, 0]) + three(width - 1) + three(height - 1)


def webp_chunks(file: bytes) -> dict[bytes, bytes]:
    found, at = {}, 12
    while at < len(file):
        length = struct.unpack("<I", file[at + 4 : at + 8])[0]
        found[file[at : at + 4]] = file[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
    return found


def webps() -> None:
    for width, height in ((1, 1), (3, 5), (16, 16), (21, 19)):
        rgb = smooth(width, height)
        rgba = Image.merge("RGBA", (*rgb.split(), Image.fromarray(noise(5, width * height).reshape(height, width))))
        for quality in (0, 50, 100):
            add(f"webp-{width}x{height}-{quality}", encoded(rgb, "WEBP", quality=quality))
            add(f"webp-{width}x{height}-{quality}-alpha", encoded(rgba, "WEBP", quality=quality))
        add(f"webp-{width}x{height}-lossless", encoded(rgb, "WEBP", lossless=True))
        add(f"webp-{width}x{height}-lossless-alpha", encoded(rgba, "WEBP", lossless=True, exact=True))
        add(f"webp-{width}x{height}-palette", encoded(rgb.quantize(4).convert("RGB"), "WEBP", lossless=True))
        add(f"webp-{width}x{height}-frames", encoded(rgba, "WEBP", save_all=True, append_images=[rgba.rotate(180)]))
    width, height = 13, 11
    rgb = smooth(width, height)
    rgba = Image.merge("RGBA", (*rgb.split(), Image.fromarray(noise(5, width * height).reshape(height, width))))
    lossy, clear = webp_chunks(encoded(rgb, "WEBP"))[b"VP8 "], webp_chunks(encoded(rgba, "WEBP", quality=60))
    exact = webp_chunks(encoded(rgba, "WEBP", lossless=True, exact=True))[b"VP8L"]
    head, pixels, lossless, alpha = (lambda flags: vp8x(flags, width, height)), (b"VP8 ", lossy), (b"VP8L", exact), (b"ALPH", clear[b"ALPH"])
    clear = (b"VP8 ", clear[b"VP8 "])
    for name, chunks in {
        "flag-without-alpha": (head(16), pixels), "alpha-without-flag": (head(0), alpha, clear), "alpha": (head(16), alpha, clear),
        "extended": (head(0), lossless), "flag": (head(16), lossless), "unknown": (head(0), (b"abcd", b"xyz"), pixels, (b"zzzz", b"")),
        "simple-then": (pixels, (b"EXIF", b"xx")),
    }.items():
        add(f"webp-{name}", riff(*chunks))

    def frame(x: int, y: int, flags: int, *chunks: tuple[bytes, bytes], size: tuple[int, int] = (width, height)) -> tuple[bytes, bytes]:
        place = three(x // 2) + three(y // 2) + three(size[0] - 1) + three(size[1] - 1) + three(16) + bytes([flags])
        return b"ANMF", place + riff(*chunks)[12:]

    start, large = (b"ANIM", b"\x10\x20\x30\x40\0\0"), vp8x(2 | 16, width + 9, height + 8)
    for name, chunks in {
        "moved": (large, start, frame(4, 6, 0, pixels), frame(0, 0, 0, lossless)), "moved-alpha": (large, start, frame(4, 6, 0, lossless)),
        "moved-blended": (large, start, frame(2, 0, 2, lossless)), "moved-lossy": (large, start, frame(8, 8, 1, alpha, clear)),
        "whole": (head(2), start, frame(0, 0, 0, pixels)),
    }.items():
        add(f"webp-frames-{name}", riff(*chunks))
    for name, chunks in {
        "large-canvas": (vp8x(0, width + 3, height), pixels), "outside": (head(2), start, frame(4, 6, 0, pixels)), "wrong-size": (head(2), start, frame(0, 0, 0, pixels, size=(width - 1, height))),
        "empty-frame": (head(2), start, frame(0, 0, 0)), "no-picture": (head(0),),
    }.items():
        add(f"webp-{name}", riff(*chunks), True)
    add("webp-trailing", riff(pixels) + b"junk")
    add("webp-cut", riff(pixels)[:-9], True)


def tiff(entries: list, order: str = "<", head: bytes | None = None, extra: bytes = b"", start: int = 8) -> bytes:
    head = head or (b"II*\0" if order == "<" else b"MM\0*")
    body = b"".join(struct.pack(order + "HHI", *entry[:3]) + entry[3].ljust(4, b"\0") for entry in entries)
    return head + struct.pack(order + "I", start) + bytes(start - 8) + struct.pack(order + "H", len(entries)) + body + bytes(4) + extra


def exif_kinds() -> dict[str, bytes]:
    kinds = {}
    for order in "<>":
        name = "le" if order == "<" else "be"

        def value(kind: str, *numbers, order: str = order) -> bytes:
            return struct.pack(order + kind, *numbers)

        beyond = value("I", 26)
        for number in (0, 1, 3, 5, 6, 8, 9):
            kinds[f"short{number}-{name}"] = tiff([(0x112, 3, 1, value("H", number))], order)
        for kind, (code, width) in {
            "byte": (1, "B"), "text": (2, "B"), "long": (4, "I"), "signed-byte": (6, "b"), "bytes": (7, "B"), "signed-short": (8, "h"), "signed-long": (9, "i"),
            "float": (11, "f"), "ifd": (13, "I"), "unknown": (15, "I"),
        }.items():
            kinds[f"{kind}-{name}"] = tiff([(0x112, code, 1, value(width, 6))], order)
        kinds[f"fraction-{name}"] = tiff([(0x112, 11, 1, value("f", 5.5))], order)
        kinds[f"double-{name}"] = tiff([(0x112, 12, 1, beyond)], order, extra=value("d", 6.0))
        for over, under in ((6, 1), (12, 2), (13, 2), (6, 0)):
            kinds[f"ratio{over}_{under}-{name}"] = tiff([(0x112, 5, 1, beyond)], order, extra=value("II", over, under))
        kinds[f"signed-ratio-{name}"] = tiff([(0x112, 10, 1, beyond)], order, extra=value("ii", -6, -1))
        kinds[f"two-{name}"] = tiff([(0x112, 3, 2, value("HH", 6, 3))], order)
        kinds[f"three-{name}"] = tiff([(0x112, 3, 3, beyond)], order, extra=value("HHH", 6, 3, 8))
        kinds[f"none-{name}"] = tiff([(0x112, 3, 0, value("H", 6))], order)
        kinds[f"after-{name}"] = tiff([(0x10F, 2, 6, value("I", 38)), (0x112, 3, 1, value("H", 6))], order, extra=b"maker\0")
        kinds[f"after-lost-{name}"] = tiff([(0x10F, 2, 6, value("I", 5000)), (0x112, 3, 1, value("H", 6))], order)
        kinds[f"after-huge-{name}"] = tiff([(0x10F, 2, 60000, value("I", 8)), (0x112, 3, 1, value("H", 6))], order)
        kinds[f"twice-{name}"] = tiff([(0x112, 3, 1, value("H", 6)), (0x112, 3, 1, value("H", 3))], order)
        kinds[f"far-{name}"] = tiff([(0x112, 3, 1, value("H", 6))], order, start=20)
        kinds[f"cut-{name}"] = tiff([(0x112, 3, 1, value("H", 6))], order)[:-8]
        kinds[f"elsewhere-{name}"] = tiff([], order)
    short = [(0x112, 3, 1, b"\0\6")]
    kinds["swapped-be"], kinds["big-be"] = tiff(short, ">", b"MM*\0"), tiff(short, ">", b"MM\0+")
    kinds["nothing"] = b""
    return kinds


def orientations() -> None:
    picture = smooth(3, 2)
    photo, drawing = encoded(picture, "JPEG", quality=95, subsampling=0), encoded(picture, "PNG")
    photo = photo[:2] + photo[20:]
    lossless = (b"VP8L", webp_chunks(encoded(picture, "WEBP", lossless=True))[b"VP8L"])
    head = lambda flags: vp8x(flags, 3, 2)

    def xmp(number) -> bytes:
        return f'<rdf:Description tiff:Orientation="{number}"/>'.encode()

    namespace = b"http://ns.adobe.com/xap/1.0/\0"
    in_jpeg = lambda *parts: photo[:2] + b"".join(segment(0xE1, part) for part in parts) + photo[2:]
    before = lambda *chunks: drawing[:33] + b"".join(chunks) + drawing[33:]
    after = lambda *chunks: drawing[:-12] + b"".join(chunks) + drawing[-12:]
    for name, exif in exif_kinds().items():
        add(f"turn-jpeg-{name}", in_jpeg(b"Exif\0\0" + exif, namespace + xmp(3)))
        add(f"turn-png-{name}", before(chunk(b"eXIf", exif), chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(3))))
        add(f"turn-webp-{name}", riff(head(12), lossless, (b"EXIF", exif), (b"XMP ", xmp(3))))
    six, three_, plain = tiff([(0x112, 3, 1, b"\6\0")]), tiff([(0x112, 3, 1, b"\3\0")]), tiff([(0x112, 3, 1, b"\1\0")])
    prefixed = b"Exif\0\0" + six
    for name, parts in {
        "two": (prefixed, b"Exif\0\0" + three_), "two-first-none": (b"Exif\0\0" + plain, prefixed), "split": (b"Exif\0\0" + six[:14], b"Exif\0\0" + six[14:]),
        "prefix-twice": (b"Exif\0\0" + prefixed,), "prefix-thrice": (b"Exif\0\0" + b"Exif\0\0" + prefixed,), "lower-case": (b"exif\0\0" + six,), "one-zero": (b"Exif\0" + six,),
        "xmp-last": (namespace + xmp(6), namespace + xmp(3)), "xmp-last-none": (namespace + xmp(6), namespace + b"none"), "not-exif": (b"Exif\0\0XX",),
    }.items():
        add(f"turn-jpeg-parts-{name}", in_jpeg(*parts))
    packets = {
        "attribute": xmp(6), "element": b"<tiff:Orientation>6</tiff:Orientation>", "zero": xmp(0), "nine": xmp(9), "twelve": xmp(12), "quote": b"tiff:Orientation='6'",
        "spaced": b'tiff:Orientation = "6"', "second": b'tiff:Orientation tiff:Orientation="3"', "not-a-digit": xmp("x") + xmp(8), "latin": b"\xff\xfe" + xmp(6), "wide": xmp(6).decode().encode("utf-16"),
    }
    key = b"XML:com.adobe.xmp\0"
    for name, packet in packets.items():
        add(f"turn-jpeg-xmp-{name}", in_jpeg(namespace + packet))
        add(f"turn-webp-xmp-{name}", riff(head(4), lossless, (b"XMP ", packet)))
        add(f"turn-png-itxt-{name}", before(chunk(b"iTXt", key + b"\0\0en\0xx\0" + packet)))
        add(f"turn-png-itxt-packed-{name}", after(chunk(b"iTXt", key + b"\1\0\0\0" + zlib.compress(packet))))
        add(f"turn-png-text-{name}", before(chunk(b"tEXt", key + packet)))
        add(f"turn-png-ztxt-{name}", before(chunk(b"zTXt", key + b"\0" + zlib.compress(packet))))
    profile = lambda data: b"\nexif\n%8d\n" % len(data) + b"\n".join(data.hex().encode()[i : i + 72] for i in range(0, 2 * len(data), 72)) + b"\n"
    key = b"Raw profile type exif\0"
    for name, chunks in {
        "profile": chunk(b"tEXt", key + profile(prefixed)), "profile-packed": chunk(b"zTXt", key + b"\0" + zlib.compress(profile(prefixed))),
        "profile-text": chunk(b"iTXt", key + b"\0\0\0\0" + profile(prefixed)), "profile-bare": chunk(b"tEXt", key + profile(six)), "profile-upper": chunk(b"tEXt", key + profile(six).upper()),
        "profile-cut": chunk(b"zTXt", key + b"\0" + zlib.compress(profile(prefixed))[:-3]), "profile-app1": chunk(b"tEXt", b"Raw profile type APP1\0" + profile(prefixed)), "both": chunk(b"eXIf", three_) + chunk(b"tEXt", key + profile(six)),
        "text": chunk(b"tEXt", b"exif\0" + six), "two": chunk(b"eXIf", six) + chunk(b"eXIf", three_), "prefix": chunk(b"eXIf", prefixed),
    }.items():
        add(f"turn-png-{name}", before(chunks))
        add(f"turn-png-{name}-after", after(chunks))
    add("turn-png-behind-end", drawing + chunk(b"eXIf", six))
    control = lambda number: chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, 3, 2, 0, 0, 1, 10, 0, 0))
    frames, pixels, exif = (lambda count: chunk(b"acTL", struct.pack(">II", count, 0))), drawing[33:-12], chunk(b"eXIf", six)
    frame = chunk(b"fdAT", struct.pack(">I", 2) + pixels[8:-4])
    for name, chunks in {"before": (exif, control(0), pixels, control(1), frame), "between": (control(0), pixels, exif, control(1), frame), "end": (control(0), pixels, control(1), frame, exif)}.items():
        add(f"turn-png-frames-{name}", drawing[:33] + frames(2) + b"".join(chunks) + drawing[-12:])
    for name, chunks in {
        "no-flag": (head(0), lossless, (b"EXIF", six)), "first": (head(8), (b"EXIF", six), lossless), "two": (head(8), lossless, (b"EXIF", six), (b"EXIF", three_)),
        "prefix": (head(8), lossless, (b"EXIF", prefixed)), "simple": (lossless, (b"EXIF", six)), "xmp-no-flag": (head(8), lossless, (b"EXIF", tiff([])), (b"XMP ", xmp(6))),
        "exif-no-flag": (head(4), lossless, (b"EXIF", three_), (b"XMP ", xmp(6))), "empty-exif": (head(12), lossless, (b"EXIF", b""), (b"XMP ", xmp(6))),
    }.items():
        add(f"turn-webp-{name}", riff(*chunks))


def main() -> None:
    for make in (jpegs, pngs, bmps, gifs, webps, orientations):
        make()
    lines, files, strange = [], [], []
    for name, (data, refused) in FILES.items():
        result = "refused"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
            if not refused:
                result = f"{image.width} {image.height} {fnv(image.tobytes())}"
        except Exception as error:
            # Pillow refuses a picture for the sake of its metadata: that is no example of pixels.
            if not refused:
                strange.append((name, error))
                continue
        lines.append(f"{name} {result}")
        files.append(struct.pack("<I", len(data)) + data)
    (OUT / "variants.txt").write_text("\n".join(lines) + "\n")
    (OUT / "variants.zz").write_bytes(zlib.compress(b"".join(files), 9))
    print(f"{len(lines)} files; left out, because Pillow refuses them:", *strange, sep="\n  ", file=sys.stderr)


if __name__ == "__main__":
    main()
