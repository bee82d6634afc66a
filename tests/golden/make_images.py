"""Goldens for images: Pillow's resampler, its decoders, and the Hugging Face PIL processors.

    python tests/golden/make_images.py [resize|preprocess|grids|files …]

Needs pillow, numpy and transformers (figures of the committed files: see images/VERSIONS). Everything is
seeded by formula; running it again must change nothing.

Written to tests/golden/images/:
  resize.txt      filter  in_w in_h  out_w out_h  channels  fnv1a64(output bytes)
  preprocess.txt  geometry  tile patch edge  in_w in_h  rows columns views  fnv1a64(u8 views, HWC)
                  fnv1a64(normalised f32 patches, little-endian): the transformers PIL processors
  grids.txt       tile longest_edge  in_w in_h  via_w via_h  size_w size_h  rows columns: sizes only, at the
                  parameters of the released SmolVLM files
  files/          small encoded images of each kind (many more: make_image_variants.py)
  files.txt       name  width height  fnv1a64(the RGB bytes that PIL converts it to)
"""

import io
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

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


def processors():
    from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil
    from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil

    mean, std = CLIPImageProcessorPil.image_mean, CLIPImageProcessorPil.image_std

    def square(side):
        return {"height": side, "width": side}

    def tiles(tile, edge):
        return SmolVLMImageProcessorPil(
            size={"longest_edge": edge}, max_image_size={"longest_edge": tile},
            image_mean=[0.5] * 3, image_std=[0.5] * 3, return_row_col_info=True,
        )

    return {
        "stretch": lambda tile, edge: BlipImageProcessorPil(size=square(tile), image_mean=mean, image_std=std),
        "crop": lambda tile, edge: CLIPImageProcessorPil(size={"shortest_edge": edge}, crop_size=square(tile)),
        "pad": lambda tile, edge: LlavaImageProcessorPil(
            size={"shortest_edge": tile}, crop_size=square(tile), do_pad=True
        ),
        "tiles": tiles,
    }


# Non-square, tiny, odd, and at ties of the roundings.
PICTURES = [
    (1, 1), (1, 7), (7, 1), (2, 3), (17, 11), (11, 17), (32, 32), (33, 33), (64, 48), (48, 64), (100, 37),
    (37, 100), (129, 128), (128, 33), (33, 128), (128, 65), (2, 1), (4, 3), (127, 95), (200, 99), (640, 481),
    (481, 640), (300, 3), (3, 300), (47, 32), (50, 33), (33, 50), (1000, 999),
]
RECIPES = [
    ("stretch", 32, 8, 32), ("crop", 32, 8, 32), ("crop", 28, 7, 33), ("pad", 32, 8, 32),
    ("tiles", 32, 8, 128), ("tiles", 32, 8, 96), ("tiles", 32, 8, 32), ("tiles", 24, 7, 96), ("tiles", 27, 9, 81),
]


def patches(view: np.ndarray, patch: int) -> np.ndarray:
    """A view, channels first, as rows of (channel, y, x); what does not fill a patch is left out."""
    side = view.shape[1] // patch
    view = view[:, : side * patch, : side * patch].reshape(3, side, patch, side, patch)
    return np.ascontiguousarray(view.transpose(1, 3, 0, 2, 4))


def preprocess_goldens() -> None:
    lines = []
    made = processors()
    for geometry, tile, patch, edge in RECIPES:
        processor = made[geometry](tile, edge)
        for width, height in PICTURES:
            image = noise_image(width, height)
            raw = processor(image, do_rescale=False, do_normalize=False)
            u8 = np.asarray(raw["pixel_values"]).reshape(-1, 3, tile, tile)
            assert u8.dtype == np.uint8
            done = processor(image)
            f32 = np.asarray(done["pixel_values"]).reshape(-1, 3, tile, tile)
            assert f32.dtype == np.float32
            rows = done["rows"][0][0] if geometry == "tiles" else 0
            cols = done["cols"][0][0] if geometry == "tiles" else 0
            values = np.stack([patches(view, patch) for view in f32]).astype("<f4")
            lines.append(
                f"{geometry} {tile} {patch} {edge} {width} {height} {rows} {cols} {len(u8)} "
                f"{fnv(u8.transpose(0, 2, 3, 1).tobytes())} {fnv(values.tobytes())}"
            )
    (OUT / "preprocess.txt").write_text("\n".join(lines) + "\n")


