"""Trains the pocket model; one command per stage, resumable.

    python train.py --out RUN --minutes 80 [--resume RUN/last.pt] [--recipe recipe.json]

The learning rate warms up, stays, and falls as a cosine over the last part of the minutes given, so a stage
always ends cooled down. Matrices inside the blocks are updated by Muon (momentum, orthogonalised
by a matrix polynomial; Jordan et al. 2024), the rest by AdamW. Dense targets on the ViT's
patches (what object, which colour, which characters, where the needle) teach the tower to see
before the decoder can ask for it; their head is thrown away at export. A running average of the
weights (EMA) is what is evaluated and shipped. curve.csv gets one row per evaluation.
"""

import argparse
import csv
import ctypes
import json
import math
import os
import pickle
import random
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
import torch.nn.functional as F

import data
import scenes
from model import GRID, Pocket, T_WIDTH, TILE, V_WIDTH

DENSE = data.OBJECTS + len(scenes.COLOURS) + data.SLOTS * (len(data.CHARS) + 1) + data.BINS + len(scenes.SCALES)

ALIKE = 8  # batches that are drawn at once and sorted by length, so that little of them is filling


class Stream(torch.utils.data.IterableDataset):
    """Endless batches from one worker. An eighth of each batch is newly drawn, the rest comes again
    from the pool (the library and the scenes drawn since, at most POOL) with other questions, a few
    pixels aside and in other light: drawing costs as much as learning. The recipe file is read
    again as it changes."""

    POOL = 40000

    def __init__(self, a, tok_path, start):
        self.a, self.tok_path, self.size, self.start, self.recipe, self.frozen = a, tok_path, a.batch, start, a.recipe, a.frozen

    def __iter__(self):
        torch.set_num_threads(1)
        encoder, digits = data.Encoder(data.tokenizer(self.tok_path)), scenes.digits_split(False)
        rng, pool, seed = random.Random(self.start), [], self.start
        if self.a.library:
            pool = load_library(self.a)
        if self.frozen:
            pool = [(None, *s[1:]) for s in pool]
        while self.frozen:
            picks = rng.sample(range(len(pool)), ALIKE * self.size)
            for part, b in data.alike([pool[i] for i in picks], encoder, rng, load_recipe(self.recipe), self.size):
                yield {**b, "index": torch.tensor([picks[i] for i in part])}
        while True:
            recipe = load_recipe(self.recipe)
            fresh = self.size if len(pool) < 8 * self.size else self.size // 8
            new = [data.scene(seed + i, digits, recipe) for i in range(fresh)]
            seed += fresh
            old = [data.again(s, rng) for s in rng.sample(pool, self.size - fresh)]
            yield data.batch(new + old, encoder, rng, recipe)
            pool = (pool + new)[-self.POOL:]


def load_library(a):
    """The scenes drawn beforehand that have no more components than the recipe asks for; for a frozen tower, which
    sees each of them once and for all, in several places and lights."""
    most = max(int(c) for c in load_recipe(a.recipe).get("cells", {"4": 1}))
    drawn = [s for s in pickle.load(open(a.library, "rb")) if len(s[1]) <= most]
    rng = random.Random(len(drawn))
    return drawn + [data.again(s, rng) for _ in range(a.lights - 1) for s in drawn] if a.frozen else drawn


@torch.no_grad()
def remember(model, a):
    """What the tower makes of every picture of the library, for training the decoder alone: in a file, for it is large."""
    torch.set_num_threads(os.cpu_count())
    pictures, path = [s[0] for s in load_library(a)], os.path.join(a.out, "seen.npy")
    seen = np.lib.format.open_memmap(path, "w+", np.float16, (len(pictures), GRID * GRID, V_WIDTH))
    for i in range(0, len(pictures), 64):
        part = torch.from_numpy(np.stack(pictures[i:i + 64])).permute(0, 3, 1, 2)
        seen[i:i + 64] = model.see(normal(part)).half().numpy()
    torch.set_num_threads(1)
    return torch.from_numpy(seen)


def load_recipe(path):
    return json.load(open(path)) if path and os.path.exists(path) else {}


