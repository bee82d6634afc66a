"""Rendered instrument scenes for the pocket model, with everything that is known about them.

A scene is one picture of 1 to 4 cells, and each cell holds one component: a seven-segment
display, a dial gauge, indicator lamps, a printed label, a cluster of coloured shapes, or
handwritten digits. `render` returns the picture and a list of `facts`, one dictionary per
component, from which questions.py writes questions and train.py its dense targets. Boxes and
points in the facts are fractions of the picture (0..1) after all geometric distortion.

Refused: nothing. Every scene drawn is unambiguous by construction: colours keep away from the
background, text is at least 8 pixels high and a gauge at least 44 wide at the model's 160 pixels.
Fonts are searched below $POCKET_FONTS and /usr/share/fonts; the handwritten digits are the 1797
real ones that scikit-learn carries (`load_digits`), every fifth of which is held out.
"""

import colorsys
import glob
import math
import os
import random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

WORK = 320  # longest edge of the drawing, twice the model's 160, so that shrinking smooths edges

COLOURS = {  # name: hue range, saturation range, value range
    "red": ((-0.02, 0.015), (0.8, 1.0), (0.7, 1.0)),
    "orange": ((0.07, 0.09), (0.85, 1.0), (0.9, 1.0)),
    "yellow": ((0.145, 0.17), (0.8, 1.0), (0.88, 1.0)),
    "green": ((0.29, 0.41), (0.7, 1.0), (0.45, 0.85)),
    "blue": ((0.57, 0.66), (0.75, 1.0), (0.6, 1.0)),
    "purple": ((0.75, 0.82), (0.6, 0.95), (0.45, 0.8)),
    "white": ((0.0, 1.0), (0.0, 0.05), (0.93, 1.0)),
    "black": ((0.0, 1.0), (0.0, 0.2), (0.0, 0.12)),
}
LAMP_COLOURS = ["red", "green", "yellow", "blue", "white"]
SHAPES = ["circle", "square", "triangle", "star", "cross"]
WORDS = """PUMP VALVE TANK MOTOR FAN OIL WATER GAS STEAM AIR TEMP PRESS FLOW LEVEL SPEED POWER
VOLT AMP START STOP RUN READY FAULT ALARM OPEN CLOSE HIGH LOW MAIN AUX INLET OUTLET HEAT COOL
BOILER MIXER DRIVE BRAKE DOOR LINE ZONE TEST RESET AUTO MANUAL FUEL LOAD FEED DRAIN FILTER
SERVO LASER ROBOT PHASE WARM BUSY WAIT LEFT RIGHT TRIP SAFE""".split()
SCALES = [10, 50, 100]
MOST_SHAPES = 6
SEGMENTS = {  # a top, b upper right, c lower right, d bottom, e lower left, f upper left, g middle
    "0": "abcdef", "1": "bc", "2": "abged", "3": "abgcd", "4": "fgbc", "5": "afgcd",
    "6": "afgedc", "7": "abc", "8": "abcdefg", "9": "abcdfg", "-": "g",
}


def list_fonts():
    """Text fonts and seven-segment fonts found on this computer."""
    roots = [os.environ.get("POCKET_FONTS", ""), "/usr/share/fonts"]
    found = {os.path.basename(p): p for r in roots if r for p in glob.glob(r + "/**/*.[to]tf", recursive=True)}
    families = ("DejaVuSans", "DejaVuSerif", "Liberation", "Roboto-", "RobotoCondensed", "Lato-",
                "OpenSans", "Inconsolata", "Hack-", "FreeSans", "FreeMono", "FreeSerif")
    thin = ("Light", "Thin", "Hairline", "Oblique", "Italic", "ExtraLight")
    text = [p for n, p in sorted(found.items()) if n.startswith(families) and not any(t in n for t in thin)]
    seven = [p for n, p in sorted(found.items()) if n.startswith(("DSEG7Classic", "DSEG7Modern")) and "Light" not in n]
    return text, seven


TEXT_FONTS, SEVEN_FONTS = list_fonts()
_fonts = {}


