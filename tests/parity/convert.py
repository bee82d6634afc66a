"""`ocelli convert` beside llama.cpp's converter: every tensor and every key of the same checkpoints.

Tiny checkpoints with random weights are built with transformers, in the forms that lie on hubs: one file and shards, F32,
F16 and BF16, byte-level BPE, SentencePiece and its form with merges, `vocab.json` with `merges.txt`, scaled rotary positions,
configurations that leave things out. Both converters make files of each type of them. Compared are

    tensors   name, type, extents and bytes
    keys      type and value, of every key that both write; the keys that only one writes are listed

Towers of CLIP are refused by llama.cpp's converter; their tensors are compared with the checkpoint's values.

    pip install torch transformers tokenizers sentencepiece protobuf gguf numpy
    pip download --no-deps --no-binary :all: llama_cpp_python==0.3.36        # its vendor/llama.cpp has the converter
    cargo build --release
    python tests/parity/convert.py --llama-cpp path/to/llama.cpp [--ocelli target/release/ocelli] [--work folder]

The converter is unchanged but for one answer, as for the goldens: it recognises byte-level BPE by the hash of a known
vocabulary, which a tokenizer trained here cannot have, so it is told the name of the pre-tokenizer. Ocelli is told nothing.
Exit code 1 when anything differs that is not in EXPECTED.
"""

import argparse
import json
import logging
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--llama-cpp", type=Path, required=True)
    parser.add_argument("--ocelli", type=Path, default=HERE.parents[1] / "target/release/ocelli")
    parser.add_argument("--work", type=Path, help="keeps the files there")
    parser.add_argument("--only", nargs="*", help="checkpoints")
    parser.add_argument("--types", nargs="*", default=["f32", "f16", "bf16", "q8_0"])
    return parser.parse_args()


ARGS = arguments()
# The converter wants the gguf package beside it, not the published one.
sys.path[:0] = [str(ARGS.llama_cpp), str(ARGS.llama_cpp / "gguf-py"), str(HERE.parent / "golden")]
import convert_hf_to_gguf  # noqa: E402
import numpy as np  # noqa: E402
import tiny_models as tiny  # noqa: E402
import torch  # noqa: E402
from conversion.base import TextModel  # noqa: E402
from gguf import GGUFReader  # noqa: E402
from gguf_files import save  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM  # noqa: E402

# Where ours is right and theirs is not: what differs, for which checkpoints, and why.
EXPECTED = {
    ("vicuna-json", "tokenizer.ggml.scores"): "theirs are all -1000: the order of merges is lost",
    ("vicuna-json", "tokenizer.ggml.token_type"): "<image> is special, and a word that users may write in theirs",
    ("mistral-json", "tokenizer.ggml.scores"): "theirs are all -1000: the order of merges is lost",
    ("mistral-json", "tokenizer.ggml.token_type"): "as vicuna-json",
}


def half(model, kind):
    """The model as it would be stored in 16 bits: norms and all."""
    return model.to(kind)


def edit(folder: Path, file: str, **changes) -> None:
    """Changes entries of a JSON file; `None` takes one out."""
    path = folder / file
    config = json.loads(path.read_text())
    for key, value in changes.items():
        inner = config
        *way, last = key.split("__")
        for part in way:
            inner = inner[part]
        inner.pop(last, None) if value is None else inner.update({last: value})
    path.write_text(json.dumps(config))


def shard(folder: Path, model) -> None:
    """Writes the weights again, in several files with an index."""
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="60KB")
    assert (folder / "model.safetensors.index.json").is_file()


def llama_tied(folder: Path) -> str:
    tokenizer = tiny.smollm_tokenizer(False)
    save(tiny.llama(len(tokenizer), 1, tie_word_embeddings=True), tokenizer, folder)
    return "smollm"


def llama_sharded(folder: Path) -> str:
    tokenizer = tiny.smollm_tokenizer(False)
    model = half(tiny.llama(len(tokenizer) + 20, 2), torch.bfloat16)
    save(model, tokenizer, folder)
    shard(folder, model)
    return "smollm"


def llama_sparse(folder: Path) -> str:
    """A configuration as old releases wrote it, with everything usual left out, in F16."""
    tokenizer = tiny.smollm_tokenizer(False)
    heads = {"heads": 4, "kv_heads": 4}
    save(half(tiny.llama(len(tokenizer), 3, **heads), torch.float16), tokenizer, folder)
    gone = ["rope_parameters", "num_key_value_heads", "head_dim", "max_position_embeddings", "rms_norm_eps", "hidden_act"]
    edit(folder, "config.json", **dict.fromkeys(gone))
    edit(folder, "generation_config.json", temperature=0.6, top_k=20, top_p=0.95, repetition_penalty=1.1, do_sample=True)
    return "smollm"


