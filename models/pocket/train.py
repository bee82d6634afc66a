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
import json
import math
import os
import random
import time
from concurrent.futures import ThreadPoolExecutor

import torch
import torch.nn.functional as F

import data
import scenes
from model import Pocket, V_WIDTH, VIEW

DENSE = data.OBJECTS + len(scenes.COLOURS) + data.SLOTS * (len(data.CHARS) + 1) + data.BINS + len(scenes.SCALES)


class Stream(torch.utils.data.IterableDataset):
    """Endless batches from one worker. A third of each batch is newly drawn, the rest comes again
    from the last POOL scenes with other questions and other light: drawing costs as much as seeing.
    The recipe file is read again as it changes."""

    POOL = 5000

    def __init__(self, tok_path, size, start, recipe):
        self.tok_path, self.size, self.start, self.recipe = tok_path, size, start, recipe

    def __iter__(self):
        torch.set_num_threads(1)
        encoder, digits = data.Encoder(data.tokenizer(self.tok_path)), scenes.digits_split(False)
        rng, pool, seed = random.Random(self.start), [], self.start
        while True:
            recipe = load_recipe(self.recipe)
            fresh = self.size if len(pool) < 8 * self.size else -(-self.size // 3)
            new = [data.scene(seed + i, digits, recipe) for i in range(fresh)]
            seed += fresh
            old = [data.relit(s, rng) for s in rng.sample(pool, self.size - fresh)]
            yield data.batch(new + old, encoder, rng, recipe)
            pool = (pool + new)[-self.POOL:]


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


def dense_loss(head, features, targets):
    obj, col, text, gauge, scale = targets
    out = head(features)
    o, c, t, g, s = out.split([data.OBJECTS, len(scenes.COLOURS), data.SLOTS * (len(data.CHARS) + 1), data.BINS, len(scenes.SCALES)], -1)
    ce = lambda x, y: F.cross_entropy(x.reshape(-1, x.shape[-1]), y.reshape(-1), ignore_index=-1) if (y >= 0).any() else x.sum() * 0
    where = text.amax(-1) > 0  # patches with characters count as much as the many without
    t = t.reshape(*t.shape[:2], data.SLOTS, -1)
    chars = 0.1 * ce(t, text) + ce(t[where], text[where]) if where.any() else t.sum() * 0
    thing = obj > 0
    bins = torch.arange(data.BINS, device=gauge.device)
    soft = torch.softmax(-0.5 * (bins[:, None] - bins) ** 2, -1)[gauge[gauge >= 0]]
    needle = -(soft * g[gauge >= 0].log_softmax(-1)).sum(-1).mean() if len(soft) else g.sum() * 0
    parts = [0.2 * ce(o, obj) + ce(o[thing], obj[thing]), ce(c, col), chars, needle, 0.5 * ce(s, scale)]
    dense_loss.parts = [round(x.item(), 2) for x in parts]  # for the log line
    return sum(parts)


def normal(images):
    return images.float() / 127.5 - 1


def losses(model, head, b, weight, tower_only):
    features = model.see(normal(b["images"]))
    if tower_only:
        aux = dense_loss(head, features, b["dense"])
        return aux.detach() * 0, aux
    aux = dense_loss(head, features, b["dense"]) if weight > 0 else features.sum() * 0
    wanted = (b["lab"][:, 1:] >= 0).nonzero(as_tuple=True)
    logits = model.read(model.shuffle(features), b["ids"], b["pos"], data.attention_mask(b["seg"]), wanted)
    return F.cross_entropy(logits, b["lab"][:, 1:][wanted]), aux


def gradients(model, head, b, a, pool, params):
    """Losses and gradients of a batch, its two halves on two threads.

    On a busy computer this beats splitting every operation, whose parts wait for one another.
    """
    where = params[0].device

    def half(rows):
        part = {k: [t[rows].to(where) for t in v] if k == "dense" else v[rows] for k, v in b.items()}
        part = {k: v.to(where) if torch.is_tensor(v) else v for k, v in part.items()}
        lm, aux = losses(model, head, part, a.aux, a.tower_only)
        return lm.item(), aux.item(), torch.autograd.grad(lm + a.aux * aux, params, allow_unused=True)

    middle = len(b["ids"]) // 2
    first, second = pool.map(half, (slice(0, middle), slice(middle, None)))
    for p, g, h in zip(params, first[2], second[2]):
        p.grad = None if g is None else (g + h) / 2
    return (first[0] + second[0]) / 2, (first[1] + second[1]) / 2


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


def schedule(part, warm=0.02, hold=0.45):
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
    p.add_argument("--hold", type=float, default=0.45)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--tower-only", action="store_true", help="dense targets alone: a cheap first stage")
    p.add_argument("--resume")
    p.add_argument("--start", help="folder of an exported pair to start from")
    p.add_argument("--recipe")
    p.add_argument("--device", default="cpu")
    a = p.parse_args()
    torch.manual_seed(a.seed)
    torch.set_num_threads(1)  # two halves of a batch run side by side, see gradients
    os.makedirs(a.out, exist_ok=True)
    tok_path = os.path.join(a.out, "tokenizer.json")
    encoder = data.Encoder(data.tokenizer(tok_path))
    held = scenes.digits_split(True)
    tests = [data.batch([data.scene(900_000_000 + s + i, held, {}) for i in range(64)], encoder, random.Random(s), {}) for s in (0, 64, 128)]
    model, head = Pocket(), torch.nn.Linear(V_WIDTH, DENSE)
    ema = {}
    state = torch.load(a.resume, weights_only=False, map_location=a.device) if a.resume else None
    if state:
        model.load_state_dict(state["model"]), head.load_state_dict(state["head"])
        ema = state["ema"]
    elif a.start:
        from export import read_pair
        model.load_state_dict(read_pair(a.start))
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
    muon, adam = Muon(inner), torch.optim.AdamW(rest, lr=a.lr, betas=(0.9, 0.98), weight_decay=0.01)
    step, seen, spent = (state["step"], state["seen"], state["spent"]) if state else (0, 0, 0.0)
    if state:
        muon.state = state["muon"]
        adam.load_state_dict(state["adam"])
    loader = torch.utils.data.DataLoader(Stream(tok_path, a.batch, a.seed * 50_000_000 + seen, a.recipe), batch_size=None,
                                         num_workers=1, prefetch_factor=6)
    begin = last = time.time()
    shadow = Pocket()
    stat, first, rounds = [], step, 0
    params, pool = list(model.parameters()) + list(head.parameters()), ThreadPoolExecutor(2, initializer=torch.set_num_threads, initargs=(1,))
    for b in loader:
        part = (time.time() - begin) / (a.minutes * 60)
        if part >= 1:
            break
        lr = a.lr * schedule(part, hold=a.hold)
        for g in adam.param_groups:
            g["lr"] = lr
        stat.append(gradients(model, head, b, a, pool, params))
        torch.nn.utils.clip_grad_norm_([p for p in rest if p.grad is not None], 1.0)
        list(pool.map(lambda s: muon.step(s, lr), muon.groups))
        adam.step()
        step, seen = step + 1, seen + a.batch
        keep = min(0.995, (step - first + 1) / (step - first + 10)) if not state else 0.995
        with torch.no_grad():
            for k, v in model.state_dict().items():
                ema[k].lerp_(v, 1 - keep)
        if step % 20 == 0:
            d = time.time() - last
            print(f"{step} lm {stat[-1][0]:.3f} aux {stat[-1][1]:.3f} {dense_loss.parts} lr {lr:.5f} {step - first} steps {(time.time() - begin) / (step - first):.2f} s/step {part:.3f}", flush=True)
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