def font(path, size):
    key = (path, size)
    if key not in _fonts:
        _fonts[key] = ImageFont.truetype(path, size)
    return _fonts[key]


def digits_split(held_out):
    """Real handwritten digits as (8x8 arrays 0..1, labels); every fifth index is held out."""
    from sklearn.datasets import load_digits
    data = load_digits()
    pick = (np.arange(len(data.target)) % 5 == 0) == held_out
    return data.images[pick] / 16.0, data.target[pick]


def colour(rng, name):
    h, s, v = (rng.uniform(*r) for r in COLOURS[name])
    return tuple(int(255 * c) for c in colorsys.hsv_to_rgb(h % 1.0, s, v))


def grey(rng, lo, hi, tint=0.12):
    return tuple(int(255 * c) for c in colorsys.hsv_to_rgb(rng.random(), rng.random() * tint, rng.uniform(lo, hi)))


def luma(c):
    return 0.3 * c[0] + 0.59 * c[1] + 0.11 * c[2]


def ink_on(rng, back):
    """A text colour with strong contrast to `back`."""
    return grey(rng, 0.0, 0.18) if luma(back) > 120 else grey(rng, 0.85, 1.0)


class Canvas:
    """A picture being drawn, with the facts gathered so far, in drawing pixels."""

    def __init__(self, rng, size, back):
        self.rng, self.size, self.back = rng, size, back
        self.image = Image.new("RGB", size, back)
        self.draw = ImageDraw.Draw(self.image)
        self.facts = []
        self.chars = []  # (x, y, character): centre of each readable character

    def text(self, x, y, words, path, size, fill):
        """Draws `words` centred on (x, y), notes its characters and returns its box."""
        f = font(path, size)
        l, t, r, b = f.getbbox(words)
        x0, y0 = x - (l + r) / 2, y - (t + b) / 2
        self.draw.text((x0, y0), words, font=f, fill=fill)
        edge = x0
        for i, ch in enumerate(words):
            nxt = x0 + f.getlength(words[: i + 1])
            self.chars.append(((edge + nxt) / 2, y, ch))
            edge = nxt
        return (x0 + l, y0 + t, x0 + r, y0 + b)

    def fit_text(self, x, y, words, path, width, height, fill, low=18):
        """Text as large as fits into width x height, never smaller than `low` drawing pixels."""
        l, t, r, b = font(path, 40).getbbox(words)
        size = int(40 * min(width / (r - l), height / max(b - t, 1)))
        return self.text(x, y, words, path, max(min(size, 90), low), fill)


def random_number(rng, most):
    """A display reading of at most `most` digits: text with optional minus and decimal point."""
    n = rng.randint(1, most)
    digits = [rng.choice("0123456789") for _ in range(n)]
    point = rng.randint(1, n - 1) if n > 1 and rng.random() < 0.5 else 0
    if digits[0] == "0" and point != 1 and n > 1:
        digits[0] = rng.choice("123456789")
    words = "".join(digits[:point]) + "." + "".join(digits[point:]) if point else "".join(digits)
    return "-" + words if rng.random() < 0.2 else words


def seven_segments(c, x, y, w, h, ch, thick, slant, lit, unlit):
    """One seven-segment digit in the box (x, y, w, h); `unlit` may be None."""
    t, m, g = thick, h / 2, thick * 0.18

    def bar(x0, y0, x1, y1):
        if y0 == y1:
            pts = [(x0 + g, y0), (x0 + t / 2 + g, y0 - t / 2), (x1 - t / 2 - g, y0 - t / 2), (x1 - g, y0),
                   (x1 - t / 2 - g, y0 + t / 2), (x0 + t / 2 + g, y0 + t / 2)]
        else:
            pts = [(x0, y0 + g), (x0 + t / 2, y0 + t / 2 + g), (x0 + t / 2, y1 - t / 2 - g), (x0, y1 - g),
                   (x0 - t / 2, y1 - t / 2 - g), (x0 - t / 2, y0 + t / 2 + g)]
        return [(x + px + slant * (h - py), y + py) for px, py in pts]

    a, b, top, bottom = t / 2, w - t / 2, t / 2, h - t / 2
    bars = {"a": (a, top, b, top), "g": (a, m, b, m), "d": (a, bottom, b, bottom), "f": (a, top, a, m),
            "b": (b, top, b, m), "e": (a, m, a, bottom), "c": (b, m, b, bottom)}
    for name, box in bars.items():
        fill = lit if name in SEGMENTS[ch] else unlit
        if fill:
            c.draw.polygon(bar(*box), fill=fill)


