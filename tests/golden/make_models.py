"""Golden models: tiny seeded checkpoints as GGUF files, and what the Hugging Face classes compute with them.

Writes `models/*.gguf` (F32, random weights of tiny_models.py), `models/*.png` (inputs) and one pair
`models/<case>.txt` + `.bin` per case (golden_case.py): token ids, pixels after preprocessing, the rows
after every stage, the logits of the last row and twelve greedy tokens with their margins. All of it
in float32 with eager attention, on one thread. `models/README.md` describes the layout.

Needs torch, transformers, tokenizers, sentencepiece, pillow, gguf and the sources of llama.cpp (for its
converter; they are in the sdist of llama_cpp_python under vendor/llama.cpp). Made with torch 2.15,
transformers 5.23.0, pillow 13.0, gguf 0.19.0, llama_cpp_python 0.3.36:

    python make_models.py --llama-cpp path/to/llama.cpp [--work folder]
"""

import argparse
from pathlib import Path

import numpy as np
import tiny_models as tiny
import torch
from gguf_files import CLIP_MEAN, CLIP_STD, convert, save, write_clip
from golden_case import Case
from PIL import Image
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil
from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil
from transformers.models.smolvlm.processing_smolvlm import get_image_prompt_string

OUT = Path(__file__).parent / "models"
GREEDY = 12
IMAGE = "<image>"


def draw_images() -> None:
    """Inputs: a scene with edges, colour and noise, in awkward sizes (width x height)."""
    sizes = {"photo": (61, 43), "tall": (29, 83), "strip": (200, 3), "tiny": (3, 2), "one": (1, 1), "square": (32, 32)}
    for seed, (name, (width, height)) in enumerate(sizes.items()):
        rng = np.random.default_rng(seed)
        y, x = np.mgrid[0:height, 0:width] / max(width, height)
        scene = np.stack([x, y, 1 - (x + y) / 2], axis=-1) * 200
        scene[(x - 0.4) ** 2 + (y - 0.3) ** 2 < 0.04] = [230, 30, 40]
        scene[(abs(x - 0.7) < 0.1) & (abs(y - 0.2) < 0.15)] = [20, 60, 220]
        scene += rng.normal(0, 25, scene.shape)
        Image.fromarray(scene.clip(0, 255).astype(np.uint8)).save(OUT / f"{name}.png", optimize=True)


class Recorder:
    """Outputs of chosen modules during one forward pass, by stage name."""

    def __init__(self, modules: dict):
        self.stages: dict[str, np.ndarray] = {}
        self.hooks = [module.register_forward_hook(self.hook(name)) for name, module in modules.items()]

    def hook(self, name: str):
        def keep(_module, _inputs, output):
            output = output[0] if isinstance(output, tuple) else output
            self.stages[name] = output.detach().numpy()

        return keep

    def close(self) -> dict[str, np.ndarray]:
        for hook in self.hooks:
            hook.remove()
        return self.stages


def text_modules(text, head) -> dict:
    """Stages of the decoder. The first block's input is recorded by a hook of its own."""
    modules = {f"block.{i}": layer for i, layer in enumerate(text.layers)}
    return modules | {"norm": text.norm, "logits": head}


def record_text(case: Case, model, text, ids: list[int], extra: dict, rows: list[int], more: dict | None = None):
    """One forward pass with all stages, then the greedy continuation by full recomputation."""
    entry = {}

    def keep_input(_module, inputs, named):
        entry["embed"] = (inputs[0] if inputs else named["hidden_states"]).detach()

    first = text.layers[0].register_forward_pre_hook(keep_input, with_kwargs=True)
    recorder = Recorder(text_modules(text, model.lm_head) | (more or {}))
    model(input_ids=torch.tensor([ids]), use_cache=False, **extra)
    first.remove()
    stages = recorder.close()
    case.numbers("ids", ids)
    case.numbers("rows", rows)
    case.array("embed", entry["embed"].numpy()[0][rows])
    for name in text_modules(text, model.lm_head):
        kept = stages[name][0][-1] if name == "logits" else stages[name][0][rows]
        case.array(name, kept)
    greedy(case, model, entry["embed"])
    return stages