def orthogonal(g):
    """Three odd-polynomial steps towards the nearest orthogonal matrix, batched (Amsel et al. 2025)."""
    flip = g.shape[-2] > g.shape[-1]
    x = g.mT if flip else g
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for p, q, r in ((8.2873, -23.5959, 17.3004), (4.1071, -2.9478, 0.5448), (3.9487, -2.9089, 0.5518)):
        a = x @ x.mT
        x = p * x + (q * a + r * a @ a) @ x
    return x.mT if flip else x


class Muon:
    """Momentum with orthogonalised updates for 2-D weights, grouped by shape."""

    def __init__(self, params, momentum=0.95, decay=0.02):
        self.momentum, self.decay, self.groups = momentum, decay, {}
        for p in params:
            self.groups.setdefault(tuple(p.shape), []).append(p)
        self.state = {s: torch.zeros(len(ps), *s, device=ps[0].device) for s, ps in self.groups.items()}

    @torch.no_grad()
    def step(self, shape, lr):
        params = self.groups[shape]
        if params[0].grad is None:
            return
        g, m = torch.stack([p.grad for p in params]), self.state[shape]
        m.lerp_(g, 1 - self.momentum)
        update = orthogonal(g.lerp(m, self.momentum)) * (0.5 * math.sqrt(max(shape)))
        for p, u in zip(params, update):
            p.mul_(1 - lr * self.decay).sub_(u, alpha=lr)


class Heads(torch.nn.Module):
    """What the dense targets are read from: a linear map of every patch, another of every embedding of a view."""

    def __init__(self):
        super().__init__()
        self.patch = torch.nn.Linear(V_WIDTH, DENSE)
        self.token = torch.nn.Linear(T_WIDTH, len(data.COUNTED) + 2 + data.PLACES + 1)
        torch.nn.init.zeros_(self.token.weight)  # so that it asks nothing of a trained tower before it can read it


def token_loss(head, views, targets):
    """Numbers are fitted by least squares: a mean over tokens, which is what attention takes, then is a count.
    Sums over the sorts and characters of a token, since nearly all of them are not there."""
    count, centre, there, needle = targets
    n, c, t, g = head.token(views).split([count.shape[-1], 2, there.shape[-1], 1], -1)
    square = lambda x, y: ((x - y) ** 2).mean() if len(y) else x.sum() * 0
    counts = 2 * ((n - count) ** 2).sum(-1).mean()
    places = 10 * square(c[centre[..., 0] >= 0], centre[centre[..., 0] >= 0])
    each = F.binary_cross_entropy_with_logits(t, there, reduction="none").sum(-1)
    some = there.sum(-1) > 0
    chars = 0.5 * each[some].mean() + each.mean() if some.any() else each.mean()
    gauges = 20 * square(g[needle >= 0, 0], needle[needle >= 0])
    parts = [counts, places, chars, gauges]
    token_loss.parts = [round(x.item(), 2) for x in parts]
    return sum(parts)


token_loss.parts = []


def dense_loss(head, features, targets, weight=1.0):
    obj, col, text, gauge, scale = targets
    out = head.patch(features)
    o, c, t, g, s = out.split([data.OBJECTS, len(scenes.COLOURS), data.SLOTS * (len(data.CHARS) + 1), data.BINS, len(scenes.SCALES)], -1)
    ce = lambda x, y: F.cross_entropy(x.reshape(-1, x.shape[-1]), y.reshape(-1), ignore_index=-1) if (y >= 0).any() else x.sum() * 0
    there = text > 0  # the few places with a character count more than the many without
    t = t.reshape(*t.shape[:2], data.SLOTS, -1)
    chars = ce(t, text) + ce(t[there], text[there]) if there.any() else t.sum() * 0
    thing = obj > 0
    bins = torch.arange(data.BINS, device=gauge.device)
    soft = torch.softmax(-0.5 * (bins[:, None] - bins) ** 2, -1)[gauge[gauge >= 0]]
    needle = -(soft * g[gauge >= 0].log_softmax(-1)).sum(-1).mean() if len(soft) else g.sum() * 0
    parts = [0.2 * ce(o, obj) + ce(o[thing], obj[thing]), ce(c, col), chars, needle, 0.5 * ce(s, scale)]
    dense_loss.parts = [round(x.item(), 2) for x in parts]  # for the log line
    return sum(parts) + (weight - 1) * chars