def draw_display(c, box):
    rng = c.rng
    x0, y0, x1, y1 = box
    value = random_number(rng, 2 if x1 - x0 < 120 else 3 if x1 - x0 < 200 else 4)
    cells = sum(ch != "." for ch in value)
    spare = rng.choice([0, 0, 1]) if cells < 3 else 0  # dark places before the number
    hue = rng.choice(["red", "red", "green", "yellow", "blue", "white", "orange"])
    if rng.random() < 0.3:  # liquid crystal: dark on pale
        face = tuple(int(255 * k) for k in colorsys.hsv_to_rgb(rng.uniform(0.15, 0.55), rng.uniform(0.03, 0.25), rng.uniform(0.6, 0.9)))
        lit = grey(rng, 0.0, 0.2)
    else:
        face, lit = grey(rng, 0.02, 0.14, 0.5), colour(rng, hue)
        if hue == "blue":
            lit = (rng.randint(40, 110), rng.randint(120, 200), 255)
        if hue == "green":
            lit = (rng.randint(20, 120), rng.randint(200, 255), rng.randint(30, 120))
    aspect = rng.uniform(0.5, 0.66)
    gap = rng.uniform(0.22, 0.36)
    total = (cells + spare) * aspect * (1 + gap) + 0.35
    h = min((y1 - y0) * rng.uniform(0.6, 0.8), (x1 - x0) * rng.uniform(0.85, 0.97) / total)
    w, step = h * aspect, h * aspect * (1 + gap)
    wide, high = total * h, h * rng.uniform(1.3, 1.5)
    cx, cy = x0 + wide / 2 + rng.random() * (x1 - x0 - wide), (y0 + y1) / 2
    frame = (cx - wide / 2, cy - high / 2, cx + wide / 2, cy + high / 2)
    c.draw.rounded_rectangle(frame, radius=rng.choice([0, 4, 8]), fill=face,
                             outline=grey(rng, 0.2, 0.8), width=rng.choice([1, 2, 4]))
    left = frame[0] + 0.175 * h + gap * w / 2 + spare * step
    slant = rng.choice([0, 0, 0.06, 0.1])
    top = cy - h / 2
    use_font = SEVEN_FONTS and rng.random() < 0.25
    thick = h * rng.uniform(0.09, 0.16)
    unlit = tuple(int(f + 0.1 * (l - f)) for f, l in zip(face, lit)) if rng.random() < 0.4 else None
    path = rng.choice(SEVEN_FONTS) if use_font else None
    for ch in value:
        if ch == ".":
            px, r = left - gap * w * 0.5, thick * 0.62
            c.draw.ellipse((px - r, top + h - 1.7 * r, px + r, top + h + 0.3 * r), fill=lit)
            c.chars.append((px, cy, "."))
            continue
        if use_font:
            f = font(path, max(8, int(h)))
            l, t, r, b = f.getbbox("8")
            if unlit:
                c.draw.text((left + (w - (r - l)) / 2 - l, cy - (t + b) / 2), "8", font=f, fill=unlit)
            c.draw.text((left + (w - (r - l)) / 2 - l, cy - (t + b) / 2), ch, font=f, fill=lit)
        else:
            seven_segments(c, left - slant * h / 2, top, w, h, ch, thick, slant, lit, unlit)
        c.chars.append((left + w / 2, cy, ch))
        left += step
    return {"kind": "display", "value": value, "box": frame, "colour": None}


def gauge_text(fraction, scale):
    """The reading as printed: in tenths on the scale to 10, in whole numbers on the others."""
    return f"{fraction * scale:.1f}" if scale == 10 else str(round(fraction * scale))