def greedy(case: Case, model, prompt: torch.Tensor) -> None:
    """Twelve tokens after the rows of `prompt`, each by full recomputation (a generated `<image>` is a word)."""
    tokens, margins, table = [], [], model.get_input_embeddings()
    for _ in range(GREEDY):
        rows = torch.cat([prompt, table(torch.tensor([tokens], dtype=torch.long))], dim=1)
        best = torch.topk(model(inputs_embeds=rows, use_cache=False).logits[0, -1], 2)
        tokens.append(int(best.indices[0]))
        margins.append(float(best.values[0] - best.values[1]))
    case.numbers("greedy", tokens)
    case.numbers("margins", margins)
    print(f"  {case.path.name}: smallest margin {min(margins):.4f}")


def messages_into(case: Case, messages: list[dict]) -> None:
    for message in messages:
        case.text("turn", message["role"])
        content = message["content"]
        for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            case.text("part", f"image {part['path']}" if part["type"] == "image" else f"text {part['text']}")


def text_case(name: str, file: str, model, ids: list[int], prompt: str, messages: list[dict] | None = None) -> None:
    case = Case(OUT, name)
    case.text("model", file)
    if messages:
        messages_into(case, messages)
    case.text("prompt", prompt)
    record_text(case, model, model.model, ids, {}, some_rows(ids))
    case.write()


def chat_ids(tokenizer, messages: list[dict]) -> tuple[str, list[int]]:
    prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    return prompt, tokenizer.encode(prompt, add_special_tokens=False)


def text_models(args) -> None:
    """SmolLM's shape (grouped queries, tied), and Qwen2 (biases, tied)."""
    raw = "The red lamp on the panel is lit, and it's 12345 o'clock."
    chat = [
        {"role": "user", "content": "How many lamps are lit?"},
        {"role": "assistant", "content": "Three."},
        {"role": "user", "content": "What does the label say?\n"},
    ]
    for name, pre, tokenizer, model in [
        ("llama-tied", "smollm", tiny.smollm_tokenizer(False), None),
        ("qwen2", "qwen2", tiny.qwen2_tokenizer(), None),
    ]:
        build = tiny.llama if name == "llama-tied" else tiny.qwen2
        model = build(len(tokenizer), seed=11, tie_word_embeddings=True, eos_token_id=tokenizer.eos_token_id)
        save(model, tokenizer, args.work / name)
        convert(args.llama_cpp, args.work / name, OUT / f"{name}.gguf", pre)
        text_case(f"{name}-raw", f"{name}.gguf", model, tokenizer.encode(raw, add_special_tokens=False), raw)
        prompt, ids = chat_ids(tokenizer, chat)
        text_case(f"{name}-chat", f"{name}.gguf", model, ids, prompt, chat)


