"""Golden of `ocelli compare`: what Hugging Face's classes make of a text, in float32, window by window.

Writes `perplexity/text.txt` and one `perplexity/<case>.txt` for each case: perplexity of the model of
`models/<file>` and of the same model with all matrices rounded to bfloat16, KL divergence (mean, 99 %,
largest) and the share of positions with the same likeliest token. Windows, scored positions and formulas
are those that `tools/src/compare.rs` gives: the second half of every window, BOS in front of each where the model
wants one. The models are built again from their seeds and held against the committed files first.

    python make_perplexity.py

Needs torch, transformers, tokenizers, sentencepiece and gguf. Made with torch 2.15, transformers 5.23.0, gguf 0.19.0.
"""

import tempfile
from pathlib import Path

import gguf
import numpy as np
import tiny_models as tiny
import torch

OUT = Path(__file__).parent / "perplexity"
MODELS = Path(__file__).parent / "models"
WINDOW = 96


def corpus() -> str:
    """Sentences in an order that a generator without a seed of its own gives, some of them cut."""
    lines, state = [], 1
    for _ in range(24):
        state = state * 6364136223846793005 + 1442695040888963407 & (1 << 64) - 1
        line = tiny.CORPUS[(state >> 33) % len(tiny.CORPUS)]
        lines.append(line if (state >> 40) % 3 else line[: len(line) * 2 // 3])
    return "\n".join(lines) + "\n"


def same_weights(model, file: str) -> None:
    """The file's rows of q and k are permuted; all others must be equal as they stand."""
    stored = {t.name: t.data for t in gguf.GGUFReader(MODELS / file).tensors}
    state = model.state_dict()
    assert np.array_equal(stored["token_embd.weight"], state["model.embed_tokens.weight"].numpy())
    for i in range(model.config.num_hidden_layers):
        for ours, theirs in [("attn_v", "self_attn.v_proj"), ("attn_output", "self_attn.o_proj"), ("ffn_down", "mlp.down_proj")]:
            assert np.array_equal(stored[f"blk.{i}.{ours}.weight"], state[f"model.layers.{i}.{theirs}.weight"].numpy())


def log_probabilities(model, ids: list[int]) -> torch.Tensor:
    return torch.log_softmax(model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].double(), dim=-1)


def rounded(model):
    """Every matrix in bfloat16, as a file of that type has it; vectors stay."""
    for value in model.parameters():
        if value.ndim > 1:
            value.data = value.data.bfloat16().float()
    return model


def case(name: str, file: str, build, ids: list[int], bos: int | None) -> None:
    a, b = build(), rounded(build())
    same_weights(a, file)
    nll, kl, same = [[], []], [], []
    windows = [ids[i : i + WINDOW] for i in range(0, len(ids) - WINDOW + 1, WINDOW)]
    for window in windows:
        window = ([bos] if bos is not None else window[:1]) + window[1:]
        p, q = log_probabilities(a, window), log_probabilities(b, window)
        for at in range(WINDOW // 2, WINDOW - 1):
            nll[0].append(-p[at, window[at + 1]].item())
            nll[1].append(-q[at, window[at + 1]].item())
            kl.append((p[at].exp() * (p[at] - q[at])).sum().item())
            same.append(bool(p[at].argmax() == q[at].argmax()))
    lines = {
        "model": file,
        "window": WINDOW,
        "tokens": len(ids),
        "positions": len(kl),
        "perplexity_a": np.exp(np.mean(nll[0])),
        "perplexity_b": np.exp(np.mean(nll[1])),
        "kl_mean": np.mean(kl),
        "kl_99": np.percentile(kl, 99),
        "kl_max": np.max(kl),
        "top_1": np.mean(same),
    }
    (OUT / f"{name}.txt").write_text("".join(f"{key} {value}\n" for key, value in lines.items()))
    print(name, lines)


def main() -> None:
    torch.set_num_threads(1)
    OUT.mkdir(exist_ok=True)
    text = corpus()
    (OUT / "text.txt").write_text(text)
    with torch.no_grad(), tempfile.TemporaryDirectory() as folder:
        tokenizer = tiny.smollm_tokenizer(False)
        eos = tokenizer.eos_token_id
        build = lambda: tiny.llama(len(tokenizer), seed=11, tie_word_embeddings=True, eos_token_id=eos)
        case("llama-tied", "llama-tied.gguf", build, tokenizer.encode(text, add_special_tokens=False), None)
        spm = tiny.sentencepiece_model(Path(folder), 350)
        case("vicuna", "vicuna.gguf", lambda: tiny.llama(352, seed=31, kv_heads=4), [spm.bos_id()] + spm.encode(text), spm.bos_id())


if __name__ == "__main__":
    main()
