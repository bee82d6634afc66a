"""GGUF files of the tiny models, in the layouts that people download.

Text models and SmolVLM's tower go through llama.cpp's own `convert_hf_to_gguf.py`, unchanged but for
one answer: it recognises byte-level BPE tokenizers by a hash of a known vocabulary, which a tokenizer
trained here cannot have, so the name of the pre-tokenizer is given. LLaVA's CLIP tower is written
here, because the converter refuses it; the keys and names are those of the legacy scripts that made
the files in circulation (fc1 is called `ffn_down` there, the last block is cut off, the patch kernel
and the projector are F16).
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from gguf import GGUFWriter, LlamaFileType

CONVERT = """
import sys
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/gguf-py"]
pre, sys.argv = sys.argv[2], ["convert_hf_to_gguf.py"] + sys.argv[3:]
import convert_hf_to_gguf
from conversion.base import TextModel
TextModel.get_vocab_base_pre = lambda self, tokenizer: pre
convert_hf_to_gguf.main()
"""
CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073]
CLIP_STD = [0.26862954, 0.26130258, 0.27577711]


def save(model, tokenizer, folder: Path, processor: dict | None = None) -> None:
    """The checkpoint as it would lie on a hub: configuration with nothing left to defaults, weights, tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    if tokenizer is not None:
        tokenizer.save_pretrained(folder)
    config = model.config.to_dict()
    config["architectures"] = [type(model).__name__]
    if "text_config" in config:
        config["text_config"]["architectures"] = ["VLlama3ForCausalLM"]
    (folder / "config.json").write_text(json.dumps(config, default=str))
    if processor is not None:
        (folder / "preprocessor_config.json").write_text(json.dumps(processor))


def convert(llama_cpp: Path, folder: Path, out: Path, pre: str, kind: str = "f32", mmproj: bool = False) -> None:
    command = [sys.executable, "-c", CONVERT, str(llama_cpp), pre, str(folder), "--outfile", str(out)]
    command += ["--outtype", kind, "--model-name", out.stem] + (["--mmproj"] if mmproj else [])
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stdout[-2000:] + done.stderr[-4000:])
    print(f"{out.name}: {out.stat().st_size} bytes")


def clip_name(name: str, swapped: bool) -> str:
    fc1, fc2 = ("ffn_down", "ffn_up") if swapped else ("ffn_up", "ffn_down")
    for old, new in [
        ("vision_tower.", "v."),
        ("multi_modal_projector.linear_1", "mm.0"),
        ("multi_modal_projector.linear_2", "mm.2"),
        ("embeddings.patch_embedding", "patch_embd"),
        ("embeddings.class_embedding", "class_embd"),
        ("embeddings.position_embedding", "position_embd"),
        ("pre_layrnorm", "pre_ln"),
        ("post_layernorm", "post_ln"),
        ("encoder.layers", "blk"),
        ("self_attn.out_proj", "attn_out"),
        ("self_attn.", "attn_"),
        ("_proj", ""),
        ("layer_norm", "ln"),
        ("mlp.fc1", fc1),
        ("mlp.fc2", fc2),
    ]:
        name = name.replace(old, new)
    return name


def write_clip(state: dict, config, out: Path, blocks: int, swapped: bool, half: bool, feature: int | None) -> None:
    """LLaVA's tower and projector. `state` maps HF names below `model.` to arrays."""
    vision = config.vision_config
    writer = GGUFWriter(out, "clip")
    writer.add_bool("clip.has_text_encoder", False)
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_bool("clip.has_llava_projector", True)
    writer.add_file_type(LlamaFileType.MOSTLY_F16 if half else LlamaFileType.ALL_F32)
    writer.add_name(out.stem)
    writer.add_description("image encoder for LLaVA")
    writer.add_string("clip.projector_type", "mlp")
    writer.add_uint32("clip.vision.image_size", vision.image_size)
    writer.add_uint32("clip.vision.patch_size", vision.patch_size)
    writer.add_uint32("clip.vision.embedding_length", vision.hidden_size)
    writer.add_uint32("clip.vision.feed_forward_length", vision.intermediate_size)
    writer.add_uint32("clip.vision.projection_dim", vision.projection_dim)
    writer.add_uint32("clip.vision.attention.head_count", vision.num_attention_heads)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", vision.layer_norm_eps)
    writer.add_uint32("clip.vision.block_count", blocks)
    if feature is not None:
        writer.add_array("clip.vision.feature_layer", [feature])
    writer.add_array("clip.vision.image_mean", CLIP_MEAN)
    writer.add_array("clip.vision.image_std", CLIP_STD)
    writer.add_bool("clip.use_gelu", False)
    for name, value in state.items():
        if not name.startswith(("vision_tower.", "multi_modal_projector.")) or "position_ids" in name:
            continue
        layer = name.split("layers.")[1].split(".")[0] if "layers." in name else None
        if (layer is not None and int(layer) >= blocks) or ("post_layernorm" in name and feature is None):
            continue
        is_half = half and (value.ndim == 4 or (value.ndim == 2 and name.startswith("multi_modal")))
        writer.add_tensor(clip_name(name, swapped), value.astype(np.float16 if is_half else np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print(f"{out.name}: {out.stat().st_size} bytes")
