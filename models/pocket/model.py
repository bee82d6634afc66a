"""The pocket model in SmolVLM's layout, as plain PyTorch modules, and its tokenizer.

picture -> 16x16 patches -> pre-norm ViT -> LayerNorm -> pixel shuffle 2 -> Linear -> 25 embeddings
placed between the text tokens of a Llama decoder. `hf_state` renames the weights to those of
transformers' SmolVLMForConditionalGeneration, which must give the same logits (export.py checks).
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

TILE, PATCH, SHUFFLE = 160, 16, 2
GRID = TILE // PATCH
VIEW = (GRID // SHUFFLE) ** 2  # embeddings per view
V_WIDTH, V_BLOCKS, V_HEADS, V_INNER = 192, 5, 6, 576
T_WIDTH, T_BLOCKS, T_HEADS, T_KV, T_INNER = 256, 6, 8, 4, 704
VOCAB, THETA, V_EPS, T_EPS = 544, 10000.0, 1e-6, 1e-5

SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<fake_token_around_image>", "<image>", "<global-img>",
            "<end_of_utterance>"] + [f"<row_{r}_col_{c}>" for r in range(1, 7) for c in range(1, 7)]


def train_tokenizer(texts):
    """Byte-level BPE with single digits (llama.cpp's pre-tokenizer `smollm`)."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                                 pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    tok.decoder = decoders.ByteLevel()
    tok.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=VOCAB, special_tokens=SPECIALS, show_progress=False,
                                                       initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return tok


class VisionBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(V_WIDTH, eps=V_EPS), nn.LayerNorm(V_WIDTH, eps=V_EPS)
        self.q, self.k, self.v, self.o = (nn.Linear(V_WIDTH, V_WIDTH) for _ in range(4))
        self.fc1, self.fc2 = nn.Linear(V_WIDTH, V_INNER), nn.Linear(V_INNER, V_WIDTH)

    def forward(self, x):
        b, n, _ = x.shape
        h = self.ln1(x)
        q, k, v = (p(h).view(b, n, V_HEADS, -1).transpose(1, 2) for p in (self.q, self.k, self.v))
        x = x + self.o(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, -1))
        return x + self.fc2(F.gelu(self.fc1(self.ln2(x)), approximate="tanh"))