def grid_goldens() -> None:
    from transformers.image_processing_backends import PilBackend
    from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil

    sizes = []

    class SizesOnly(SmolVLMImageProcessorPil):
        pass

    def resize(self, image, size, resample=None, **kwargs):
        sizes.append((size.width, size.height))
        return np.broadcast_to(np.uint8(0), (3, size.height, size.width))

    original, PilBackend.resize = PilBackend.resize, resize
    lines = []
    for tile, longest in ((512, 2048), (384, 1536), (512, 512), (512, 1024), (384, 4608), (100, 5000)):
        processor = SizesOnly(size={"longest_edge": longest}, max_image_size={"longest_edge": tile})
        pictures = [(1, 1), (1, 5000), (5000, 1), (4000, 3000), (3000, 4000), (640, 480), (1920, 1080)]
        numbers = noise(tile + longest, 160).astype(int)
        pictures += [(int(a * 16 + b + 1), int(c * 16 + d + 1)) for a, b, c, d in numbers.reshape(-1, 4)]
        for width, height in pictures:
            sizes.clear()
            image = np.broadcast_to(np.uint8(0), (3, height, width))
            image = processor.resize(image, processor.size, resample=Image.Resampling.LANCZOS)
            image = processor.resize_for_vision_encoder(image, tile)
            _, rows, cols = processor.split_images(image, {"longest_edge": tile})
            (vw, vh), (sw, sh) = sizes[0], sizes[1]
            lines.append(f"{tile} {longest} {width} {height} {vw} {vh} {sw} {sh} {rows} {cols}")
    PilBackend.resize = original
    (OUT / "grids.txt").write_text("\n".join(lines) + "\n")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, bits: int, kind: int, lines: bytes, extra: bytes = b"", interlace: int = 0) -> bytes:
    """A PNG from its filtered lines, for what PIL reads but does not write."""
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, interlace)
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def lines_of(data: np.ndarray) -> bytes:
    """Unfiltered lines; 16-bit samples big-endian."""
    data = data.astype(">u2") if data.dtype == np.uint16 else data
    return b"".join(b"\0" + row.tobytes() for row in data)


def packed(data: np.ndarray, bits: int) -> bytes:
    """Samples of 1, 2 or 4 bits, most significant first, lines padded to bytes."""
    lines = b""
    for row in data:
        text = "".join(f"{int(v):0{bits}b}" for v in row)
        text += "0" * (-len(text) % 8)
        lines += b"\0" + int(text, 2).to_bytes(len(text) // 8, "big")
    return lines


def adam7(data: np.ndarray) -> bytes:
    lines = b""
    for y, x, dy, dx in ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)):
        part = data[y::dy, x::dx]
        if part.size:
            lines += lines_of(np.ascontiguousarray(part))
    return lines


W, H = 17, 11


