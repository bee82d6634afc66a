"""Training batches: pictures, packed questions and dense targets, from seeds alone.

One picture is encoded once and asked up to six questions. Packed form: the shared prefix
`<|im_start|>User:` + image block, then one branch per question that sees the prefix and itself
(`segment` says which); 15 % of the samples are instead one conversation of several turns, and a
few ask before the picture. A quarter of the batches uses the two-view form (tile + overview) that llama.cpp
always writes, the rest the single view of the original processor.
"""

import argparse
import functools
import json
import multiprocessing
import pickle
import random

import numpy as np
import torch
from PIL import Image

import questions
import scenes
from model import GRID, SHUFFLE, SPECIALS, TILE, VIEW, train_tokenizer

CHARS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ.-"
SLOTS = 3  # readable characters noted per patch
OBJECTS = 29  # nothing, display, gauge, label, lamps on 4-8 and off 9-13, shapes 14-18, digits 19-28
BINS = 32  # of a gauge's fraction
MOST = 6  # questions per picture
SHIFT = 4  # pixels
TASK_WEIGHT = {"display": 3, "gauge": 3, "label": 2, "hand": 3, "relation": 1.5, "describe": 0.7, "box": 0.5}


def corpus():
    """Every phrasing, without printed names and numbers, which stay single bytes."""
    digits = scenes.digits_split(False)
    keep = lambda text: " ".join(w for w in text.split(" ") if w.rstrip("?.,").isalpha() and not w.rstrip("?.,").isupper())
    for seed in range(600):
        rng = random.Random(seed)
        _, facts, _ = scenes.render(10_000_000 + seed, digits, small=32, clean=True)
        for _, q, a in questions.ask(facts, rng):
            yield keep(q)
            yield " " + keep(a)
        yield from ("User:", "\nAssistant:", "\n\n", "\nUser:")


def tokenizer(path):
    """Loads the tokenizer, or trains and saves it first."""
    import os
    from tokenizers import Tokenizer
    if not os.path.exists(path):
        train_tokenizer(list(corpus())).save(path)
    return Tokenizer.from_file(path)


def prepare(image):
    """SmolVLM's preprocessing with longest edge = tile: shrink, stretch to a square; u8 HWC."""
    return np.asarray(scenes.shrink(image, TILE).resize((TILE, TILE), Image.LANCZOS), np.uint8)


def image_block(two, special):
    """Marker tokens of one picture; `two` is the split form with one tile and the overview."""
    fake, img = special["<fake_token_around_image>"], [special["<image>"]] * VIEW
    single = [fake, special["<global-img>"]] + img + [fake]
    return [fake, special["<row_1_col_1>"]] + img + [special["\n\n"]] + single if two else single


class Encoder:
    """Turns question lists into token sequences."""

    def __init__(self, tok):
        self.tok = tok
        self.special = {s: tok.token_to_id(s) for s in SPECIALS}
        (self.special["\n\n"],) = self.ids("\n\n")  # one token, as between tile and overview
        self.tail = [self.special["<end_of_utterance>"]] + self.ids("\nAssistant:")

    def ids(self, text):
        return self.tok.encode(text, add_special_tokens=False).ids

    def head(self, two, space):
        return [self.special["<|im_start|>"]] + self.ids("User: " if space else "User:") + image_block(two, self.special)

    def sample(self, pairs, rng, two):
        """Ids, positions, segments, labels (-1 where nothing is learned), task index per label."""
        mode = rng.random()
        end = self.special["<end_of_utterance>"]
        if mode < 0.04:  # the question first
            q, a = pairs[0][1], self.ids(" " + pairs[0][2]) + [end]
            text = [self.special["<|im_start|>"]] + self.ids("User: " + q) + image_block(two, self.special) + self.tail
            n = len(text) + len(a)
            return text + a, list(range(n)), [0] * n, [-1] * len(text) + a, [0] * n
        ids = self.head(two, two and rng.random() < 0.7)
        prefix = len(ids)
        pos, seg, lab, which = list(range(prefix)), [0] * prefix, [-1] * prefix, [0] * prefix
        talk = mode < 0.19
        for i, (_, q, a) in enumerate(pairs[: 4 if talk else MOST]):
            question = self.ids("\nUser: " + q if talk and i else q) + self.tail
            answer = self.ids(" " + a) + [end]
            first = len(ids) if talk else prefix
            ids += question + answer
            pos += range(first, first + len(question) + len(answer))
            seg += [0 if talk else i + 1] * (len(question) + len(answer))
            lab += [-1] * len(question) + answer
            which += [i] * (len(question) + len(answer))
        return ids, pos, seg, lab, which