def draw_gauge(c, box):
    rng, d = c.rng, c.draw
    x0, y0, x1, y1 = box
    scale, fraction = rng.choice(SCALES), rng.random()
    r = min(x1 - x0, y1 - y0) / 2 * rng.uniform(0.9, 0.98)
    cx = x0 + r + rng.random() * max(0, x1 - x0 - 2 * r)
    cy = y0 + r + rng.random() * max(0, y1 - y0 - 2 * r)
    face = grey(rng, 0.85, 1.0, 0.08) if rng.random() < 0.7 else grey(rng, 0.03, 0.2, 0.3)
    ink = ink_on(rng, face)
    d.ellipse((cx - r, cy - r, cx + r, cy + r), fill=face, outline=grey(rng, 0.1, 0.75), width=max(2, int(r * rng.uniform(0.03, 0.1))))
    sweep = rng.choice([270, 270, 270, 270, 240, 180])
    start = 90 + sweep / 2  # degrees, anticlockwise from +x; zero lies on the left

    def at(part, radius):
        a = math.radians(start - part * sweep)
        return (cx + radius * math.cos(a), cy - radius * math.sin(a))

    rim = r * rng.uniform(0.82, 0.88)
    if rng.random() < 0.35:  # a coloured zone at the end of the scale
        zone = rng.uniform(0.65, 0.85)
        d.arc((cx - rim, cy - rim, cx + rim, cy + rim), -(start - zone * sweep), -(start - sweep),
              fill=colour(rng, rng.choice(["red", "orange", "green"])), width=max(3, int(r * 0.1)))
    majors = 5 if scale == 50 else rng.choice([5, 10] if r > 60 else [5])
    minors = rng.choice([1, 2, 5]) if r > 55 else 1
    for i in range(majors * minors + 1):
        big = i % minors == 0
        d.line((at(i / (majors * minors), rim), at(i / (majors * minors), rim - r * (0.14 if big else 0.07))),
               fill=ink, width=max(1, int(r * (0.045 if big else 0.02))))
    path = rng.choice(TEXT_FONTS)
    size = max(19, int(r * rng.uniform(0.23, 0.28)))
    every = 1 if r > 75 and majors == 5 and rng.random() < 0.6 else majors
    for i in range(0, majors + 1, every):
        mark = scale * i / majors
        px, py = at(i / majors, rim - r * (0.3 if size < r * 0.3 else 0.38))
        c.text(px, py, f"{mark:g}", path, size, ink)
    needle = colour(rng, rng.choice(["red", "red", "orange", "blue"])) if rng.random() < 0.6 else ink
    tip, half, tail = at(fraction, rim * rng.uniform(0.8, 0.98)), r * rng.uniform(0.025, 0.055), at(fraction, -r * rng.uniform(0.0, 0.2))
    a = math.radians(start - fraction * sweep) + math.pi / 2
    nx, ny = half * math.cos(a), -half * math.sin(a)
    d.polygon([tip, (tail[0] + nx, tail[1] + ny), (tail[0] - nx, tail[1] - ny)] if rng.random() < 0.5 else
              [(tip[0] + nx * 0.6, tip[1] + ny * 0.6), (tip[0] - nx * 0.6, tip[1] - ny * 0.6),
               (tail[0] - nx, tail[1] - ny), (tail[0] + nx, tail[1] + ny)], fill=needle)
    hub = r * rng.uniform(0.06, 0.12)
    d.ellipse((cx - hub, cy - hub, cx + hub, cy + hub), fill=rng.choice([needle, ink]))
    return {"kind": "gauge", "value": gauge_text(fraction, scale), "fraction": fraction, "scale": scale,
            "box": (cx - r, cy - r, cx + r, cy + r), "colour": None}