def smooth(width: int, height: int) -> Image.Image:
    """Something like a photo: slow colours, an edge, a little grain."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    u, v = x / max(width - 1, 1), y / max(height - 1, 1)
    edge = np.where(u * 0.6 + v * 0.8 > 0.7, 60.0, 0.0)
    grain = (noise(7, width * height).reshape(height, width).astype(np.float64) - 128) / 16
    planes = [40 + 150 * u + edge, 200 - 120 * v - edge / 2, 90 + 80 * np.sin(6 * u * v + 1)]
    return Image.fromarray(np.clip(np.stack(planes, -1) + grain[..., None], 0, 255).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def png_files() -> dict[str, bytes]:
    rgb, grey = smooth(W, H), smooth(W, H).convert("L")
    palette = rgb.quantize(13)
    wide = np.stack([noise(i * 999, W * H * 2).view("<u2").reshape(H, W) for i in range(4)], -1)
    wide[0, :6, :] = np.array([0, 1, 255, 256, 300, 65535], dtype=np.uint16)[:, None]
    alpha = Image.fromarray(noise(5, W * H).reshape(H, W))
    rgba = Image.merge("RGBA", (*rgb.split(), alpha))
    three = chunk(b"PLTE", bytes([10, 20, 30, 200, 100, 0, 1, 255, 128]))
    two = np.asarray(grey) >> 6
    files = {
        "rgb8": encoded(rgb, "PNG"),
        "rgba8": encoded(rgba, "PNG"),
        "grey8": encoded(grey, "PNG"),
        "la8": encoded(Image.merge("LA", (grey, alpha)), "PNG"),
        "bits1": encoded(grey.convert("1"), "PNG"),
        "grey1": png(W, H, 1, 0, packed(np.asarray(grey) >> 7, 1)),
        "grey2": png(W, H, 2, 0, packed(two, 2)),
        "grey4": png(W, H, 4, 0, packed(np.asarray(grey) >> 4, 4)),
        "palette": encoded(palette, "PNG"),
        "palette_transparent": encoded(palette, "PNG", transparency=bytes(range(0, 130, 10))),
        "palette1": png(W, H, 1, 3, packed(two & 1, 1), three),
        "palette2": png(W, H, 2, 3, packed(two % 3, 2), three),
        "palette4": png(W, H, 4, 3, packed(two % 3, 4), three),
        "grey16": png(W, H, 16, 0, lines_of(wide[..., 0])),
        "grey16_transparent": png(W, H, 16, 0, lines_of(wide[..., 0]), chunk(b"tRNS", b"\1\0")),
        "la16": png(W, H, 16, 4, lines_of(np.ascontiguousarray(wide[..., :2]))),
        "rgb16": png(W, H, 16, 2, lines_of(np.ascontiguousarray(wide[..., :3]))),
        "rgb16_transparent": png(W, H, 16, 2, lines_of(np.ascontiguousarray(wide[..., :3])), chunk(b"tRNS", bytes(6))),
        "rgba16": png(W, H, 16, 6, lines_of(wide)),
        "rgb8_transparent": encoded(rgb, "PNG", transparency=(40, 200, 157)),
        "interlaced": png(W, H, 8, 2, adam7(np.asarray(rgb)), b"", 1),
        "gamma": png(W, H, 8, 2, lines_of(np.asarray(rgb)), chunk(b"gAMA", struct.pack(">I", 20000))),
        "orientation6": encoded(rgb, "PNG", exif=exif(6)),
        "orientation9": encoded(rgb, "PNG", exif=exif(9)),
    }
    return {name + ".png": data for name, data in files.items()}


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def gif_files() -> dict[str, bytes]:
    rgb = smooth(W, H)
    plain = encoded(rgb.quantize(13), "GIF", interlace=0)
    # Image descriptor: 2C left top width height flags. The screen is enlarged, the frame moved.
    at = plain.index(b"\x2c\0\0\0\0")
    moved = bytearray(plain)
    moved[6:10] = struct.pack("<HH", W + 5, H + 4)
    moved[at + 1 : at + 5] = struct.pack("<HH", 3, 2)
    control = b"\x21\xf9\x04\x01\0\0\x05\0"
    beyond = bytearray(plain)
    beyond[at + 1 : at + 5] = struct.pack("<HH", 3, 2)
    grey = encoded(rgb.convert("L"), "GIF", interlace=1)
    animated = io.BytesIO()
    frames = [rgb.quantize(7), rgb.transpose(Image.Transpose.ROTATE_180).quantize(5)]
    frames[0].save(animated, "GIF", save_all=True, append_images=frames[1:])
    # The global palette is cut to two colours: most indices lie beyond it.
    short = plain[:10] + bytes([plain[10] & 0xF8]) + plain[11:19] + plain[13 + (3 << ((plain[10] & 7) + 1)) :]
    # The same table as a local palette of the frame.
    table = plain[13 : 13 + (3 << ((plain[10] & 7) + 1))]
    local = plain[:10] + b"\0" + plain[11:13] + plain[13 + len(table) : at + 9]
    local += bytes([plain[at + 9] | 0x80 | (plain[10] & 7)]) + table + plain[at + 10 :]
    files = {
        "plain": plain,
        "interlaced": encoded(rgb.quantize(13), "GIF", interlace=1),
        "grey": grey,
        "moved": bytes(moved),
        "moved_transparent": bytes(moved[:at]) + control + bytes(moved[at:]),
        "beyond_screen": bytes(beyond),
        "animated": animated.getvalue(),
        "short_palette": short,
        "local_palette": local,
    }
    return {name + ".gif": data for name, data in files.items()}


def bmp(width: int, height: int, bits: int, body: bytes, compression: int = 0, masks: bytes = b"", table: bytes = b"") -> bytes:
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(body), 0, 0, len(table) // 4, 0)
    start = 14 + len(info) + len(masks) + len(table)
    return b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + info + masks + table + body


def bmp_files() -> dict[str, bytes]:
    rgb = smooth(W, H)
    values = noise(77, W * H * 2).view("<u2").reshape(H, W)
    lines16 = b"".join(row.tobytes() + b"\0" * (-len(row.tobytes()) % 4) for row in values)
    quads = noise(99, W * H * 4).tobytes()
    table = bytes(noise(3, 16 * 4))
    # Runs of 5 and 12, an absolute run, end of line; then the last lines are left out.
    run = b"\x05\x03\x0c\x07\0\0" + b"\0\x05\1\2\3\4\5\0" + b"\x0c\x09\0\0"
    top_down = bytearray(bmp(W, -H, 24, b"".join(
        row[:, ::-1].tobytes() + b"\0" * (-3 * W % 4) for row in np.asarray(rgb))))
    files = {
        "rgb24": encoded(rgb, "BMP"),
        "top_down": bytes(top_down),
        "palette8": encoded(rgb.quantize(13), "BMP"),
        "grey8": encoded(rgb.convert("L"), "BMP"),
        "bits1": encoded(rgb.convert("1"), "BMP"),
        "palette4": bmp(W, H, 4, b"".join(bytes(row) for row in noise(8, 12 * H).reshape(H, 12)), table=table),
        "rgb555": bmp(W, H, 16, lines16),
        "rgb565": bmp(W, H, 16, lines16, 3, struct.pack("<III", 0xF800, 0x07E0, 0x001F)),
        "rgb32": bmp(W, H, 32, quads),
        "rle8": bmp(W, H, 8, run * (H // 2) + run[:6] + b"\0\1", 1, table=table),
    }
    return {name + ".bmp": data for name, data in files.items()}


def webp_files() -> dict[str, bytes]:
    rgb = smooth(W, H)
    rgba = Image.merge("RGBA", (*rgb.split(), Image.fromarray(noise(5, W * H).reshape(H, W))))
    files = {
        "lossless": encoded(rgb, "WEBP", lossless=True),
        "lossless_alpha": encoded(rgba, "WEBP", lossless=True, exact=True),
        "lossy": encoded(smooth(96, 64), "WEBP", quality=80),
        "lossy_alpha": encoded(rgba, "WEBP", quality=80),
        "orientation8": encoded(rgb, "WEBP", lossless=True, exif=exif(8)),
        "animated": encoded(rgb, "WEBP", lossless=True, save_all=True, append_images=[rgb.rotate(180)]),
    }
    return {name + ".webp": data for name, data in files.items()}


def jpeg_files() -> dict[str, bytes]:
    rgb, photo = smooth(W, H), smooth(96, 64)
    files = {f"orientation{n}": encoded(rgb, "JPEG", quality=95, subsampling=0, exif=exif(n)) for n in range(1, 9)}
    files |= {
        "444": encoded(photo, "JPEG", quality=90, subsampling=0),
        "422": encoded(photo, "JPEG", quality=90, subsampling=1),
        "420": encoded(photo, "JPEG", quality=90, subsampling=2),
        "420_odd": encoded(smooth(41, 27), "JPEG", quality=90, subsampling=2),
        "progressive": encoded(photo, "JPEG", quality=90, subsampling=2, progressive=True),
        "grey": encoded(photo.convert("L"), "JPEG", quality=90),
        "cmyk": encoded(photo.convert("CMYK"), "JPEG", quality=90),
        "restarts": encoded(photo, "JPEG", quality=90, subsampling=2, restart_marker_blocks=3),
    }
    return {name + ".jpg": data for name, data in files.items()}


def file_goldens() -> None:
    folder = OUT / "files"
    folder.mkdir(exist_ok=True)
    lines = []
    for name, data in (png_files() | gif_files() | bmp_files() | webp_files() | jpeg_files()).items():
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
        (folder / name).write_bytes(data)
        lines.append(f"{name} {image.width} {image.height} {fnv(image.tobytes())}")
    (OUT / "files.txt").write_text("\n".join(lines) + "\n")


GOLDENS = {"resize": resize_goldens, "preprocess": preprocess_goldens, "grids": grid_goldens, "files": file_goldens}

if __name__ == "__main__":
    Image.MAX_IMAGE_PIXELS = None
    OUT.mkdir(exist_ok=True)
    for name in sys.argv[1:] or GOLDENS:
        GOLDENS[name]()