def dense(facts, chars):
    """Per patch: object, colour, characters, gauge bin and scale; -1 where nothing is known."""
    obj = np.zeros((GRID, GRID), np.int64)
    col, gauge, scale = (np.full((GRID, GRID), -1, np.int64) for _ in range(3))
    text = np.zeros((GRID, GRID, SLOTS), np.int64)

    def mark(box, **values):
        x0, y0, x1, y1 = (v * GRID for v in box)
        cx, cy = min(max((x0 + x1) / 2, 0), GRID - 1e-3), min(max((y0 + y1) / 2, 0), GRID - 1e-3)
        xs = slice(max(0, int(np.ceil(x0 - 0.5))), max(0, int(np.floor(x1 - 0.5)) + 1))
        ys = slice(max(0, int(np.ceil(y0 - 0.5))), max(0, int(np.floor(y1 - 0.5)) + 1))
        for name, (table, value) in values.items():
            table[ys, xs] = value
            table[int(cy), int(cx)] = value

    for f in facts:
        if f["kind"] in ("display", "gauge", "label"):
            mark(f["box"], o=(obj, {"display": 1, "gauge": 2, "label": 3}[f["kind"]]))
        if f["kind"] == "gauge":
            mark(f["box"], g=(gauge, min(BINS - 1, int(f["fraction"] * BINS))), s=(scale, scenes.SCALES.index(f["scale"])))
        for lamp in f.get("lamps", []):
            mark(lamp["box"], o=(obj, (4 if lamp["on"] else 9) + scenes.LAMP_COLOURS.index(lamp["colour"])))
        for item in f.get("items", []):
            mark(item["box"], o=(obj, 14 + scenes.SHAPES.index(item["shape"])), c=(col, list(scenes.COLOURS).index(item["colour"])))
        for box, value in zip(f.get("boxes", []), f["value"] if f["kind"] == "hand" else ""):
            mark(box, o=(obj, 19 + int(value)))
    for x, y, ch in sorted(chars):
        r, c = int(y * GRID), int(x * GRID)
        if 0 <= r < GRID and 0 <= c < GRID and ch in CHARS:
            free = np.flatnonzero(text[r, c] == 0)
            if len(free):
                text[r, c, free[0]] = CHARS.index(ch) + 1
    return obj.ravel(), col.ravel(), text.reshape(-1, SLOTS), gauge.ravel(), scale.ravel()


COUNTED = (["on", "off"] + scenes.LAMP_COLOURS + scenes.SHAPES + [c + " shape" for c in scenes.COLOURS] + ["display", "gauge", "label", "hand"])
PLACES = SHUFFLE ** 2 * len(CHARS)  # each character in each of the token's patches