dense_loss.parts = []


def normal(images):
    return images.float() / 127.5 - 1


def losses(see, model, head, b, a):
    """Loss of the answers and of the dense targets; an untaught part counts zero."""
    with torch.autocast(a.device, dtype=torch.bfloat16, enabled=a.bf16):
        features = see(b).float()
        views = model.shuffle(features)
    aux = features.new_zeros(())
    if a.aux > 0:
        if not a.frozen:
            aux = dense_loss(head, features, b["dense"][:5], a.chars)
        aux = aux + token_loss(head, views.float(), b["dense"][5:])
    if a.tower_only:
        return features.new_zeros(()), aux
    wanted = (b["lab"][:, 1:] >= 0).nonzero(as_tuple=True)
    with torch.autocast(a.device, dtype=torch.bfloat16, enabled=a.bf16):
        logits = model.read(views, b["ids"], b["pos"], data.attention_mask(b["seg"]), wanted)
    each = F.cross_entropy(logits.float(), b["lab"][:, 1:][wanted], reduction="none")
    # A long answer counts more than a short one, but not by its length.
    answer = wanted[0] * data.MOST + b["which"][:, 1:][wanted]
    share = answer.bincount().float()[answer].rsqrt()
    return (each * share).sum() / share.sum(), aux


def gradients(see, model, head, b, a, pool, params):
    """Losses and gradients of a batch, its parts side by side, each on one thread.

    On a busy computer this beats splitting every operation, whose parts wait for one another.
    """
    def part(rows):
        cut = {k: [t[rows].to(a.device) for t in v] if k == "dense" else v[rows].to(a.device) if torch.is_tensor(v) else v for k, v in b.items()}
        lm, aux = losses(see, model, head, cut, a)
        return lm.item(), aux.item(), torch.autograd.grad(lm + a.aux * aux, params, allow_unused=True)

    n = len(b["ids"]) // a.threads
    done = list(pool.map(part, [slice(i * n, (i + 1) * n) for i in range(a.threads)]))
    for p, *g in zip(params, *(d[2] for d in done)):
        p.grad = None if g[0] is None else sum(g) / len(g)
    return sum(d[0] for d in done) / len(done), sum(d[1] for d in done) / len(done)


def one_thread():
    """Of a thread that works on a part of a batch; what is compiled for it, once for each length of a batch, is kept."""
    torch.set_num_threads(1)
    torch._dynamo.config.recompile_limit = 64


