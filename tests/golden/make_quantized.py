"""Golden files with quantized weights, and the exact evaluation of the very weights they hold.

Writes `models/every-format-llama.gguf` and `models/every-format-qwen2.gguf`: 256 wide, two layers, each
of the fourteen matrices in another format (blocks made by llama-quantize from one F32 file), and a
case for each (golden_case.py): `logits` of all rows in float32 with the weights dequantized by the gguf
package, so that rounding of the activations is the only thing a quantized kernel may add. The line
`peer_rms` is llama.cpp's own relative RMS to these logits (flash attention off; KV cache in F32, then F16).

With `--each folder` one whole file per llama-quantize recipe is written there as well, with its case:
too large to be committed, made for the same test over all recipes.

    python make_quantized.py --llama-cpp sources --bin folder-with-llama-quantize [--logits program] [--each folder]

`program` prints nothing and writes raw f32 logits: `program model ids.txt out.f32 f32|f16`.
"""

import argparse
import subprocess
from pathlib import Path

import numpy as np
import tiny_models as tiny
import torch
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter
from gguf.quants import dequantize
from gguf_files import convert, save
from golden_case import Case

OUT = Path(__file__).parent / "models"
RECIPES = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K_M", "Q4_K_M", "Q5_K_M", "Q6_K", "IQ4_NL", "IQ4_XS", "F16", "BF16"]
PURE = {"Q2_K": "Q2_K", "Q3_K": "Q3_K_M", "Q4_K": "Q4_K_M", "Q5_K": "Q5_K_M"}
# the two small matrices of a layer take the wide formats
PLACES = {
    "blk.0.attn_q": "Q4_K",
    "blk.0.attn_k": "F16",
    "blk.0.attn_v": "Q8_0",
    "blk.0.attn_output": "Q3_K",
    "blk.0.ffn_gate": "Q4_0",
    "blk.0.ffn_up": "Q5_1",
    "blk.0.ffn_down": "IQ4_NL",
    "blk.1.attn_q": "Q5_0",
    "blk.1.attn_k": "BF16",
    "blk.1.attn_v": "Q6_K",
    "blk.1.attn_output": "Q4_1",
    "blk.1.ffn_gate": "Q2_K",
    "blk.1.ffn_up": "IQ4_XS",
    "blk.1.ffn_down": "Q5_K",
}
PROMPT = "The red lamp on the panel is lit and the needle of the gauge points to 42. How many lamps are lit?"


def quantize(binary: Path, source: Path, out: Path, recipe: str, pure: bool) -> None:
    flags = ["--pure"] if pure else []
    subprocess.run([binary / "llama-quantize", *flags, source, out, recipe], check=True, capture_output=True)


def mixed(binary: Path, source: Path, out: Path, work: Path, embedding: str) -> None:
    """`source` with every matrix replaced by the same matrix out of a file of one format."""
    places = PLACES | {"token_embd": embedding}
    parts = {}
    for kind in sorted(set(places.values())):
        file = work / f"{source.stem}-pure-{kind}.gguf"
        quantize(binary, source, file, PURE.get(kind, kind), kind not in ("F16", "BF16"))
        parts[kind] = {tensor.name: tensor for tensor in GGUFReader(file).tensors}
    reader = GGUFReader(source)
    writer = GGUFWriter(out, reader.fields["general.architecture"].contents())
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key in ("general.architecture", "general.file_type"):
            continue
        sub = field.types[-1] if field.types[0] == GGUFValueType.ARRAY else None
        writer.add_key_value(key, field.contents(), field.types[0], sub)
    for tensor in reader.tensors:
        kind = places.get(tensor.name.removesuffix(".weight")) if tensor.name.endswith(".weight") else None
        chosen = parts[kind][tensor.name] if kind else tensor
        assert kind is None or chosen.tensor_type.name == kind, (tensor.name, chosen.tensor_type.name)
        raw = {} if chosen.data.dtype != np.uint8 else {"raw_dtype": chosen.tensor_type}
        writer.add_tensor(tensor.name, chosen.data, **raw)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print(f"{out.name}: {out.stat().st_size} bytes")