def some_rows(ids: list[int]) -> list[int]:
    """Rows of the decoder worth storing for a prompt of text: the ends and the middle."""
    return [0, 1, 2, len(ids) // 2, len(ids) - 2, len(ids) - 1]


def kept_rows(ids: list[int], image_id: int) -> list[int]:
    """Rows of the decoder worth storing for a prompt with images: ends, first and last image token."""
    where = [i for i, token in enumerate(ids) if token == image_id]
    return sorted({0, where[0], where[-1], len(ids) - 2, len(ids) - 1})


def vision_into(case: Case, stages: dict, names: list[str], views: int) -> None:
    """Stages of the first and the last view; every row after the projector."""
    kept = sorted({0, views - 1})
    case.numbers("kept_views", kept)
    for name in names:
        case.array(name, stages[name][kept])


def smol_pixels(names: list[str], edge: int, tile: int):
    """Per image: normalised views, the same as u8, and the grid (0, 0 for a single view)."""
    processor = SmolVLMImageProcessorPil(
        size={"longest_edge": edge},
        max_image_size={"longest_edge": tile},
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
        return_row_col_info=True,
    )
    for name in names:
        image = Image.open(OUT / name)
        full = processor(image, return_tensors="np")
        plain = processor(image, return_tensors="np", do_rescale=False, do_normalize=False)["pixel_values"]
        pixels = np.asarray(plain)[0].transpose(0, 2, 3, 1)
        assert (pixels == pixels.round()).all() and pixels.min() >= 0 and pixels.max() <= 255
        yield full["pixel_values"][0], pixels.astype(np.uint8), full["rows"][0][0], full["cols"][0][0]


def smol_case(name: str, model, tokenizer, files: tuple[str, str], edge: int, messages: list[dict]) -> None:
    case = Case(OUT, name)
    case.text("model", files[0])
    case.text("mmproj", files[1])
    case.numbers("longest_edge", [edge])
    messages_into(case, messages)
    prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    case.text("prompt", prompt)
    names = [part["path"] for m in messages for part in m["content"] if part["type"] == "image"]
    tile = model.config.vision_config.image_size
    count = model.model.image_seq_len
    pieces = prompt.split(IMAGE)
    views, pixels, expanded = [], [], pieces[0]
    for file, rest, (full, plain, rows, cols) in zip(names, pieces[1:], smol_pixels(names, edge, tile), strict=True):
        expanded += get_image_prompt_string(rows, cols, count, "<fake_token_around_image>", IMAGE, "<global-img>") + rest
        case.text("image", f"{file} {rows} {cols} {len(plain)} {count * len(plain)}")
        views.append(full)
        pixels.append(plain)
    case.text("expanded", expanded)
    values = torch.tensor(np.concatenate(views))[None]
    case.array("pixels", np.concatenate(pixels))
    ids = tokenizer.encode(expanded, add_special_tokens=False)
    tower = model.model.vision_model
    more = {"v.embed": tower.embeddings, "v.post_ln": tower.post_layernorm, "image_rows": model.model.connector}
    more |= {f"v.block.{i}": layer for i, layer in enumerate(tower.encoder.layers)}
    rows = kept_rows(ids, model.config.image_token_id)
    stages = record_text(case, model, model.model.text_model, ids, {"pixel_values": values}, rows, more)
    blocks = [f"v.block.{i}" for i in range(len(tower.encoder.layers))]
    vision_into(case, stages, ["v.embed"] + blocks + ["v.post_ln"], values.shape[1])
    case.array("image_rows", stages["image_rows"].reshape(-1, stages["image_rows"].shape[-1]))
    case.write()


def picture(name: str) -> dict:
    return {"type": "image", "path": f"{name}.png"}


def words(text: str) -> dict:
    return {"type": "text", "text": text}


def smolvlm(args) -> None:
    """Pixel shuffle by 2 (tiles of 32) and by 3 (tiles of 48), one text model behind both."""
    tokenizer = tiny.smollm_tokenizer(True)
    image_id = tokenizer.convert_tokens_to_ids(IMAGE)
    models = {}
    for factor, longest in [(2, 64), (3, 96)]:
        model = tiny.smolvlm(len(tokenizer), image_id, 21, factor)
        model.config.text_config.bos_token_id = tokenizer.bos_token_id
        model.config.text_config.eos_token_id = tokenizer.eos_token_id
        if models:
            model.model.text_model.load_state_dict(models[2].model.text_model.state_dict())
            model.lm_head.load_state_dict(models[2].lm_head.state_dict())
        folder = args.work / f"smolvlm-{factor}"
        processor = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "size": {"longest_edge": longest}}
        save(model, tokenizer, folder, processor)
        if not models:
            convert(args.llama_cpp, folder, OUT / "smolvlm.gguf", "smollm")
        convert(args.llama_cpp, folder, OUT / f"mmproj-smolvlm-x{factor}.gguf", "smollm", mmproj=True)
        models[factor] = model

    def run(case: str, factor: int, edge: int, *content: dict) -> None:
        messages = [{"role": "user", "content": list(content)}]
        files = ("smolvlm.gguf", f"mmproj-smolvlm-x{factor}.gguf")
        smol_case(case, models[factor], tokenizer, files, edge, messages)

    run("smolvlm-first", 2, 64, picture("photo"), words("What is the number?"))
    run("smolvlm-last", 2, 64, words("Describe the picture:"), picture("tall"))
    run("smolvlm-two", 2, 64, words("Is "), picture("photo"), words(" like "), picture("tiny"), words("?"))
    run("smolvlm-strip", 2, 64, picture("strip"), words("Describe."))
    run("smolvlm-one-view", 2, 32, picture("photo"), words("How many lamps are lit?"))
    run("smolvlm-one-pixel", 2, 32, picture("one"), words("Describe."))
    run("smolvlm-x3", 3, 96, picture("photo"), words("What is the number?"))
    run("smolvlm-x3-square", 3, 48, picture("square"), words("Where is the blue box?"))
    messages = [{"role": "user", "content": [words("It's café: null?")]}]
    prompt, ids = chat_ids(tokenizer, messages)
    text = models[2].model.text_model
    case = Case(OUT, "smolvlm-text")
    case.text("model", "smolvlm.gguf")
    messages_into(case, messages)
    case.text("prompt", prompt)
    record_text(case, models[2], text, ids, {}, some_rows(ids))
    case.write()