def llama_three(folder: Path) -> str:
    """Llama 3's scaling of rotary positions and biases of attention; BPE that cuts like gpt-2."""
    tokenizer = tiny.byte_bpe("gpt-2", ["<|endoftext|>"], [], 40)
    from tokenizers import pre_tokenizers

    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.add_special_tokens({"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"})
    rope = {
        "rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    }
    config = LlamaConfig(**tiny.text_config(len(tokenizer), hidden=128, rope_parameters=rope, attention_bias=True))
    model = LlamaForCausalLM(config).float()
    tiny.fill(model, 4, False)
    save(model, tokenizer, folder)
    return "gpt-2"


def llama_yarn(folder: Path) -> str:
    tokenizer = tiny.smollm_tokenizer(False)
    rope = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 512}
    save(tiny.llama(len(tokenizer), 5, rope_parameters=rope), tokenizer, folder)
    return "smollm"


def qwen2(folder: Path) -> str:
    tokenizer = tiny.qwen2_tokenizer()
    save(half(tiny.qwen2(len(tokenizer) + 5, 6, tie_word_embeddings=True), torch.bfloat16), tokenizer, folder)
    return "qwen2"


def qwen2_slow(folder: Path) -> str:
    """The tokenizer as `vocab.json` and `merges.txt`, as Qwen2 was published."""
    tokenizer = tiny.qwen2_tokenizer()
    save(tiny.qwen2(len(tokenizer), 7), tokenizer, folder)
    model = json.loads((folder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").unlink()
    added = {token["content"]: token["id"] for token in model["added_tokens"]}
    words = {token: i for token, i in model["model"]["vocab"].items() if token not in added}
    (folder / "vocab.json").write_text(json.dumps(words, ensure_ascii=False))
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["model"]["merges"]]
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    decoder = {str(i): {"content": t, "special": True, "normalized": False} for t, i in added.items()}
    edit(folder, "tokenizer_config.json", tokenizer_class="Qwen2Tokenizer", added_tokens_decoder=decoder, backend=None)
    return "qwen2"


def vicuna(folder: Path) -> str:
    """SentencePiece's own file, and a vocabulary that is larger than it."""
    tiny.sentencepiece_model(folder, 350)
    save(half(tiny.llama(360, 8, kv_heads=4), torch.float16), None, folder)
    return "default"


def vicuna_json(folder: Path) -> str:
    """The same as merges, in `tokenizer.json` alone."""
    from transformers import LlamaTokenizerFast

    tiny.sentencepiece_model(folder, 350)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    tokenizer = LlamaTokenizerFast.from_pretrained(folder)
    save(tiny.llama(352, 9, kv_heads=4), None, folder)
    tokenizer.save_pretrained(folder)
    for name in ["tokenizer.model", "tokenizer.vocab"]:
        (folder / name).unlink(missing_ok=True)
    assert config and (folder / "tokenizer.json").is_file()
    return "default"


LLAMA_SPLIT = tiny.QWEN_SPLIT.replace(r"|\p{N}|", r"|\p{N}{1,3}|")


def llama_bpe(folder: Path) -> str:
    """Llama 3's tokenizer: words that are tokens are not merged, BOS by a template."""
    from tokenizers import Regex, pre_tokenizers, processors

    tokenizer = tiny.byte_bpe("qwen2", ["<|begin_of_text|>", "<|end_of_text|>"], ["<|eot_id|>"], 40)
    inner = tokenizer.backend_tokenizer
    split = pre_tokenizers.Split(Regex(LLAMA_SPLIT), behavior="isolated")
    inner.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(False, use_regex=False)])
    bos = processors.TemplateProcessing(single="<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", 0)])
    inner.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), bos])
    tokenizer.add_special_tokens({"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"})
    save(tiny.llama(len(tokenizer), 16), tokenizer, folder)
    model = json.loads((folder / "tokenizer.json").read_text())
    model["normalizer"], model["model"]["ignore_merges"] = None, True
    (folder / "tokenizer.json").write_text(json.dumps(model, ensure_ascii=False))
    return "llama-bpe"


