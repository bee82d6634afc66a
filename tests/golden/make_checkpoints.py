"""Checkpoints of the golden models, without their weights: `checkpoints/<case>/`.

What lies there is what lies beside the weights in a checkpoint (configurations, tokenizer, template), and `tensors.txt`: for
every tensor of `model.safetensors` a line

    name    extents, slowest first    file in models/    name there    heads

The weights are those of the golden model files, which llama.cpp's converter made, so a checkpoint is put together again from
them: a tensor's numbers are found there by their values, as they are (heads 0), or with the rows of so many heads turned from
pairs into halves. A `-` stands for a tensor that no file has (CLIP's last block and norm); its numbers do not matter.

Reads the checkpoints that make_models.py leaves in its work folder. Needs what that needs:

    python make_models.py --llama-cpp path/to/llama.cpp --work folder
    python make_checkpoints.py --work folder
"""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import tiny_models as tiny
import torch
from gguf import GGUFReader
from gguf_files import CLIP_MEAN, CLIP_STD, save
from safetensors.torch import load_file
from sentencepiece.sentencepiece_model_pb2 import ModelProto

HERE = Path(__file__).parent
CASES = {
    "llama-tied": ["llama-tied.gguf"],
    "qwen2": ["qwen2.gguf"],
    "vicuna": ["vicuna.gguf"],
    "smolvlm-2": ["smolvlm.gguf", "mmproj-smolvlm-x2.gguf"],
    "llava": ["vicuna.gguf", "mmproj-llava-modern.gguf"],
}
BESIDE = [
    "config.json", "generation_config.json", "preprocessor_config.json", "tokenizer_config.json", "tokenizer.json",
    "tokenizer.model", "chat_template.jinja",
]


def llava(folder: Path) -> None:
    """The checkpoint of the LLaVA cases, which make_models.py does not save."""
    tiny.sentencepiece_model(folder, 350)
    model = tiny.llava(tiny.llama(352, seed=31, kv_heads=4), 350, seed=32)
    save(model, None, folder, {"image_mean": CLIP_MEAN, "image_std": CLIP_STD})


def halves(value: np.ndarray, heads: int) -> np.ndarray:
    """Rows of rotary pairs as the halves of their heads."""
    rows = value.reshape(heads, value.shape[0] // heads // 2, 2, *value.shape[1:])
    return rows.swapaxes(1, 2).reshape(value.shape)


def find(value: np.ndarray, files: dict) -> str:
    for file, tensors in files.items():
        for name, found in tensors.items():
            if found.shape != value.shape:
                continue
            if np.array_equal(found, value):
                return f"{file} {name} 0"
            for heads in [2, 4]:
                turned = found.shape[0] % (2 * heads) == 0 and halves(found, heads)
                if turned is not False and np.array_equal(turned, value):
                    return f"{file} {name} {heads}"
    return "- - 0"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    with torch.no_grad():
        llava(args.work / "llava")
    for case, names in CASES.items():
        folder, out = args.work / case, HERE / "checkpoints" / case
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        for name in BESIDE:
            if not (folder / name).is_file():
                continue
            if name.endswith(".json"):
                small = json.dumps(json.loads((folder / name).read_text()), ensure_ascii=False, separators=(",", ":"))
                (out / name).write_text(small + "\n")
            elif name == "tokenizer.model":
                model = ModelProto.FromString((folder / name).read_bytes())
                model.trainer_spec.model_prefix = "tokenizer"  # a path of the machine that trained it
                (out / name).write_bytes(model.SerializeToString())
            else:
                shutil.copyfile(folder / name, out / name)
        files = {}
        for name in names:
            reader = GGUFReader(HERE / "models" / name)
            files[name] = {t.name: t.data.reshape([int(n) for n in t.shape][::-1]) for t in reader.tensors}
        lines, missing = [], 0
        for name, value in sorted(load_file(folder / "model.safetensors").items()):
            where = find(value.numpy(), files)
            missing += where.startswith("-")
            lines.append(f"{name} {','.join(str(n) for n in value.shape)} {where}")
        (out / "tensors.txt").write_text("\n".join(lines) + "\n")
        print(f"{case}: {len(lines)} tensors, {missing} in no file, {sum(p.stat().st_size for p in out.iterdir())} bytes")


if __name__ == "__main__":
    main()