def draw_lamp(c, cx, cy, r, name, on):
    rng, d = c.rng, c.draw
    h, s, v = (rng.uniform(*k) for k in COLOURS[name])
    if name == "green":
        v = rng.uniform(0.75, 1.0)
    dim = lambda val, sat=s: tuple(int(255 * k) for k in colorsys.hsv_to_rgb(h % 1.0, sat, val))
    if on:
        halo = Image.new("L", (int(4 * r), int(4 * r)), 0)
        ImageDraw.Draw(halo).ellipse((0.9 * r, 0.9 * r, 3.1 * r, 3.1 * r), fill=rng.randint(120, 220))
        halo = halo.filter(ImageFilter.BoxBlur(r * 0.35))
        c.image.paste(dim(1.0), (int(cx - 2 * r), int(cy - 2 * r)), halo)
    if rng.random() < 0.7:
        d.ellipse((cx - r * 1.15, cy - r * 1.15, cx + r * 1.15, cy + r * 1.15), fill=grey(rng, 0.15, 0.75))
    d.ellipse((cx - r, cy - r, cx + r, cy + r), fill=dim(max(v, 0.85)) if on else dim(rng.uniform(0.22, 0.38), s * 0.85))
    k = r * 0.5
    if on:
        d.ellipse((cx - k, cy - k, cx + k, cy + k), fill=dim(1.0, s * 0.45))
    elif rng.random() < 0.5:
        d.ellipse((cx - k, cy - k, cx - k * 0.3, cy - k * 0.3), fill=dim(0.55, s * 0.5))
    return {"colour": name, "on": on, "box": (cx - r, cy - r, cx + r, cy + r)}


def draw_lamps(c, box):
    rng = c.rng
    x0, y0, x1, y1 = box
    wide = x1 - x0 >= y1 - y0
    n = rng.randint(1, max(1, min(6, int((x1 - x0 if wide else y1 - y0) / 34))))
    step = (x1 - x0 if wide else y1 - y0) / n
    captions = wide and step >= 70 and rng.random() < 0.7
    lamps, words = [], rng.sample([w for w in WORDS if len(w) <= 5], n)
    room = min(step, (y1 - y0) * 0.7 if captions else (y1 - y0 if wide else x1 - x0))
    r = max(8, min(room * rng.uniform(0.24, 0.36), 36))
    path = rng.choice(TEXT_FONTS)
    for i in range(n):
        cx, cy = (x0 + (i + 0.5) * step, (y0 + y1) / 2) if wide else ((x0 + x1) / 2, y0 + (i + 0.5) * step)
        if captions:
            cy = y0 + (y1 - y0) * 0.35
        lamp = draw_lamp(c, cx, cy, r, rng.choice(LAMP_COLOURS), rng.random() < 0.55)
        if captions:
            lamp["name"] = words[i]
            c.fit_text(cx, cy + r * 1.4 + 12, words[i], path, step * 0.85, 18, ink_on(rng, c.back), low=15)
        lamps.append(lamp)
    return {"kind": "lamps", "lamps": lamps, "box": box, "colour": None}


def random_label(rng):
    if rng.random() < 0.75:
        return rng.choice(WORDS)
    letters, numbers = "ABCDEFGHJKLMNPRSTUVWXYZ", "0123456789"
    form = rng.choice(["L0", "L00", "L-00", "LL0", "LLL", "LL-0", "00", "000", "LL", "L000"])
    return "".join(rng.choice(letters) if k == "L" else rng.choice(numbers) if k == "0" else k for k in form)


def draw_label(c, box):
    rng = c.rng
    x0, y0, x1, y1 = box
    words = random_label(rng)
    plate = rng.choice([grey(rng, 0.8, 1.0), grey(rng, 0.05, 0.25), colour(rng, rng.choice(["yellow", "blue", "red", "green"]))])
    path = rng.choice(TEXT_FONTS)
    w, h = (x1 - x0) * rng.uniform(0.75, 0.98), min((y1 - y0) * rng.uniform(0.5, 0.9), 110)
    cx, cy = (x0 + x1) / 2, (y0 + y1) / 2
    c.draw.rounded_rectangle((cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2), radius=rng.choice([0, 3, 8]), fill=plate,
                             outline=grey(rng, 0, 1) if rng.random() < 0.5 else None, width=2)
    box = c.fit_text(cx, cy, words, path, w * rng.uniform(0.7, 0.9), h * rng.uniform(0.45, 0.7), ink_on(rng, plate))
    return {"kind": "label", "value": words, "box": box, "colour": None}


