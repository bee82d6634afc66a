"""Begins a larger decoder with a smaller one's weights, so that it says almost what that one said (Chen et al. 2016).

    python grow.py PAIR LARGE.pt

PAIR is the folder of two exported files; the large decoder has the shapes of model.py. A new block stands after every second and
adds nothing to what passes through it. In the new channels are small random numbers, of the tokens, of the picture and
of what the old blocks write; new heads and neurons read at random and write nothing.
"""

import math
import sys

import torch

from export import read_pair
from model import Pocket
from train import Heads

PARTS = ("patch", "position", "vision", "post")  # the tower, which stays as it is


def blocks(weights):
    return 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("text."))


def widened(name, old, shape):
    """A tensor of the decoder with more channels, heads or neurons."""
    rows, width = old.shape[0], old.shape[-1]
    if old.dim() == 1:  # a mean over more channels, the new ones zero, makes all others larger
        return torch.cat([old * math.sqrt(rows / shape[0]), torch.ones(shape[0] - rows)])
    new, sort = torch.zeros(shape), name.split(".")[-2]
    if sort in ("o", "down"):
        new[rows:, :width] = torch.randn(shape[0] - rows, width) / (4 * math.sqrt(width))
    elif sort in ("embed", "out"):
        new[:, width:] = torch.randn(shape[0], shape[1] - width) / (10 if sort == "embed" else 160)
    else:
        new[:, width:] = torch.randn(shape[0], shape[1] - width) / (2 * math.sqrt(shape[1]))
        new[rows:] = torch.randn(shape[0] - rows, shape[1]) / math.sqrt(shape[1])
    new[:rows, :width] = old
    return new


def connected(old, fresh):
    """The connector: what it made, and in the new channels a little of every direction."""
    return torch.cat([old, torch.nn.init.orthogonal_(torch.empty_like(fresh))[old.shape[0]:] / 4])


def grown(old, fresh):
    """All weights in the shapes of `fresh`."""
    place = {(i + i // 2 if blocks(old) < blocks(fresh) else i): i for i in range(blocks(old))}

    def weight(name, new):
        part, *rest = name.split(".")
        if part in PARTS:
            return old[name]
        if part == "connect":
            return connected(old[name], new)
        if part == "text" and int(rest[0]) not in place:
            return torch.zeros_like(new) if rest[1] in ("o", "down") else new
        was = old[".".join(["text", str(place[int(rest[0])]), *rest[1:]]) if part == "text" else name]
        return was if was.shape == new.shape else widened(name, was, new.shape)
    return {name: weight(name, new) for name, new in fresh.items()}


def main():
    torch.manual_seed(5)
    weights = grown(read_pair(sys.argv[1]), Pocket().state_dict())
    torch.save({"ema": weights, "head": Heads().state_dict()}, sys.argv[2])


if __name__ == "__main__":
    main()
