"""Writes a trained checkpoint as GGUF: text model and mmproj in SmolVLM's layout.

    python export.py RUN/last.pt --tokenizer RUN/tokenizer.json --out DIR [--type q8_0|f16|f32] [--check]

Names, keys and the row order of q and k are those of llama.cpp's converter for SmolVLM: q/k rows
are permuted from halves to neighbouring pairs (the rotary form "NORMAL"), patch kernel, position
table, norms and biases stay F32, every matrix takes the type asked for. `--check` builds
transformers' SmolVLMForConditionalGeneration from the same weights and compares the logits.
"""

import argparse
import json
import os

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Q

import data
import model as M

TEMPLATE = ("<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}"
            "{% if message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}"
            "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}"
            "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n"
            "{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}")
CONTEXT = 1024


def permute(w, heads):
    """Rows of each head from (first half, second half) to neighbouring pairs."""
    return w.reshape(heads, 2, w.shape[0] // heads // 2, w.shape[1]).swapaxes(1, 2).reshape(w.shape)


def add(writer, name, tensor, kind):
    """Adds a matrix in format `kind` (F32 for vectors, tables and convolutions)."""
    a = tensor.detach().float().numpy()
    wide = a.ndim == 2 and "position" not in name
    if not wide or kind == Q.F32:
        writer.add_tensor(name, np.ascontiguousarray(a, np.float32))
    elif kind == Q.F16:
        writer.add_tensor(name, np.ascontiguousarray(a, np.float16))
    else:
        writer.add_tensor(name, gguf.quants.quantize(np.ascontiguousarray(a, np.float32), kind), raw_dtype=kind)


def general(w, kind, name):
    w.add_name(name)
    w.add_file_type({Q.F32: gguf.LlamaFileType.ALL_F32, Q.F16: gguf.LlamaFileType.MOSTLY_F16, Q.Q8_0: gguf.LlamaFileType.MOSTLY_Q8_0}[kind])
    w.add_quantization_version(gguf.GGML_QUANT_VERSION)
    w.add_description("Reads instruments: displays, gauges, lamps, labels, shapes, handwritten digits")
    w.add_license("MIT OR Apache-2.0")


def finish(w):
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def add_tokenizer(w, path):
    spec = json.load(open(path))["model"]
    order = sorted(spec["vocab"], key=spec["vocab"].get)
    control = set(M.SPECIALS)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("smollm")
    w.add_token_list(order)
    w.add_token_types([gguf.TokenType.CONTROL if t in control else gguf.TokenType.NORMAL for t in order])
    w.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in spec["merges"]])
    at = spec["vocab"].__getitem__
    w.add_bos_token_id(at("<|im_start|>"))
    w.add_eos_token_id(at("<end_of_utterance>"))
    w.add_pad_token_id(at("<|im_end|>"))
    w.add_unk_token_id(at("<|endoftext|>"))
    w.add_add_bos_token(False)
    w.add_chat_template(TEMPLATE)


TEXT = {"ln1": "attn_norm", "ln2": "ffn_norm", "q": "attn_q", "k": "attn_k", "v": "attn_v", "o": "attn_output",
        "gate": "ffn_gate", "up": "ffn_up", "down": "ffn_down"}
VISION = {"ln1": "ln1", "ln2": "ln2", "q": "attn_q", "k": "attn_k", "v": "attn_v", "o": "attn_out", "fc1": "ffn_up", "fc2": "ffn_down"}


def text_names(blocks=M.T_BLOCKS):
    """(name here, name in the file) of the text model's tensors."""
    yield "embed.weight", "token_embd.weight"
    for i in range(blocks):
        for ours, theirs in TEXT.items():
            yield f"text.{i}.{ours}.weight", f"blk.{i}.{theirs}.weight"
    yield "norm.weight", "output_norm.weight"
    yield "out.weight", "output.weight"


def vision_names():
    """(name here, name in the file) of the tower and the connector."""
    yield "patch.weight", "v.patch_embd.weight"
    yield "patch.bias", "v.patch_embd.bias"
    yield "position", "v.position_embd.weight"
    for i in range(M.V_BLOCKS):
        for ours, theirs in VISION.items():
            for part in ("weight", "bias"):
                yield f"vision.{i}.{ours}.{part}", f"v.blk.{i}.{theirs}.{part}"
    yield "post.weight", "v.post_ln.weight"
    yield "post.bias", "v.post_ln.bias"
    yield "connect.weight", "mm.model.fc.weight"