def draw_shape(c, cx, cy, r, shape, fill):
    def ring(n, radius, turn):
        return [(cx + radius[i % len(radius)] * math.sin(2 * math.pi * i / n + turn),
                 cy - radius[i % len(radius)] * math.cos(2 * math.pi * i / n + turn)) for i in range(n)]
    turn = c.rng.uniform(-0.2, 0.2)
    if shape == "circle":
        c.draw.ellipse((cx - r, cy - r, cx + r, cy + r), fill=fill)
    elif shape == "square":
        c.draw.polygon(ring(4, [r * 1.25], math.pi / 4 + turn), fill=fill)
    elif shape == "triangle":
        c.draw.polygon(ring(3, [r * 1.25], turn), fill=fill)
    elif shape == "star":
        c.draw.polygon(ring(10, [r * 1.25, r * 0.5], turn), fill=fill)
    else:
        k = 0.34
        pts = [(-k, -1), (k, -1), (k, -k), (1, -k), (1, k), (k, k), (k, 1), (-k, 1), (-k, k), (-1, k), (-1, -k), (-k, -k)]
        s, co = math.sin(turn), math.cos(turn)
        c.draw.polygon([(cx + r * (px * co - py * s), cy + r * (px * s + py * co)) for px, py in pts], fill=fill)


def draw_shapes(c, box):
    rng = c.rng
    x0, y0, x1, y1 = box
    area = (x1 - x0) * (y1 - y0)
    r = rng.uniform(14, max(15, min(34, math.sqrt(area) * 0.16)))
    most = max(1, min(MOST_SHAPES, int(area / (3.2 * r) ** 2)))
    n = rng.randint(1, most)
    if rng.random() < 0.3:
        n = rng.randint(min(2, most), min(4, most))
    names = [k for k in COLOURS if k not in ("white", "black") or
             (k == "white" and luma(c.back) < 170) or (k == "black" and luma(c.back) > 85)]
    kinds = rng.sample(SHAPES, rng.randint(1, 5))
    names = rng.sample(names, rng.randint(1, min(5, len(names))))
    items, spots = [], []
    for _ in range(60):
        if len(items) == n:
            break
        q = r * rng.uniform(0.85, 1.15)
        cx, cy = rng.uniform(x0 + 1.2 * q, x1 - 1.2 * q), rng.uniform(y0 + 1.2 * q, y1 - 1.2 * q)
        if any(math.hypot(cx - a, cy - b) < (q + p) * 1.25 + 3 for a, b, p in spots):
            continue
        spots.append((cx, cy, q))
        shape, name = rng.choice(kinds), rng.choice(names)
        draw_shape(c, cx, cy, q, shape, colour(rng, name))
        items.append({"shape": shape, "colour": name, "box": (cx - q, cy - q, cx + q, cy + q)})
    return {"kind": "shapes", "items": items, "box": box, "colour": None}


def draw_hand(c, box, digits):
    rng = c.rng
    x0, y0, x1, y1 = box
    images, labels = digits
    n = 1 if x1 - x0 < 130 or rng.random() < 0.6 else 2
    side = min((x1 - x0) / n, y1 - y0) * rng.uniform(0.7, 0.98)
    side = min(side, 150)
    paper = grey(rng, 0.75, 1.0) if rng.random() < 0.7 else grey(rng, 0.03, 0.25)
    ink = grey(rng, 0.0, 0.25, 0.8) if luma(paper) > 120 else grey(rng, 0.8, 1.0)
    cx, cy = (x0 + x1) / 2, (y0 + y1) / 2
    c.draw.rectangle((cx - n * side / 2, cy - side / 2, cx + n * side / 2, cy + side / 2), fill=paper)
    value, boxes = "", []
    for i in range(n):
        k = rng.randrange(len(labels))
        s = int(side * rng.uniform(0.75, 1.0))
        mask = Image.fromarray((images[k] * 255).astype(np.uint8)).resize((s, s), Image.BICUBIC)
        if rng.random() < 0.5:
            mask = mask.rotate(rng.uniform(-8, 8), Image.BILINEAR)
        gain = rng.uniform(1.0, 1.5)
        mask = mask.point(lambda p: min(255, int(p * gain)))
        px, py = int(cx + (i - n / 2) * side + (side - s) / 2), int(cy - s / 2)
        c.image.paste(ink, (px, py), mask)
        value += str(labels[k])
        boxes.append((px, py, px + s, py + s))
    return {"kind": "hand", "value": value, "boxes": boxes, "box": (cx - n * side / 2, cy - side / 2, cx + n * side / 2, cy + side / 2), "colour": None}


