"""Goldens of scaled rotary positions: what transformers computes beyond the context a model was trained for.

Writes `rotary/<case>.txt` + `.bin` (golden_case.py): the keys and tensors that a file of `models/` gets on top, a prompt's
ids, the logits after it and twelve greedy tokens, each by full recomputation in float32. The models are built again from
their seeds and held against the committed files first.

    key <name> str|f32|u32 <value>      on top of the keys of the file; `context_length` is replaced
    array <tensor> f32 ...              on top of its tensors
    array logits f32 ...                of the last position

Keys are named as llama.cpp's converter names them, `rope_freqs.weight` is computed as it does.

    python make_rotary.py

Needs torch, transformers, tokenizers, sentencepiece and gguf. Made with torch 2.15, transformers 5.24.0, gguf 0.19.0.
"""

import math
from pathlib import Path

import numpy as np
import tiny_models as tiny
import torch
from golden_case import Case
from make_perplexity import same_weights

OUT = Path(__file__).parent / "rotary"
GREEDY = 12
TEXT = "The red lamp on the panel is lit, and the gauge shows 42. How many lamps are lit? It's 12345 o'clock, null."
LONG = {"rope_type": "longrope", "original_max_position_embeddings": 32}


def llama3_factors(rope: dict, dim: int) -> np.ndarray:
    """What frequencies are divided by (Grattafiori et al., 2024), from the formula."""
    freqs = 1.0 / rope["rope_theta"] ** (np.arange(0, dim, 2, dtype=np.float32) / np.float32(dim))
    low, high, trained = rope["low_freq_factor"], rope["high_freq_factor"], rope["original_max_position_embeddings"]
    factors = []
    for wave in 2 * math.pi / freqs:
        smooth = (trained / wave - low) / (high - low)
        middle = 1 / ((1 - smooth) / rope["factor"] + smooth)
        factors.append(1.0 if wave < trained / high else rope["factor"] if wave > trained / low else middle)
    return np.array(factors, dtype=np.float32)


def case(name: str, family: str, rope: dict, keys: dict, prompt: int, context: int = 2048, tensors: dict | None = None) -> None:
    """`prompt` positions of the text; `keys` are those under `rope.scaling`."""
    theta = 10000.0 if family == "llama" else 1000000.0
    rope = {"rope_theta": theta} | rope
    build, tokenizer = (tiny.llama, tiny.smollm_tokenizer(False)) if family == "llama" else (tiny.qwen2, tiny.qwen2_tokenizer())
    more = {"rope_parameters": rope, "max_position_embeddings": context, "eos_token_id": tokenizer.eos_token_id}
    model = build(len(tokenizer), seed=11, tie_word_embeddings=True, **more)
    file = "llama-tied.gguf" if family == "llama" else "qwen2.gguf"
    same_weights(model, file)
    ids = tokenizer.encode(TEXT + " " + TEXT, add_special_tokens=False)[:prompt]
    said = tokenizer.decode(ids)
    assert len(ids) == prompt and tokenizer.encode(said, add_special_tokens=False) == ids
    out = Case(OUT, name)
    out.text("model", file)
    out.text("key", f"{family}.context_length u32 {context}")
    for key, value in keys.items():
        kind = {str: "str", float: "f32", int: "u32"}[type(value)]
        out.text("key", f"{family}.rope.scaling.{key} {kind} {value}")
    for tensor, values in (tensors or {}).items():
        out.array(tensor, np.asarray(values, dtype=np.float32))
    out.text("prompt", said)
    out.numbers("ids", ids)
    logits = lambda ids: model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1]
    out.array("logits", logits(ids).numpy())
    tokens, margins = [], []
    for _ in range(GREEDY):
        best = torch.topk(logits(ids + tokens), 2)
        tokens.append(int(best.indices[0]))
        margins.append(float(best.values[0] - best.values[1]))
    out.numbers("greedy", tokens)
    out.numbers("margins", margins)
    out.write()
    print(f"  smallest margin {min(margins):.4f}")


def main() -> None:
    torch.set_num_threads(1)
    OUT.mkdir(exist_ok=True)
    rng = np.random.default_rng(7)
    short, long = (np.round(rng.uniform(*ends, 8), 3).tolist() for ends in [(1.0, 1.3), (1.5, 12.0)])
    factors = {"rope_factors_long.weight": long, "rope_factors_short.weight": short}
    lists = {"long_factor": long, "short_factor": short}
    linear = {"rope_type": "linear", "factor": 4.0}
    yarn = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}
    tuned = yarn | {"factor": 8.0, "attention_factor": 1.25, "beta_fast": 2.0, "beta_slow": 0.1}
    llama3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
    llama3 |= {"original_max_position_embeddings": 32, "rope_theta": 10000.0}
    as_yarn = {"type": "yarn", "factor": 4.0, "original_context_length": 32}
    as_tuned = {"type": "yarn", "factor": 8.0, "original_context_length": 32}
    as_tuned |= {"yarn_attn_factor": 1.25, "yarn_beta_fast": 2.0, "yarn_beta_slow": 0.1}
    as_long = {"type": "longrope", "original_context_length": 32}
    attention = {"attn_factor": math.sqrt(1 + math.log(4) / math.log(32))}
    with torch.no_grad():
        case("linear", "llama", linear, {"type": "linear", "factor": 4.0}, 80)
        case("linear-qwen2", "qwen2", linear | {"factor": 2.5}, {"type": "linear", "factor": 2.5}, 70)
        case("yarn", "llama", yarn, as_yarn, 80, 128)
        case("yarn-tuned", "llama", tuned, as_tuned, 80, 256)
        case("yarn-qwen2", "qwen2", yarn, as_yarn, 70, 128)
        case("llama3", "llama", llama3, {}, 80, tensors={"rope_freqs.weight": llama3_factors(llama3, 16)})
        # A text within the trained context, one that outgrows it while it is answered, one beyond it, and both ways in which
        # files say the magnitude.
        case("longrope-short", "llama", LONG | lists, as_long | attention, 16, 128, factors)
        case("longrope-across", "llama", LONG | lists, as_long | attention, 26, 128, factors)
        case("longrope-long", "llama", LONG | lists, as_long, 80, 128, factors)
        case("longrope-factor", "qwen2", LONG | lists | {"factor": 6.0}, as_long | {"factor": 6.0}, 70, 2048, factors)


if __name__ == "__main__":
    main()