def write_text(sd, tok, path, kind):
    w = gguf.GGUFWriter(path, "llama")
    w.add_type(gguf.GGUFType.MODEL)
    general(w, kind, "Ocelli pocket")
    w.add_vocab_size(M.VOCAB)
    w.add_context_length(CONTEXT)
    w.add_embedding_length(M.T_WIDTH)
    w.add_block_count(M.T_BLOCKS)
    w.add_feed_forward_length(M.T_INNER)
    w.add_head_count(M.T_HEADS)
    w.add_head_count_kv(M.T_KV)
    w.add_rope_freq_base(M.THETA)
    w.add_rope_dimension_count(M.T_WIDTH // M.T_HEADS)
    w.add_layer_norm_rms_eps(M.T_EPS)
    add_tokenizer(w, tok)
    for ours, theirs in text_names():
        t = sd[ours]
        if ours.startswith("text") and ours.endswith((".q.weight", ".k.weight")):
            t = permute(t, M.T_HEADS if ".q." in ours else M.T_KV)
        add(w, theirs, t, kind)
    finish(w)


def write_vision(sd, path, kind):
    w = gguf.GGUFWriter(path, "clip")
    w.add_type(gguf.GGUFType.MMPROJ)
    general(w, kind, "Ocelli pocket vision")
    w.add_clip_has_vision_encoder(True)
    w.add_clip_projector_type(gguf.VisionProjectorType.IDEFICS3)
    w.add_vision_projection_dim(M.T_WIDTH)
    w.add_vision_image_size(M.TILE)
    w.add_vision_preproc_image_size(M.TILE)
    w.add_vision_patch_size(M.PATCH)
    w.add_vision_embedding_length(M.V_WIDTH)
    w.add_vision_feed_forward_length(M.V_INNER)
    w.add_vision_block_count(M.V_BLOCKS)
    w.add_vision_head_count(M.V_HEADS)
    w.add_vision_image_mean([0.5] * 3)
    w.add_vision_image_std([0.5] * 3)
    w.add_vision_attention_layernorm_eps(M.V_EPS)
    w.add_vision_projector_scale_factor(M.SHUFFLE)
    w.add_vision_use_gelu(True)
    for ours, theirs in vision_names():
        t = sd[ours].view(M.V_WIDTH, 3, M.PATCH, M.PATCH) if ours == "patch.weight" else sd[ours]
        add(w, theirs, t, kind)
    finish(w)


def read_pair(folder):
    """The weights of an exported pair as a state dict, to go on training from the shipped files. The decoder may have
    another number of blocks than model.py says, and another width."""
    tensors = {}
    for name in ("pocket.gguf", "mmproj-pocket.gguf"):
        for t in gguf.GGUFReader(os.path.join(folder, name)).tensors:
            a = gguf.quants.dequantize(t.data, t.tensor_type) if t.tensor_type not in (Q.F32, Q.F16) else t.data.astype(np.float32)
            tensors[t.name] = torch.from_numpy(np.array(a, np.float32))
    sd, blocks = {}, sum(name.endswith("attn_norm.weight") for name in tensors)
    for name, theirs in [*text_names(blocks), *vision_names()]:
        t = tensors[theirs]
        if name.startswith("text") and name.endswith((".q.weight", ".k.weight")):
            half = M.T_WIDTH // M.T_HEADS // 2
            t = t.reshape(-1, half, 2, t.shape[1]).swapaxes(1, 2).reshape(t.shape)
        sd[name] = t.reshape(M.V_WIDTH, -1) if name == "patch.weight" else t
    return sd


def hf_model(net, image_id):
    """transformers' SmolVLM with these weights."""
    from transformers import SmolVLMConfig, SmolVLMForConditionalGeneration
    config = SmolVLMConfig(
        image_token_id=image_id, scale_factor=M.SHUFFLE, tie_word_embeddings=False, pad_token_id=2,
        vision_config=dict(hidden_size=M.V_WIDTH, intermediate_size=M.V_INNER, num_hidden_layers=M.V_BLOCKS, num_attention_heads=M.V_HEADS,
                           image_size=M.TILE, patch_size=M.PATCH, layer_norm_eps=M.V_EPS, hidden_act="gelu_pytorch_tanh"),
        text_config=dict(model_type="llama", hidden_size=M.T_WIDTH, intermediate_size=M.T_INNER, num_hidden_layers=M.T_BLOCKS,
                         num_attention_heads=M.T_HEADS, num_key_value_heads=M.T_KV, vocab_size=M.VOCAB, rms_norm_eps=M.T_EPS,
                         rope_theta=M.THETA, rope_parameters={"rope_type": "default", "rope_theta": M.THETA},
                         max_position_embeddings=CONTEXT, pad_token_id=2, bos_token_id=1, eos_token_id=6, tie_word_embeddings=False))
    hf = SmolVLMForConditionalGeneration(config).eval()
    missing, extra = hf.load_state_dict(M.hf_state(net), strict=False)
    assert not extra and not [m for m in missing if "position_ids" not in m and "inv_freq" not in m], (missing, extra)
    return hf


@torch.no_grad()
def check(net, tok_path):
    enc = data.Encoder(data.tokenizer(tok_path))
    image = torch.rand(1, 3, M.TILE, M.TILE) * 2 - 1
    worst = 0
    hf = hf_model(net, enc.special["<image>"])
    for two in (False, True):
        ids = torch.tensor([enc.head(two, two) + enc.ids("What does the display show?") + enc.tail])
        mask = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).tril()[None, None]
        ours = net.read(net.shuffle(net.see(image)), ids, torch.arange(ids.shape[1])[None], mask)
        views = image[:, None].expand(-1, 2 if two else 1, -1, -1, -1)
        theirs = hf(input_ids=ids, pixel_values=views, attention_mask=torch.ones_like(ids)).logits
        worst = max(worst, ((ours - theirs).abs().max() / theirs.abs().max()).item())
    print(f"largest difference to transformers' logits: {worst:.2e} of the largest logit")
    assert worst < 1e-4


def main():
    p = argparse.ArgumentParser()
    p.add_argument("checkpoint")
    p.add_argument("--tokenizer", required=True)
    p.add_argument("--out", required=True)
    p.add_argument("--type", default="q8_0", choices=["q8_0", "f16", "f32"])
    p.add_argument("--check", action="store_true")
    a = p.parse_args()
    sd = torch.load(a.checkpoint, weights_only=False)["ema"]
    net = M.Pocket().eval()
    net.load_state_dict(sd)
    if a.check:
        check(net, a.tokenizer)
    kind = Q[a.type.upper()]
    os.makedirs(a.out, exist_ok=True)
    files = [os.path.join(a.out, n) for n in ("pocket.gguf", "mmproj-pocket.gguf")]
    write_text(sd, a.tokenizer, files[0], kind)
    write_vision(sd, files[1], kind)
    for f in files:
        print(f, os.path.getsize(f), "bytes")


if __name__ == "__main__":
    main()