MIX = {"display": 5, "gauge": 5, "lamps": 4, "label": 3, "shapes": 5, "hand": 2}
CAPTIONED = ("display", "gauge")


def draw_cell(c, kind, box, digits, caption):
    """One component in its cell, with a printed name above or below it if `caption` is given."""
    x0, y0, x1, y1 = box
    if caption:
        strip = min(30, (y1 - y0) * 0.24)
        above = c.rng.random() < 0.5
        c.fit_text((x0 + x1) / 2, y0 + strip / 2 if above else y1 - strip / 2, caption, c.rng.choice(TEXT_FONTS),
                   (x1 - x0) * 0.8, strip * 0.72, ink_on(c.rng, c.back), low=16)
        y0, y1 = (y0 + strip, y1) if above else (y0, y1 - strip)
    draw = {"display": draw_display, "gauge": draw_gauge, "lamps": draw_lamps, "label": draw_label, "shapes": draw_shapes}
    fact = draw_hand(c, (x0, y0, x1, y1), digits) if kind == "hand" else draw[kind](c, (x0, y0, x1, y1))
    fact["name"] = caption
    c.facts.append(fact)


def grid(rng, n, size):
    """n cells of a random arrangement that covers the picture."""
    w, h = size
    if n == 1:
        cells = [(0, 0, 1, 1)]
    elif n == 2:
        k = rng.uniform(0.42, 0.58)
        cells = [(0, 0, k, 1), (k, 0, 1, 1)] if rng.random() < 0.5 else [(0, 0, 1, k), (0, k, 1, 1)]
    elif n == 3:
        k, m = rng.uniform(0.45, 0.55), rng.uniform(0.45, 0.55)
        cells = [(0, 0, k, m), (k, 0, 1, m), (0, m, 1, 1)]
        if rng.random() < 0.5:
            cells = [(0, 0, 1, m), (0, m, k, 1), (k, m, 1, 1)]
    elif n == 4:
        k, m = rng.uniform(0.45, 0.55), rng.uniform(0.45, 0.55)
        cells = [(0, 0, k, m), (k, 0, 1, m), (0, m, k, 1), (k, m, 1, 1)]
    else:  # 9 or 16 equal cells, for teaching the tower
        m = math.isqrt(n)
        cells = [(i / m, j / m, (i + 1) / m, (j + 1) / m) for j in range(m) for i in range(m)]
    pad = 5 if n <= 4 else 2
    return [(a * w + pad, b * h + pad, x * w - pad, y * h - pad) for a, b, x, y in cells]


def warp(c, strength):
    """Perspective: moves the corners inwards or outwards by up to `strength` of the side."""
    w, h = c.size
    rng = c.rng
    src = np.array([(0, 0), (w, 0), (w, h), (0, h)], float)
    dst = src + np.array([[rng.uniform(-strength, strength) * w, rng.uniform(-strength, strength) * h] for _ in src])
    rows, rhs = [], []
    for (x, y), (u, v) in zip(dst, src):  # output pixel -> input pixel, as PIL wants it
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        rhs += [u, v]
    k = np.linalg.solve(np.array(rows), np.array(rhs))
    c.image = c.image.transform(c.size, Image.PERSPECTIVE, tuple(k), Image.BILINEAR, fillcolor=c.back)
    back = np.linalg.inv(np.append(k, 1).reshape(3, 3))

    def move(x, y):
        p = back @ np.array([x, y, 1.0])
        return float(p[0] / p[2]), float(p[1] / p[2])
    return move


