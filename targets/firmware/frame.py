#!/usr/bin/env python3
"""A picture as a camera would give it: RGB565, and the same pixels as a PNG for the program on the host.

    frame.py PICTURE.png FOLDER

writes frame.rgb565 (two bytes a pixel, the lower first), frame.png, whose pixels are what those bytes mean, and frame.h
with the width and height. Reads PNG files of 8-bit RGB, not interlaced. Needs nothing but Python.
"""

import struct
import sys
import zlib


def chunks(data):
    at = 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += 12 + length


def paeth(a, b, c):
    """The predictor of the PNG specification, section 9.4."""
    p = a + b - c
    pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
    return a if pa <= pb and pa <= pc else b if pb <= pc else c


def read(path):
    """Width, height and rows of RGB bytes."""
    with open(path, "rb") as file:
        data = file.read()
    parts = list(chunks(data))
    width, height, depth, color, _, _, interlaced = struct.unpack(">IIBBBBB", dict(parts)[b"IHDR"])
    if (depth, color, interlaced) != (8, 2, 0):
        sys.exit(f"{path}: only 8-bit RGB without interlacing is read here")
    packed = zlib.decompress(b"".join(body for kind, body in parts if kind == b"IDAT"))
    rows, above, stride = [], bytearray(width * 3), width * 3 + 1
    for y in range(height):
        kind, row = packed[y * stride], bytearray(packed[y * stride + 1 : (y + 1) * stride])
        for i in range(width * 3):
            left, corner = (row[i - 3], above[i - 3]) if i >= 3 else (0, 0)
            guess = (0, left, above[i], (left + above[i]) // 2, paeth(left, above[i], corner))[kind]
            row[i] = (row[i] + guess) & 255
        rows.append(row)
        above = row
    return width, height, rows


def write(path, width, height, rows):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packed = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b""))


def main():
    picture, folder = sys.argv[1:]
    width, height, rows = read(picture)
    most = (31, 63, 31)
    # To the nearest of n levels, and back to the nearest of 256.
    down = [[(v * n * 2 + 255) // 510 for v in range(256)] for n in most]
    up = [[(level * 510 + n) // (2 * n) for level in range(n + 1)] for n in most]
    camera, seen = bytearray(), []
    for row in rows:
        meant = bytearray()
        for x in range(0, len(row), 3):
            r, g, b = (down[i][row[x + i]] for i in range(3))
            camera += struct.pack("<H", r << 11 | g << 5 | b)
            meant += bytes((up[0][r], up[1][g], up[2][b]))
        seen.append(meant)
    with open(f"{folder}/frame.rgb565", "wb") as file:
        file.write(camera)
    with open(f"{folder}/frame.h", "w") as file:
        file.write(f'#define FRAME_WIDTH {width}\n#define FRAME_HEIGHT {height}\n#define FRAME_SIZE "{width}x{height}"\n')
    write(f"{folder}/frame.png", width, height, seen)


main()
