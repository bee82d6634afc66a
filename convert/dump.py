"""What Hugging Face's transformers computes, stage by stage, for `ocelli verify`.

    python dump.py CHECKPOINT dump.safetensors --prompt "What is it?" [--image photo.png] [--raw]
    ocelli verify model.gguf --reference dump.safetensors

Runs one prompt through a checkpoint (a folder, or a name on a hub) in float32 with eager attention and
writes F32 arrays; `ocelli verify` says in tools/src/verify.rs which and in what shape. Models: LLaMA, Mistral, Qwen2
(text), SmolVLM, Idefics3, LLaVA-1.5. The prompt is written by the checkpoint's chat template; with --raw
it is taken as it is, with `<image>` in it. Of a long prompt some rows are kept, of many views the first
and the last; --all keeps everything.

A picture that is not a PNG may be decoded a little differently elsewhere; what is compared starts at the
decoded bytes, which are in the dump. The processor's Pillow backend is used, which is the reference.

Needs torch, transformers, safetensors and pillow. Written for transformers 5.23.
"""

import argparse

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import save_file
from transformers import AutoConfig, AutoImageProcessor, AutoModelForCausalLM, AutoModelForImageTextToText, AutoTokenizer
from transformers.models.smolvlm.processing_smolvlm import get_image_prompt_string

KEPT = 16


class Stages:
    """Outputs of modules during a forward pass, by name, and the input of the decoder's first layer."""

    def __init__(self):
        self.arrays: dict[str, np.ndarray] = {}

    def watch(self, name: str, module: torch.nn.Module) -> None:
        def keep(_module, _inputs, output):
            output = output[0] if isinstance(output, tuple) else output
            self.arrays[name] = output.detach().float().numpy()

        module.register_forward_hook(keep)

    def watch_input(self, name: str, module: torch.nn.Module) -> None:
        def keep(_module, inputs, named):
            rows = inputs[0] if inputs else named["hidden_states"]
            self.arrays[name] = rows.detach().float().numpy()

        module.register_forward_pre_hook(keep, with_kwargs=True)


def parts(model, config):
    """The decoder, and of a model that sees its tower, the number of blocks that run, and its projector."""
    base = model.model
    if config.model_type in ("smolvlm", "idefics3"):
        tower = base.vision_model
        return base.text_model, tower, len(tower.encoder.layers), base.connector
    if config.model_type == "llava":
        tower = getattr(base.vision_tower, "vision_model", base.vision_tower)
        layer = config.vision_feature_layer
        if not isinstance(layer, int):
            raise SystemExit(f"features of several layers: {layer}")
        blocks = len(tower.encoder.layers) + 1 + layer if layer < 0 else layer
        return base.language_model, tower, blocks, base.multi_modal_projector
    if config.model_type in ("llama", "mistral", "qwen2"):
        return base, None, 0, None
    raise SystemExit(f"models of the kind {config.model_type} are not known here")


def watch(stages: Stages, model, config) -> None:
    text, tower, blocks, projector = parts(model, config)
    stages.watch_input("embed", text.layers[0])
    for i, layer in enumerate(text.layers):
        stages.watch(f"block.{i}", layer)
    stages.watch("norm", text.norm)
    stages.watch("logits", model.lm_head)
    if tower is None:
        return
    stages.watch("v.embed", tower.embeddings)
    for i, layer in enumerate(tower.encoder.layers[:blocks]):
        stages.watch(f"v.block.{i}", layer)
    if config.model_type == "llava":
        stages.watch("v.pre_ln", tower.pre_layrnorm)
    else:
        stages.watch("v.post_ln", tower.post_layernorm)
    stages.watch("image_rows", projector)


def written(tokenizer, content, raw: str | None) -> str:
    """The prompt as the chat template writes it, with `<image>` where the image stands, or as it is."""
    if raw is not None:
        return raw
    messages = [{"role": "user", "content": content}]
    return tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)