def hf_name(name: str) -> str:
    for old, new in [
        ("token_embd", "model.embed_tokens"),
        ("output_norm", "model.norm"),
        ("attn_output", "self_attn.o_proj"),
        ("attn_norm", "input_layernorm"),
        ("ffn_norm", "post_attention_layernorm"),
        ("attn_q", "self_attn.q_proj"),
        ("attn_k", "self_attn.k_proj"),
        ("attn_v", "self_attn.v_proj"),
        ("ffn_gate", "mlp.gate_proj"),
        ("ffn_up", "mlp.up_proj"),
        ("ffn_down", "mlp.down_proj"),
        ("blk.", "model.layers."),
    ]:
        name = name.replace(old, new)
    return name


def exact_logits(model, file: Path, ids: list[int]) -> np.ndarray:
    """Logits of all rows with the file's weights, dequantized, in the Hugging Face class."""
    heads = {"attn_q.weight": model.config.num_attention_heads, "attn_k.weight": model.config.num_key_value_heads}
    state = model.state_dict()
    for tensor in GGUFReader(file).tensors:
        values = dequantize(tensor.data, GGMLQuantizationType(tensor.tensor_type)).astype(np.float32)
        values = torch.from_numpy(values.copy())
        count = heads.get(tensor.name.split(".", 2)[-1])
        if model.config.model_type == "llama" and count is not None:  # back from the converter's pairs to halves
            values = values.reshape(count, -1, 2, values.shape[1]).swapaxes(1, 2).reshape(values.shape)
        state[hf_name(tensor.name)] = values
    state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model.load_state_dict(state)
    return model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].numpy()


def peer_rms(program: Path, file: Path, ids: list[int], exact: np.ndarray, cache: str) -> float:
    lines, out = file.with_suffix(".ids"), file.with_suffix(".f32")
    lines.write_text(" ".join(map(str, ids)))
    subprocess.run([program, file, lines, out, cache], check=True, capture_output=True)
    got = np.fromfile(out, "<f4").reshape(exact.shape)
    lines.unlink()
    out.unlink()
    return float(np.sqrt(((got - exact) ** 2).sum() / (exact**2).sum()))


def write_case(folder: Path, file: Path, model, ids: list[int], program: Path | None) -> None:
    exact = exact_logits(model, file, ids)
    case = Case(folder, file.stem)
    case.text("model", file.name)
    case.text("prompt", PROMPT)
    case.numbers("ids", ids)
    case.array("logits", exact)
    if program is not None:
        errors = [peer_rms(program, file, ids, exact, cache) for cache in ("f32", "f16")]
        case.numbers("peer_rms", errors)
        print(f"{file.stem}: llama.cpp {errors[0]:.2e} (f32 cache), {errors[1]:.2e} (f16 cache)")
    case.write()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--llama-cpp", type=Path, required=True)
    parser.add_argument("--bin", type=Path, required=True)
    parser.add_argument("--logits", type=Path)
    parser.add_argument("--each", type=Path)
    parser.add_argument("--work", type=Path, default=Path("golden-work"))
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    shape = {"hidden": 256, "kv_heads": 1, "tie_word_embeddings": True}
    with torch.no_grad():
        for name, pre, tokenizer, build in [
            ("llama", "smollm", tiny.smollm_tokenizer(False), tiny.llama),
            ("qwen2", "qwen2", tiny.qwen2_tokenizer(), tiny.qwen2),
        ]:
            model = build(len(tokenizer), seed=41, eos_token_id=tokenizer.eos_token_id, **shape)
            ids = tokenizer.encode(PROMPT, add_special_tokens=False)
            save(model, tokenizer, args.work / f"wide-{name}")
            source = args.work / f"wide-{name}.gguf"
            convert(args.llama_cpp.resolve(), args.work / f"wide-{name}", source, pre)
            out = OUT / f"every-format-{name}.gguf"
            mixed(args.bin, source, out, args.work, "Q6_K" if name == "llama" else "Q5_0")
            write_case(OUT, out, model, ids, args.logits)
            for recipe in RECIPES if args.each else []:
                args.each.mkdir(parents=True, exist_ok=True)
                file = args.each / f"wide-{name}-{recipe.lower()}.gguf"
                quantize(args.bin, source, file, recipe, False)
                write_case(args.each, file, model, ids, args.logits)


if __name__ == "__main__":
    main()