def mistral_model(vocabulary: int, seed: int, **more) -> MistralForCausalLM:
    """As version 0.3 and later: no window, heads that are wider than their part of a row."""
    rope = {"rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0}, "head_dim": 32}
    model = MistralForCausalLM(MistralConfig(**tiny.text_config(vocabulary, **(rope | more)), sliding_window=None)).float()
    tiny.fill(model, seed, False)
    return model


def mistral(folder: Path) -> str:
    tiny.sentencepiece_model(folder, 350)
    save(half(mistral_model(352, 17), torch.bfloat16), None, folder)
    return "default"


def mistral_json(folder: Path) -> str:
    """Its tokenizer as merges alone, and the usual width of a head left out."""
    vicuna_json(folder)
    tokenizer = {name: (folder / name).read_bytes() for name in ["tokenizer.json", "tokenizer_config.json"]}
    save(mistral_model(352, 18, head_dim=16), None, folder)
    edit(folder, "config.json", head_dim=None)
    for name, content in tokenizer.items():
        (folder / name).write_bytes(content)
    return "default"


def smolvlm(folder: Path, factor: int = 2) -> str:
    tokenizer = tiny.smollm_tokenizer(True)
    image = tokenizer.convert_tokens_to_ids("<image>")
    model = tiny.smolvlm(len(tokenizer), image, 10 + factor, factor)
    processor = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "size": {"longest_edge": 32 * factor}}
    save(half(model, torch.bfloat16), tokenizer, folder, processor)
    return "smollm"


def smolvlm_three(folder: Path) -> str:
    return smolvlm(folder, 3)


def llava(folder: Path) -> str:
    tiny.sentencepiece_model(folder, 350)
    model = tiny.llava(tiny.llama(352, 14, kv_heads=4), 350, 15)
    mean, std = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
    save(half(model, torch.float16), None, folder, {"image_mean": mean, "image_std": std})
    edit(folder, "config.json", text_config__architectures=["LlamaForCausalLM"])
    return "default"


CHECKPOINTS = {
    "llama-tied": llama_tied, "llama-sharded": llama_sharded, "llama-sparse": llama_sparse, "llama-3": llama_three,
    "llama-yarn": llama_yarn, "qwen2": qwen2, "qwen2-slow": qwen2_slow, "vicuna": vicuna, "vicuna-json": vicuna_json,
    "llama-bpe": llama_bpe, "mistral": mistral, "mistral-json": mistral_json,
    "smolvlm": smolvlm, "smolvlm-x3": smolvlm_three, "llava": llava,
}


def contents(path: Path) -> tuple[dict, dict]:
    """The keys, as (types, value), and the tensors, as (type, extents, bytes)."""
    reader = GGUFReader(path)
    skip = ("GGUF.version", "GGUF.tensor_count", "GGUF.kv_count")
    keys = {
        name: ([kind.name for kind in field.types], field.contents())
        for name, field in reader.fields.items() if name not in skip
    }
    tensors = {
        tensor.name: (tensor.tensor_type.name, [int(extent) for extent in tensor.shape], tensor.data.tobytes())
        for tensor in reader.tensors
    }
    return keys, tensors


def compare(case: str, theirs: Path, ours: Path, but: list[str] = []) -> dict:
    (their_keys, their_tensors), (our_keys, our_tensors) = contents(theirs), contents(ours)
    problems, accepted = [], []
    for name in sorted(their_tensors.keys() | our_tensors.keys()):
        a, b = their_tensors.get(name), our_tensors.get(name)
        if a != b:
            problems.append(f"tensor {name}: theirs {a and a[:2]}, ours {b and b[:2]}, bytes {'equal' if a and b and a[2] == b[2] else 'differ'}")
    both = their_keys.keys() & our_keys.keys()
    for name in sorted(both - set(but)):
        if their_keys[name] != our_keys[name]:
            known = (case, name) in EXPECTED
            (accepted if known else problems).append(f"key {name}: theirs {str(their_keys[name])[:90]}, ours {str(our_keys[name])[:90]}")
    return {
        "tensors": len(our_tensors), "keys": len(both), "problems": problems, "accepted": accepted,
        "theirs only": sorted(their_keys.keys() - both), "ours only": sorted(our_keys.keys() - both),
    }