def keep_memory():
    """Lets the C library keep freed memory: fresh pages cost more than the arithmetic on them."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(-4, 0)  # M_MMAP_MAX
        libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD
        libc.mallopt(-2, 2**28)  # M_TOP_PAD


@torch.no_grad()
def evaluate(model, batches):
    """Share of questions whose every answer token is the greedy one, per task."""
    hits, total = {}, {}
    for b in batches:
        wanted = (b["lab"][:, 1:] >= 0).nonzero(as_tuple=True)
        logits = model.read(model.shuffle(model.see(normal(b["images"]))), b["ids"], b["pos"], data.attention_mask(b["seg"]), wanted)
        wrong = set()
        right = logits.argmax(-1) == b["lab"][:, 1:][wanted]
        asked = {(r, w) for r, w in zip(wanted[0].tolist(), b["which"][:, 1:][wanted].tolist())}
        for r, i, ok in zip(*[w.tolist() for w in wanted], right.tolist()):
            if not ok:
                wrong.add((r, b["which"][r, i + 1].item()))
        for r, w in asked:
            task = b["tasks"][r][w]
            total[task] = total.get(task, 0) + 1
            hits[task] = hits.get(task, 0) + ((r, w) not in wrong)
    return {t: hits[t] / total[t] for t in sorted(total)}


def schedule(part, warm=0.03, hold=0.45):
    """Learning rate factor at a fraction of the stage."""
    if part < warm:
        return part / warm
    return 1.0 if part < hold else 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (part - hold) / (1 - hold)))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--out", required=True)
    p.add_argument("--minutes", type=float, default=80)
    p.add_argument("--batch", type=int, default=16)
    p.add_argument("--lr", type=float, default=3e-3)
    p.add_argument("--aux", type=float, default=0.5)
    p.add_argument("--chars", type=float, default=1.0, help="weight of the characters among the dense targets")
    p.add_argument("--hold", type=float, default=0.45)
    p.add_argument("--patch-pace", type=float, default=0.2, help="learning rate of the patch kernel as a part of --lr")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--tower-only", action="store_true", help="dense targets alone: a cheap first stage")
    p.add_argument("--frozen", action="store_true", help="the decoder alone, on what the tower makes of the library")
    p.add_argument("--resume")
    p.add_argument("--tower", help="checkpoint that the tower is taken from, with --resume for everything else")
    p.add_argument("--start", help="checkpoint whose averaged weights, or folder whose exported pair, to start from")
    p.add_argument("--recipe")
    p.add_argument("--library", help="scenes drawn beforehand by data.py")
    p.add_argument("--lights", type=int, default=2, help="versions of each picture of the library that a frozen tower sees")
    p.add_argument("--bf16", action="store_true", help="products in bfloat16, for processors that have them")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--device", default="cpu")
    a = p.parse_args()
    torch.manual_seed(a.seed)
    keep_memory()
    torch.set_num_threads(1)  # the parts of a batch run side by side, see gradients
    os.makedirs(a.out, exist_ok=True)
    tok_path = os.path.join(a.out, "tokenizer.json")
    if a.start and not os.path.exists(tok_path):
        shutil.copy(os.path.join(a.start if os.path.isdir(a.start) else os.path.dirname(a.start) or ".", "tokenizer.json"), tok_path)
    encoder = data.Encoder(data.tokenizer(tok_path))
    held = scenes.digits_split(True)
    tests = [data.batch([data.scene(900_000_000 + s + i, held, {}) for i in range(64)], encoder, random.Random(s), {}) for s in (0, 64, 128)]
    model, head = Pocket(), Heads()
    ema = {}
    state = torch.load(a.resume, weights_only=False, map_location=a.device) if a.resume else None
    if state:
        model.load_state_dict(state["model"]), head.load_state_dict(state["head"])
        ema = state["ema"]
        if a.tower:
            other = torch.load(a.tower, weights_only=False, map_location=a.device)
            tower = {k: v for k, v in other["ema"].items() if k.startswith(("patch", "position", "vision", "post"))}
            model.load_state_dict({**state["ema"], **tower}), head.load_state_dict(other["head"])
            ema = {k: v.clone() for k, v in model.state_dict().items()}
    elif a.start:
        if os.path.isdir(a.start):
            from export import read_pair
            model.load_state_dict(read_pair(a.start))
        else:
            other = torch.load(a.start, weights_only=False, map_location=a.device)
            model.load_state_dict(other["ema"]), head.load_state_dict(other["head"])
        ema = {k: v.clone() for k, v in model.state_dict().items()}
    else:
        model.begin(normal(torch.cat([t["images"] for t in tests])))
        ema = {k: v.clone() for k, v in model.state_dict().items()}
    model.to(a.device), head.to(a.device)
    ema = {k: v.to(a.device) for k, v in ema.items()}
    print("parameters", sum(x.numel() for x in model.parameters()), flush=True)
    run(a, model, head, ema, tok_path, tests, state)


def run(a, model, head, ema, tok_path, tests, state):
    inner = [q for n, q in model.named_parameters() if q.dim() == 2 and n.startswith(("vision", "text", "connect"))]
    ids = {id(q) for q in inner}
    rest = [q for q in model.parameters() if id(q) not in ids] + list(head.parameters())
    slow = {id(q) for q in model.patch.parameters()}
    groups = [{"params": [q for q in rest if id(q) not in slow], "pace": 1.0}, {"params": [q for q in rest if id(q) in slow], "pace": a.patch_pace}]
    muon, adam = Muon(inner), torch.optim.AdamW(groups, lr=a.lr, betas=(0.9, 0.98), weight_decay=0.01)
    step, seen, spent = (state["step"], state["seen"], state["spent"]) if state else (0, 0, 0.0)
    if state:
        muon.state = state["muon"]
        adam.load_state_dict(state["adam"])
    begin = time.time()
    loader = torch.utils.data.DataLoader(Stream(a, tok_path, a.seed * 50_000_000 + seen), batch_size=None,
                                         num_workers=1, prefetch_factor=12)
    last = time.time()
    shadow = Pocket()
    stat, first, rounds = [], step, 0
    params = list(model.parameters()) + list(head.parameters())
    pool = ThreadPoolExecutor(a.threads, initializer=one_thread)
    if a.frozen:
        memory = remember(model, a)
        for block in model.text:
            block.compile(dynamic=False)
        see = lambda b: memory[b["index"]].float()
    else:
        compiled = torch.compile(model.see)
        see = lambda b: compiled(normal(b["images"]))
        with torch.autocast(a.device, dtype=torch.bfloat16, enabled=a.bf16):  # before the threads meet it
            compiled(torch.zeros(a.batch // a.threads, 3, TILE, TILE, device=a.device)).float().sum().backward()
    for b in loader:
        part = (time.time() - begin) / (a.minutes * 60)
        if part >= 1:
            break
        lr = a.lr * schedule(part, hold=a.hold)
        for g in adam.param_groups:
            g["lr"] = lr * g["pace"]
        stat.append(gradients(see, model, head, b, a, pool, params))
        torch.nn.utils.clip_grad_norm_([p for p in rest if p.grad is not None], 1.0)
        list(pool.map(lambda shape: muon.step(shape, lr), muon.groups))
        adam.step()
        step, seen = step + 1, seen + a.batch
        keep = min(0.995, (step - first + 1) / (step - first + 10)) if not state else 0.995
        with torch.no_grad():
            for k, v in model.state_dict().items():
                ema[k].lerp_(v, 1 - keep)
        if step % 50 == 0:
            d = time.time() - last
            print(f"{step} lm {sum(x[0] for x in stat[-50:]) / len(stat[-50:]):.3f} aux {sum(x[1] for x in stat[-50:]) / len(stat[-50:]):.3f} {dense_loss.parts} {token_loss.parts} lr {lr:.5f} {step - first} steps {(time.time() - begin) / (step - first):.2f} s/step {part:.3f}", flush=True)
        if time.time() - last > 180:
            save(a, model, head, ema, muon, adam, step, seen, spent + time.time() - begin)
            last, rounds = time.time(), rounds + 1
            if rounds % 3 == 0 and not a.tower_only:
                report(a, ema, shadow, tests, step, seen, spent + time.time() - begin, stat)
                stat = []
    save(a, model, head, ema, muon, adam, step, seen, spent + time.time() - begin)
    report(a, ema, shadow, tests, step, seen, spent + time.time() - begin, stat or [(0, 0)])


def save(a, model, head, ema, muon, adam, step, seen, spent):
    torch.save({"model": model.state_dict(), "head": head.state_dict(), "ema": ema, "muon": muon.state, "adam": adam.state_dict(),
                "step": step, "seen": seen, "spent": spent}, os.path.join(a.out, "new.pt"))
    os.replace(os.path.join(a.out, "new.pt"), os.path.join(a.out, "last.pt"))


def report(a, ema, shadow, tests, step, seen, spent, stat):
    shadow.load_state_dict(ema)
    scores = evaluate(shadow, tests)
    mean = [sum(c) / len(stat) for c in zip(*stat)]
    row = {"step": step, "pictures": seen, "minutes": round(spent / 60, 1), "loss": round(mean[0], 4), "dense": round(mean[1], 4),
           **{t: round(v, 3) for t, v in scores.items()}}
    print(row, flush=True)
    path = os.path.join(a.out, "curve.csv")
    new = not os.path.exists(path)
    with open(path, "a", newline="") as f:
        w = csv.DictWriter(f, row)
        if new:
            w.writeheader()
        w.writerow(row)


if __name__ == "__main__":
    main()