def photograph(rng, image):
    """Lighting, blur and noise, as a camera would add them."""
    a = np.asarray(image, np.float32)
    h, w, _ = a.shape
    if rng.random() < 0.6:
        gx, gy = rng.uniform(-0.25, 0.25), rng.uniform(-0.25, 0.25)
        light = 1 + gx * np.linspace(-1, 1, w, dtype=np.float32)[None, :] + gy * np.linspace(-1, 1, h, dtype=np.float32)[:, None]
        a = a * (light * rng.uniform(0.85, 1.08))[..., None]
    if rng.random() < 0.5:
        a = a * np.array([rng.uniform(0.95, 1.05) for _ in range(3)], np.float32)
    if rng.random() < 0.6:
        noise = np.random.default_rng(rng.getrandbits(32)).standard_normal((h, w, 1), np.float32)
        a = a + noise * rng.uniform(1, 14)
    return Image.fromarray(np.clip(a, 0, 255).astype(np.uint8))


def boxed(fact, move, size):
    """Moves every box of a fact through the distortion and to fractions of the picture."""
    w, h = size

    def turn(box):
        xs, ys = zip(*(move(x, y) for x, y in ((box[0], box[1]), (box[2], box[1]), (box[2], box[3]), (box[0], box[3]))))
        return (min(xs) / w, min(ys) / h, max(xs) / w, max(ys) / h)
    fact["box"] = turn(fact["box"])
    for part in fact.get("lamps", []) + fact.get("items", []):
        part["box"] = turn(part["box"])
    if "boxes" in fact:
        fact["boxes"] = [turn(b) for b in fact["boxes"]]


def shrink(image, longest):
    """The first step of SmolVLM's preprocessing: longest edge to `longest`, the other one even."""
    w, h = image.size
    short = max(1, int(longest * min(w, h) / max(w, h)))
    short += short % 2
    return image.resize((longest, short) if w >= h else (short, longest), Image.LANCZOS)


def render(seed, digits, kinds=None, cells=None, clean=None, small=None, work=WORK, mix=None):
    """Draws scene number `seed`. Returns (picture, facts, characters).

    `kinds` names the components in order, else they are drawn with the weights of `mix`;
    `small` shrinks to that longest edge before light and noise, which is cheaper for training;
    `work` is the longest edge of the drawing.
    """
    rng = random.Random(seed)
    n = cells or rng.choices([1, 2, 3, 4], [34, 26, 20, 20])[0]
    aspect = rng.choice([1, 1, 4 / 3, 4 / 3, 3 / 2, 3 / 4] if n <= 4 else [1, 1, 5 / 4, 4 / 5])
    size = (work, int(work / aspect)) if aspect >= 1 else (int(work * aspect), work)
    back = grey(rng, 0.05, 0.35, 0.3) if rng.random() < 0.4 else grey(rng, 0.45, 0.95, 0.2)
    c = Canvas(rng, size, back)
    chosen, mix = list(kinds or []), dict(mix or MIX)
    while len(chosen) < n:
        kind = rng.choices(list(mix), list(mix.values()))[0]
        chosen.append(kind)
        if n <= 4 and kind in ("lamps", "shapes") and len(mix) > 1:
            del mix[kind]  # at most once, so that their counts stay small
    words = rng.sample(sorted({w for w in WORDS if len(w) <= 5}), n)
    for i, (kind, box) in enumerate(zip(chosen, grid(rng, n, size))):
        same = chosen.count(kind) > 1
        caption = words[i] if n <= 4 and kind in CAPTIONED and (same or rng.random() < 0.3) else None
        draw_cell(c, kind, box, digits, caption)
    clean = rng.random() < 0.25 if clean is None else clean
    move = (lambda x, y: (x, y)) if clean else warp(c, rng.uniform(0.0, 0.05))
    if not clean and rng.random() < 0.4:
        c.image = c.image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.3)))
    if small:
        c.image = shrink(c.image, small)
    if not clean:
        c.image = photograph(rng, c.image)
    for fact in c.facts:
        boxed(fact, move, size)
    chars = []
    for x, y, ch in c.chars:
        u, v = move(x, y)
        chars.append((u / size[0], v / size[1], ch))
    return c.image, c.facts, chars