def compare_clip(folder: Path, ours: Path) -> dict:
    """LLaVA's tower with the checkpoint's values: F32 exactly, through the names of the tower."""
    names = {
        "embeddings.patch_embedding": "patch_embd", "embeddings.class_embedding": "class_embd", "pre_layrnorm": "pre_ln",
        "embeddings.position_embedding": "position_embd", "encoder.layers": "blk", "self_attn.out_proj": "attn_out",
        "self_attn.": "attn_", "_proj": "", "layer_norm": "ln", "mlp.fc1": "ffn_up", "mlp.fc2": "ffn_down",
    }
    _, tensors = contents(ours)
    problems, used = [], 0
    for name, value in load_file(folder / "model.safetensors").items():
        name = name.removeprefix("model.")
        if not name.startswith(("vision_tower.", "multi_modal_projector.")):
            continue
        new = name.replace("vision_tower.", "v.").replace("vision_model.", "")
        new = new.replace("multi_modal_projector.linear_1", "mm.0").replace("multi_modal_projector.linear_2", "mm.2")
        for old, short in names.items():
            new = new.replace(old, short)
        if "post_layernorm" in new or ".blk.2." in new:
            problems += [f"tensor {new} should be left out"] if new in tensors else []
            continue
        used += 1
        kind, extents, data = tensors.get(new, ("missing", [], b""))
        if kind != "F32" or extents != list(value.shape)[::-1] or data != value.float().numpy().astype(np.float32).tobytes():
            problems.append(f"tensor {new}: {kind} {extents} is not the checkpoint's {list(value.shape)}")
    problems += [] if used == len(tensors) else [f"{len(tensors)} tensors, {used} of them known"]
    return {"tensors": len(tensors), "keys": 0, "problems": problems, "accepted": [], "theirs only": [], "ours only": []}


def convert_theirs(folder: Path, out: Path, pre: str, kind: str, mmproj: bool = False) -> None:
    TextModel.get_vocab_base_pre = lambda self, tokenizer: pre
    sys.argv = ["convert_hf_to_gguf.py", str(folder), "--outfile", str(out), "--outtype", kind, "--model-name", out.stem]
    sys.argv += ["--mmproj"] if mmproj else []
    convert_hf_to_gguf.main()
    logging.getLogger().setLevel(logging.ERROR)


def convert_ours(folder: Path, out: Path, kind: str) -> None:
    command = [str(ARGS.ocelli), "convert", str(folder), "-o", str(out), "--type", kind, "--mmproj-type", kind]
    done = subprocess.run(command + ["--name", out.stem, "--force"], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)


def pairs(case: str, folder: Path, kind: str, work: Path) -> list[tuple[str, dict]]:
    """Both converters' files of a checkpoint, compared."""
    theirs, ours = work / f"theirs/{case}-{kind}.gguf", work / f"ours/{case}-{kind}.gguf"
    theirs.parent.mkdir(exist_ok=True), ours.parent.mkdir(exist_ok=True)
    convert_ours(folder, ours, kind)
    pre = (folder / "pre").read_text()
    convert_theirs(folder, theirs, pre, kind)
    found = [("text", compare(case, theirs, ours))]
    tower = ours.with_name("mmproj-" + ours.name)
    if case.startswith("smolvlm"):
        other = theirs.with_name(ours.name.replace(case, "tower-" + case))
        convert_theirs(folder, other, pre, kind, mmproj=True)
        found.append(("mmproj", compare(case, other, tower, ["general.name"])))
    elif case == "llava" and kind == "f32":
        found.append(("mmproj", compare_clip(folder, tower)))
    return found


def main() -> None:
    torch.set_num_threads(1)
    work = ARGS.work or Path(tempfile.mkdtemp())
    failed, lines, only = False, [], {"theirs only": set(), "ours only": set()}
    for case in ARGS.only or CHECKPOINTS:
        folder = work / case
        shutil.rmtree(folder, ignore_errors=True)
        with torch.no_grad():
            pre = CHECKPOINTS[case](folder)
        (folder / "pre").write_text(pre)
        for kind in ARGS.types:
            for what, found in pairs(case, folder, kind, work):
                failed |= bool(found["problems"])
                counts = [found["tensors"], found["keys"], len(found["problems"]), len(found["accepted"])]
                lines.append(f"{case:14} {what:7} {kind:5}" + "".join(f"{count:5}" for count in counts))
                lines += [f"    {problem}" for problem in found["problems"]]
                for side in only:
                    only[side] |= set(found[side])
    print(f"\n{'checkpoint':14} {'file':7} {'type':5} tens keys  bad known")
    print("\n".join(lines))
    for side, names in only.items():
        print(f"keys of {side}: {', '.join(sorted(names)) or 'none'}")
    for (case, name), why in EXPECTED.items():
        print(f"known: {case} {name}: {why}")
    if ARGS.work is None:
        shutil.rmtree(work)
    sys.exit(failed)


if __name__ == "__main__":
    main()
