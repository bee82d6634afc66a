"""Golden of `ocelli calibrate`: what the linear maps of Hugging Face's classes are given, in float32.

Writes `importance/text.gguf` (llama-tied.gguf over `perplexity/text.txt`, in windows of 96 tokens) and
`importance/image.gguf` (the prompt of `models/smolvlm-first.txt`, its picture seen by the tower of
mmproj-smolvlm-x2.gguf): for each linear map `<name>.in_sum2`, the sums of the squares of its inputs, and
`<name>.counts`, its rows. Sums are in float64. The output map is in the first only: a prompt's logits are
computed for its last row. The models are built again from their seeds.

    python make_importance.py

Needs torch, transformers, tokenizers, sentencepiece and gguf. Made with torch 2.15, transformers 5.23.0, gguf 0.19.0.
"""

from pathlib import Path

import gguf
import numpy as np
import tiny_models as tiny
import torch
from make_models import IMAGE, smol_pixels
from make_perplexity import WINDOW, same_weights

HERE = Path(__file__).parent
OUT = HERE / "importance"
LAYER = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.out_proj": "attn_out",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "mlp.fc1": "ffn_up",
    "mlp.fc2": "ffn_down",
}


class Sums:
    """Sums of squares of what linear maps are given, by their names in the file."""

    def __init__(self):
        self.sums, self.rows = {}, {}

    def watch(self, name: str, module) -> None:
        def keep(_module, inputs):
            x = inputs[0].detach().double().reshape(-1, inputs[0].shape[-1])
            self.sums[name] = self.sums.get(name, 0) + (x * x).sum(0)
            self.rows[name] = self.rows.get(name, 0) + len(x)

        module.register_forward_pre_hook(keep)

    def layers(self, prefix: str, layers) -> None:
        for i, layer in enumerate(layers):
            for theirs, ours in LAYER.items():
                try:
                    self.watch(f"{prefix}{i}.{ours}.weight", layer.get_submodule(theirs))
                except AttributeError:  # a map of the other tower
                    continue

    def write(self, file: Path) -> None:
        writer = gguf.GGUFWriter(file, None)
        writer.add_type("imatrix")
        for name in sorted(self.sums):
            writer.add_tensor(f"{name}.in_sum2", self.sums[name].float().numpy())
            writer.add_tensor(f"{name}.counts", np.array([self.rows[name]], np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        print(f"{file.name}: {len(self.sums)} maps, {file.stat().st_size} bytes")


def text() -> None:
    tokenizer = tiny.smollm_tokenizer(False)
    eos = tokenizer.eos_token_id
    model = tiny.llama(len(tokenizer), seed=11, tie_word_embeddings=True, eos_token_id=eos)
    same_weights(model, "llama-tied.gguf")
    sums = Sums()
    sums.layers("blk.", model.model.layers)
    sums.watch("token_embd.weight", model.lm_head)
    ids = tokenizer.encode((HERE / "perplexity/text.txt").read_text(), add_special_tokens=False)
    for at in range(0, len(ids) - WINDOW + 1, WINDOW):
        model(input_ids=torch.tensor([ids[at : at + WINDOW]]), use_cache=False)
    sums.write(OUT / "text.gguf")


def image() -> None:
    tokenizer = tiny.smollm_tokenizer(True)
    model = tiny.smolvlm(len(tokenizer), tokenizer.convert_tokens_to_ids(IMAGE), 21, 2)
    sums = Sums()
    sums.layers("blk.", model.model.text_model.layers)
    sums.layers("v.blk.", model.model.vision_model.encoder.layers)
    sums.watch("mm.model.fc.weight", model.model.connector.modality_projection.proj)
    lines = (HERE / "models/smolvlm-first.txt").read_text().splitlines()
    ids = next([int(n) for n in line.split()[1:]] for line in lines if line.startswith("ids "))
    views = next(smol_pixels(["photo.png"], 64, 32))[0]
    model(input_ids=torch.tensor([ids]), pixel_values=torch.tensor(views)[None], use_cache=False)
    sums.write(OUT / "image.gguf")


def main() -> None:
    torch.set_num_threads(1)
    OUT.mkdir(exist_ok=True)
    with torch.no_grad():
        text()
        image()


if __name__ == "__main__":
    main()