def seen(args, model, config, image: Image.Image) -> tuple[dict, np.ndarray]:
    """The model's inputs, and the views' pixels before they are normalised, [views, height, width, 3].

    The processor classes do the same, but want packages for videos.
    """
    tokenizer = AutoTokenizer.from_pretrained(args.checkpoint)
    processor = AutoImageProcessor.from_pretrained(args.checkpoint, backend="pil")
    tiled = config.model_type != "llava"
    more = {"return_row_col_info": True} if tiled else {}
    values = processor([image], return_tensors="np", **more)
    plain = processor([image], do_rescale=False, do_normalize=False, return_tensors="np")
    pixels = np.asarray(plain["pixel_values"], dtype=np.float32)
    pixels = pixels.reshape(-1, *pixels.shape[-3:]).transpose(0, 2, 3, 1)
    content = [{"type": "image"}, {"type": "text", "text": args.prompt}]
    text = written(tokenizer, content, args.prompt if args.raw else None)
    if tiled:
        rows, columns = values["rows"][0][0], values["cols"][0][0]
        marks = ("<fake_token_around_image>", "<image>", "<global-img>")
        expanded = get_image_prompt_string(rows, columns, model.model.image_seq_len, *marks)
    else:
        vision = config.vision_config
        expanded = "<image>" * (vision.image_size // vision.patch_size) ** 2
    ids = tokenizer(text.replace("<image>", expanded), add_special_tokens=not tiled, return_tensors="pt")["input_ids"]
    return {"input_ids": ids, "pixel_values": torch.tensor(np.asarray(values["pixel_values"]))}, pixels


def read(checkpoint: str, prompt: str, raw: bool) -> dict:
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    text = written(tokenizer, prompt, prompt if raw else None)
    return {"input_ids": tokenizer(text, add_special_tokens=raw, return_tensors="pt")["input_ids"]}


def some(count: int, everything: bool) -> np.ndarray:
    """Positions to keep: the ends, and some between."""
    if everything or count <= KEPT:
        return np.arange(count)
    return np.unique(np.linspace(0, count - 1, KEPT).round().astype(int))


def dump(args) -> dict[str, np.ndarray]:
    config = AutoConfig.from_pretrained(args.checkpoint)
    kind = AutoModelForImageTextToText if hasattr(config, "vision_config") else AutoModelForCausalLM
    model = kind.from_pretrained(args.checkpoint, dtype=torch.float32, attn_implementation="eager").eval()
    stages, out = Stages(), {}
    watch(stages, model, config)
    if args.image:
        image = Image.open(args.image).convert("RGB")
        inputs, out["pixels"] = seen(args, model, config, image)
        out["image"] = np.asarray(image)
    else:
        inputs = read(args.checkpoint, args.prompt, args.raw)
    model(**inputs, use_cache=False)
    ids = inputs["input_ids"][0].numpy()
    rows = some(len(ids), args.all)
    out |= {"ids": ids, "rows": rows}
    views = None
    if args.image:
        out["is_image"] = ids == getattr(config, "image_token_id", getattr(config, "image_token_index", -1))
        count = len(out["pixels"])
        views = np.arange(count) if args.all else np.unique([0, count - 1])
        out["views"] = views
    for name, value in stages.arrays.items():
        if name == "image_rows":
            out[name] = value.reshape(-1, value.shape[-1])
        elif name.startswith("v."):
            out[name] = value[views]
        else:
            out[name] = value[0][-1] if name == "logits" else value[0][rows]
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("out")
    parser.add_argument("--prompt", default="Describe this image.")
    parser.add_argument("--image")
    parser.add_argument("--raw", action="store_true")
    parser.add_argument("--all", action="store_true")
    args = parser.parse_args()
    with torch.no_grad():
        arrays = dump(args)
    save_file({name: np.ascontiguousarray(value, dtype=np.float32) for name, value in arrays.items()}, args.out)
    for name, value in arrays.items():
        print(f"{name:<14}{'x'.join(str(n) for n in value.shape)}")


if __name__ == "__main__":
    main()