def tokens(facts, chars):
    """Per embedding of a view, what the decoder needs to find there without a search: how many centres of each
    counted sort it covers, the place of the first of them, which characters lie in which of its patches, and the
    share of full scale where it lies on a gauge (-1 elsewhere)."""
    g = GRID // SHUFFLE
    count, centre = np.zeros((g * g, len(COUNTED)), np.float32), np.full((g * g, 2), -1, np.float32)
    there, needle = np.zeros((g * g, PLACES), np.float32), np.full(g * g, -1, np.float32)

    def cell(x, y, n):
        return min(max(int(y * n), 0), n - 1), min(max(int(x * n), 0), n - 1)

    def note(box, *sorts):
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        r, c = cell(x, y, g)
        for sort in sorts:
            count[r * g + c, COUNTED.index(sort)] += 1
        if centre[r * g + c, 0] < 0:
            centre[r * g + c] = x, y

    for f in facts:
        if f["kind"] in COUNTED:
            note(f["box"], f["kind"])
        for lamp in f.get("lamps", []):
            note(lamp["box"], "on" if lamp["on"] else "off", lamp["colour"])
        for item in f.get("items", []):
            note(item["box"], item["shape"], item["colour"] + " shape")
        if f["kind"] == "gauge":
            x0, y0, x1, y1 = (v * g for v in f["box"])
            for r in range(g):
                for c in range(g):
                    if x0 < c + 0.5 < x1 and y0 < r + 0.5 < y1:
                        needle[r * g + c] = f["fraction"]
    for x, y, ch in chars:
        r, c = int(y * GRID), int(x * GRID)
        if 0 <= r < GRID and 0 <= c < GRID and ch in CHARS:
            part = r % SHUFFLE * SHUFFLE + c % SHUFFLE
            there[r // SHUFFLE * g + c // SHUFFLE, part * len(CHARS) + CHARS.index(ch)] = 1
    return count, centre, there, needle


def choose(pairs, rng, weight):
    """A weighted random order of the questions, so that rare tasks are asked more often."""
    key = lambda p: rng.random() ** (1 / weight.get(p[0], 1))
    return sorted(pairs, key=key, reverse=True)


def scene(seed, digits, recipe):
    """A scene ready for training: picture u8 HWC, facts, characters."""
    rng = random.Random(seed ^ 0x5EED)
    cells = rng.choices(list(recipe["cells"]), list(recipe["cells"].values()))[0] if recipe.get("cells") else None
    mix = dict(recipe.get("kinds", scenes.MIX))
    if cells == "16":
        mix.pop("gauge", None)  # too small to read
    image, facts, chars = scenes.render(seed, digits, cells=cells and int(cells), mix=mix, small=TILE)
    return prepare(image), facts, chars


def again(item, rng):
    """The same scene a few pixels aside and under another light: shift, brightness, contrast, noise."""
    picture, facts, chars = item
    dx, dy = rng.randint(-SHIFT, SHIFT), rng.randint(-SHIFT, SHIFT)
    padded = np.pad(picture, ((SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0)), mode="edge")
    picture = padded[SHIFT - dy:SHIFT - dy + TILE, SHIFT - dx:SHIFT - dx + TILE].astype(np.float32)
    picture = (picture - 128) * rng.uniform(0.85, 1.15) + 128 + rng.uniform(-16, 16)
    if rng.random() < 0.5:
        picture += np.random.default_rng(rng.getrandbits(32)).standard_normal(picture.shape[:2] + (1,), np.float32) * rng.uniform(0, 8)
    u, v = dx / TILE, dy / TILE
    move = lambda b: (b[0] + u, b[1] + v, b[2] + u, b[3] + v)

    def moved(fact):
        fact = {**fact, "box": move(fact["box"])}
        for key in ("lamps", "items"):
            if key in fact:
                fact[key] = [moved(part) for part in fact[key]]
        if "boxes" in fact:
            fact["boxes"] = [move(b) for b in fact["boxes"]]
        return fact
    return np.clip(picture, 0, 255).astype(np.uint8), [moved(f) for f in facts], [(x + u, y + v, ch) for x, y, ch in chars]


def questions_of(facts, rng, recipe):
    weight = {**TASK_WEIGHT, **recipe.get("tasks", {})}
    return choose(questions.ask(facts, rng) + (questions.places(facts, rng) if "place" in weight else []), rng, weight)


def asked(items, encoder, rng, recipe):
    """The token sequences of scenes with their tasks; `recipe` may hold the mix of kinds and cells and task weights."""
    rows, two = [], rng.random() < 0.25
    for _, facts, _ in items:
        pairs = [("panel", "?", "?")] if recipe.get("tower") else questions_of(facts, rng, recipe)
        rows.append((encoder.sample(pairs, rng, two), [p[0] for p in pairs]))
    return rows


def batch(items, encoder, rng, recipe):
    """Scenes with questions as tensors."""
    return pack(asked(items, encoder, rng, recipe), [dense(f, c) + tokens(f, c) for _, f, c in items], [i[0] for i in items])


def alike(items, encoder, rng, recipe, size):
    """Batches without pictures of sequences that are nearly of one length, each with the places of its scenes in `items`."""
    rows = asked(items, encoder, rng, recipe)
    order = sorted(range(len(rows)), key=lambda i: len(rows[i][0][0]))
    parts = [order[i:i + size] for i in range(0, len(order), size)]
    for part in rng.sample(parts, len(parts)):
        yield part, pack([rows[i] for i in part], [dense(f, c) + tokens(f, c) for _, f, c in (items[i] for i in part)], step=16)


def pack(rows, targets=None, images=None, step=1):
    """Rows as tensors, filled up to the longest, in whole steps."""
    n = -(-max(len(r[0][0]) for r in rows) // step) * step
    pad = lambda k, fill: torch.tensor([r[0][k] + [fill] * (n - len(r[0][k])) for r in rows])
    ids, pos, seg, lab, which = pad(0, 0), pad(1, 0), pad(2, -2), pad(3, -1), pad(4, 0)
    out = {"ids": ids, "pos": pos, "seg": seg, "lab": lab, "which": which, "tasks": [r[1] for r in rows]}
    if images:
        out["images"] = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()
    if targets:
        out["dense"] = [torch.from_numpy(np.stack(t)) for t in zip(*targets)]
    return out


def attention_mask(seg):
    """Token i sees j <= i of the shared prefix and of its own branch."""
    n = seg.shape[1]
    same = (seg[:, :, None] == seg[:, None, :]) | (seg[:, None, :] == 0)
    seen = (same & torch.ones(n, n, dtype=torch.bool, device=seg.device).tril())[:, None]
    return torch.zeros(seen.shape, device=seg.device).masked_fill_(~seen, -torch.inf)


def draw(job):
    seed, recipe = job
    return scene(seed, digits_of_training(), recipe)


@functools.cache
def digits_of_training():
    return scenes.digits_split(False)


def main():
    p = argparse.ArgumentParser(description="Draws a library of scenes that train.py starts its pool with.")
    p.add_argument("out")
    p.add_argument("--count", type=int, default=16000)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--recipe")
    a = p.parse_args()
    recipe = json.load(open(a.recipe)) if a.recipe else {}
    jobs = ((a.seed * 50_000_000 + i, recipe) for i in range(a.count))
    with multiprocessing.Pool() as pool:
        library = list(pool.imap(draw, jobs, chunksize=64))
    with open(a.out, "wb") as f:
        pickle.dump(library, f, protocol=5)


if __name__ == "__main__":
    main()