class TextBlock(nn.Module):
    def __init__(self):
        super().__init__()
        d = T_WIDTH // T_HEADS
        self.ln1, self.ln2 = nn.RMSNorm(T_WIDTH, eps=T_EPS), nn.RMSNorm(T_WIDTH, eps=T_EPS)
        self.q, self.o = (nn.Linear(T_WIDTH, T_WIDTH, bias=False) for _ in range(2))
        self.k, self.v = (nn.Linear(T_WIDTH, T_KV * d, bias=False) for _ in range(2))
        self.gate, self.up = (nn.Linear(T_WIDTH, T_INNER, bias=False) for _ in range(2))
        self.down = nn.Linear(T_INNER, T_WIDTH, bias=False)

    def forward(self, x, rope, mask):
        b, n, _ = x.shape
        h = self.ln1(x)
        q = rotate(self.q(h).view(b, n, T_HEADS, -1).transpose(1, 2), rope)
        k = rotate(self.k(h).view(b, n, T_KV, -1).transpose(1, 2), rope)
        v = self.v(h).view(b, n, T_KV, -1).transpose(1, 2)
        k, v = (t.repeat_interleave(T_HEADS // T_KV, 1) for t in (k, v))
        x = x + self.o(F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).reshape(b, n, -1))
        h = self.ln2(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


def rope_table(positions):
    """cos and sin of shape (batch, 1, length, head width), halves paired as transformers does."""
    d = T_WIDTH // T_HEADS
    freq = THETA ** (-torch.arange(0, d, 2, dtype=torch.float32, device=positions.device) / d)
    angle = positions[..., None].float() * freq
    angle = torch.cat([angle, angle], -1)[:, None]
    return angle.cos(), angle.sin()


def rotate(x, rope):
    a, b = x.chunk(2, -1)
    return x * rope[0] + torch.cat([-b, a], -1) * rope[1]


PLACE = 32  # the last channels of the tower's input carry the position, the others the picture
OFFSETS = [[(0, 1), (0, -1), (1, 0), (-1, 0)], [(1, 1), (1, -1), (-1, 1), (-1, -1)], [(0, 1), (0, -1), (1, 0), (-1, 0)]]


def place_table():
    """Starting values of the position table: sines and cosines of row and column at 8 frequencies
    up to pi, whose products with those of another patch peak sharply at one offset."""
    freq = math.pi * (torch.arange(PLACE // 4) + 0.5) / (PLACE // 4)
    angle = torch.arange(GRID)[:, None] * freq
    part = torch.stack([angle.sin(), angle.cos()], -1).flatten(1)
    table = torch.zeros(GRID, GRID, V_WIDTH)
    table[..., -PLACE:] = torch.cat([part[:, None].expand(GRID, GRID, -1), part[None].expand(GRID, GRID, -1)], -1)
    return table.reshape(GRID * GRID, -1)


def look_beside(block, offsets, sharp):
    """Lets the first heads of a block begin by attending to the patch at a fixed offset, which
    starts the tower as a small convolutional network (Cordonnier et al. 2020, d'Ascoli et al. 2021)."""
    n, freq = PLACE // 4, math.pi * (torch.arange(PLACE // 4) + 0.5) / (PLACE // 4)
    for head, (row, col) in enumerate(offsets):
        turn = torch.zeros(PLACE, PLACE)
        for axis, d in ((0, row), (1, col)):
            for f in range(n):
                i, (s, c) = 2 * n * axis + 2 * f, ((freq[f] * d).sin(), (freq[f] * d).cos())
                turn[i, i], turn[i, i + 1], turn[i + 1, i], turn[i + 1, i + 1] = c, s, -s, c
        rows = slice(head * PLACE, (head + 1) * PLACE)
        block.q.weight.data[rows] = 0
        block.k.weight.data[rows] = 0
        block.q.weight.data[rows, -PLACE:] = sharp * turn
        block.k.weight.data[rows, -PLACE:] = sharp * torch.eye(PLACE)


def patches(images):
    """(batch, 3, TILE, TILE) to (batch, GRID*GRID, 3*PATCH*PATCH), channel first as a conv kernel."""
    b = images.shape[0]
    x = images.view(b, 3, GRID, PATCH, GRID, PATCH).permute(0, 2, 4, 1, 3, 5)
    return x.reshape(b, GRID * GRID, 3 * PATCH * PATCH)


class Pocket(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch = nn.Linear(3 * PATCH * PATCH, V_WIDTH)
        self.position = nn.Parameter(place_table())
        self.vision = nn.ModuleList(VisionBlock() for _ in range(V_BLOCKS))
        self.post = nn.LayerNorm(V_WIDTH, eps=V_EPS)
        self.connect = nn.Linear(V_WIDTH * SHUFFLE ** 2, T_WIDTH, bias=False)
        self.embed = nn.Embedding(VOCAB, T_WIDTH)
        self.text = nn.ModuleList(TextBlock() for _ in range(T_BLOCKS))
        self.norm = nn.RMSNorm(T_WIDTH, eps=T_EPS)
        self.out = nn.Linear(T_WIDTH, VOCAB, bias=False)
        for name, p in self.named_parameters():
            if p.dim() == 2 and name != "position":
                nn.init.normal_(p, std=0.5 if name == "embed.weight" else 1 / math.sqrt(p.shape[1]))
            if name.endswith(("o.weight", "fc2.weight", "down.weight")):
                p.data *= 0.5 if name.startswith("vision") else 0.2
            if name.endswith("bias"):
                nn.init.zeros_(p)
        nn.init.orthogonal_(self.connect.weight)

    def begin(self, sample):
        """Sets the patch kernel to the whitened principal components of sample pictures and the
        first blocks to look at neighbouring patches."""
        for block, offsets, sharp in zip(self.vision, OFFSETS, (1.1, 1.4, 1.7)):
            look_beside(block, offsets, sharp)
        x = patches(sample).reshape(-1, 3 * PATCH * PATCH)
        mean = x.mean(0)
        values, vectors = torch.linalg.eigh((x - mean).T @ (x - mean) / len(x))
        n = V_WIDTH - PLACE
        top = 0.7 * vectors[:, -n:] / (values[-n:].sqrt() + 0.1)
        self.patch.weight.data.zero_()
        self.patch.weight.data[:n] = top.T
        self.patch.bias.data[:n] = -(top.T @ mean)

    def see(self, images):
        """Patch features after the last LayerNorm."""
        x = self.patch(patches(images)) + self.position
        for block in self.vision:
            x = block(x)
        return self.post(x)

    def shuffle(self, x):
        """Blocks of SHUFFLE x SHUFFLE neighbours become one token; raster order inside and out."""
        b, s, g = x.shape[0], SHUFFLE, GRID // SHUFFLE
        x = x.view(b, g, s, g, s, V_WIDTH).permute(0, 1, 3, 2, 4, 5)
        return self.connect(x.reshape(b, g * g, s * s * V_WIDTH))

    def read(self, views, ids, positions, mask, wanted=None, image_id=SPECIALS.index("<image>")):
        """Logits at the `wanted` (batch, index) places; `views` fill the <image> places in turn."""
        x = self.embed(ids)
        spot = ids == image_id
        order = (spot.cumsum(1) - 1).clamp(min=0) % VIEW
        x = torch.where(spot[..., None], views.gather(1, order[..., None].expand(-1, -1, T_WIDTH)), x)
        rope = rope_table(positions)
        for block in self.text:
            x = block(x, rope, mask)
        x = self.norm(x if wanted is None else x[wanted])
        return self.out(x)


def hf_state(model):
    """The weights under transformers' names."""
    out, sd = {}, model.state_dict()
    v, t = "model.vision_model.", "model.text_model."
    out[v + "embeddings.patch_embedding.weight"] = sd["patch.weight"].view(V_WIDTH, 3, PATCH, PATCH)
    out[v + "embeddings.patch_embedding.bias"] = sd["patch.bias"]
    out[v + "embeddings.position_embedding.weight"] = sd["position"]
    out[v + "post_layernorm.weight"], out[v + "post_layernorm.bias"] = sd["post.weight"], sd["post.bias"]
    out["model.connector.modality_projection.proj.weight"] = sd["connect.weight"]
    out[t + "embed_tokens.weight"], out[t + "norm.weight"], out["lm_head.weight"] = sd["embed.weight"], sd["norm.weight"], sd["out.weight"]
    vis = {"ln1": "layer_norm1", "ln2": "layer_norm2", "q": "self_attn.q_proj", "k": "self_attn.k_proj", "v": "self_attn.v_proj",
           "o": "self_attn.out_proj", "fc1": "mlp.fc1", "fc2": "mlp.fc2"}
    txt = {"ln1": "input_layernorm", "ln2": "post_attention_layernorm", "q": "self_attn.q_proj", "k": "self_attn.k_proj",
           "v": "self_attn.v_proj", "o": "self_attn.o_proj", "gate": "mlp.gate_proj", "up": "mlp.up_proj", "down": "mlp.down_proj"}
    for name, value in sd.items():
        part = name.split(".")
        if part[0] == "vision":
            out[f"{v}encoder.layers.{part[1]}.{vis[part[2]]}.{part[3]}"] = value
        if part[0] == "text":
            out[f"{t}layers.{part[1]}.{txt[part[2]]}.{part[3]}"] = value
    return out