def llava_case(name: str, model, spm, files: tuple[str, str], mode: str, prompt: str, names: list[str]) -> None:
    """Prompt text around each image is tokenized by itself, with SPM's leading space, as LLaVA does."""
    case = Case(OUT, name)
    case.text("model", files[0])
    case.text("mmproj", files[1])
    case.text("preprocess", mode)
    case.text("prompt", prompt)
    count = (model.config.vision_config.image_size // model.config.vision_config.patch_size) ** 2
    size = model.config.vision_config.image_size
    processor = LlavaImageProcessorPil(
        size={"shortest_edge": size},
        crop_size={"height": size, "width": size},
        do_pad=mode == "pad",
        image_mean=CLIP_MEAN,
        image_std=CLIP_STD,
    )
    images = [Image.open(OUT / file) for file in names]
    plain = np.asarray(processor(images, do_rescale=False, do_normalize=False)["pixel_values"])
    case.array("pixels", plain.transpose(0, 2, 3, 1).astype(np.uint8))
    values = processor(images, return_tensors="pt")["pixel_values"]
    for file in names:
        case.text("image", f"{file} 0 0 1 {count}")
    ids = [spm.bos_id()]
    for number, piece in enumerate(prompt.split(IMAGE)):
        ids += ([model.config.image_token_id] * count if number else []) + (spm.encode(piece) if piece else [])
    tower = model.model.vision_tower
    blocks = list(tower.encoder.layers[:-1])
    more = {"v.embed": tower.embeddings, "v.pre_ln": tower.pre_layrnorm}
    more |= {"image_rows": model.model.multi_modal_projector} | {f"v.block.{i}": layer for i, layer in enumerate(blocks)}
    rows = kept_rows(ids, model.config.image_token_id)
    stages = record_text(case, model, model.model.language_model, ids, {"pixel_values": values}, rows, more)
    vision_into(case, stages, ["v.embed", "v.pre_ln"] + [f"v.block.{i}" for i in range(len(blocks))], len(names))
    case.array("image_rows", stages["image_rows"].reshape(-1, stages["image_rows"].shape[-1]))
    case.write()


def llava(args) -> None:
    """Vicuna's shape (full heads, SPM), and LLaVA's CLIP tower before it in three file layouts."""
    folder, size = args.work / "vicuna", 350
    spm = tiny.sentencepiece_model(folder, size)
    text = tiny.llama(size + 2, seed=31, kv_heads=4)
    save(text, None, folder)
    convert(args.llama_cpp, folder, OUT / "vicuna.gguf", "default")
    raw = "USER: How many lamps are lit? 世界 ASSISTANT:"
    text_case("vicuna-raw", "vicuna.gguf", text, [spm.bos_id()] + spm.encode(raw), raw)
    model = tiny.llava(text, size, seed=32)
    state = {name.removeprefix("model."): value.detach().numpy() for name, value in model.state_dict().items()}
    for name, blocks, swapped, half, feature in [
        ("legacy", 2, True, True, None),
        ("modern", 2, False, False, None),
        ("feature", 3, False, False, 2),
    ]:
        write_clip(state, model.config, OUT / f"mmproj-llava-{name}.gguf", blocks, swapped, half, feature)

    def run(case: str, mode: str, prompt: str, *names: str) -> None:
        files = ("vicuna.gguf", "mmproj-llava-legacy.gguf")
        llava_case(case, model, spm, files, mode, prompt, [f"{name}.png" for name in names])

    run("llava-first", "pad", "USER: <image>\nWhat is the number? ASSISTANT:", "photo")
    run("llava-last", "pad", "USER: Describe the picture. <image> ASSISTANT:", "tall")
    run("llava-two", "pad", "USER: <image> and <image>\nWhich is red? ASSISTANT:", "strip", "tiny")
    run("llava-crop", "crop", "USER: <image>\nWhat is the number? ASSISTANT:", "photo")
    run("llava-bare", "pad", "<image>", "one")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--llama-cpp", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("golden-work"))
    parser.add_argument("--only", choices=["text", "smolvlm", "llava"])
    args = parser.parse_args()
    args.llama_cpp, args.work = args.llama_cpp.resolve(), args.work.resolve()
    torch.set_num_threads(1)
    OUT.mkdir(exist_ok=True)
    draw_images()
    with torch.no_grad():
        for name, make in [("text", text_models), ("smolvlm", smolvlm), ("llava", llava)]:
            if args.only in (None, name):
                make(args)


if __name__ == "__main__":
    main()
