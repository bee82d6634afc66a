"""Held-out scenes for any engine, their scoring, and the float weights' own answers.

    python eval.py make DIR --count 200 --seed 77     PNGs and questions.json
    python eval.py sample sample                      the small folder kept here
    python eval.py answer RUN/last.pt DIR answers.json --tokenizer RUN/tokenizer.json
    python eval.py said . sample --tokenizer RUN/tokenizer.json         the shipped pair's answers, into questions.json
    python eval.py ask DIR answers.json ocelli run --json --image {image} {question}      any engine's answers
    python eval.py score DIR/questions.json answers.json

questions.json is a list of {image, task, question, answer, scale}; answers.json a list of strings
in the same order (or of {"text": ...}). Right means equal after trimming; a gauge is right within
5 % of its full scale, a percentage within 5, a box at an overlap (IoU) of a half. Handwritten
digits come from the held-out fifth, and the seeds lie far from those of training.
"""

import argparse
import json
import math
import os
import random
import subprocess

import numpy as np
import torch
from PIL import Image

import data
import questions
import scenes

SEEDS = 2_000_000_000  # training uses seed * 50e6 + n
PANEL = 3_000_000_344


def make(folder, count, seed, per_image, clean, work):
    os.makedirs(folder, exist_ok=True)
    held, rows = scenes.digits_split(True), []
    for i in range(count):
        number = SEEDS + seed * 100_000 + i
        image, facts, _ = scenes.render(number, held, clean=clean, work=work)
        name = f"{i:04}.png"
        image.save(os.path.join(folder, name), optimize=True)
        rng = random.Random(number)
        pairs = data.choose(questions.ask(facts, rng), rng, data.TASK_WEIGHT)
        scales = {f["value"]: f["scale"] for f in facts if f["kind"] == "gauge"}
        for task, question, answer in pairs[:per_image]:
            rows.append({"image": name, "task": task, "question": question, "answer": answer,
                         **({"scale": scales[answer]} if task == "gauge" else {})})
    json.dump(rows, open(os.path.join(folder, "questions.json"), "w"), indent=0)
    print(len(rows), "questions about", count, "pictures")


def sample(folder):
    """The committed sample: five small scenes and one panel with every kind of question."""
    make(folder, 5, 5, 6, True, scenes.WORK)
    path = os.path.join(folder, "questions.json")
    rows = json.load(open(path))
    image, facts, _ = scenes.render(PANEL, scenes.digits_split(True), kinds=["display", "gauge", "lamps", "label"], cells=4, clean=True, work=640)
    image.save(os.path.join(folder, "panel.png"), optimize=True)
    scales = {f["value"]: f["scale"] for f in facts if f["kind"] == "gauge"}
    for task, question, answer in questions.ask(facts, random.Random(PANEL)):
        rows.append({"image": "panel.png", "task": task, "question": question, "answer": answer, **({"scale": scales[answer]} if task == "gauge" else {})})
    json.dump(rows, open(path, "w"), indent=0)


def numbers(text):
    try:
        return [float(w) for w in text.split()]
    except ValueError:
        return []


def overlap(a, b):
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    both = max(w, 0) * max(h, 0)
    area = lambda k: max(k[2] - k[0], 0) * max(k[3] - k[1], 0)
    return both / max(area(a) + area(b) - both, 1)


def right(row, said):
    said, want = said.strip(), row["answer"]
    a, b = numbers(said), numbers(want)
    if row["task"] == "gauge":
        return len(a) == 1 and abs(a[0] - b[0]) <= 0.05 * row["scale"] + 1e-9
    if row["task"] == "percent":
        return len(a) == 1 and abs(a[0] - b[0]) <= 5
    if row["task"] == "box":
        return len(a) == 4 and overlap(a, b) >= 0.5
    return said == want


def score(rows, answers):
    table = {}
    for row, said in zip(rows, answers, strict=True):
        said = said["text"] if isinstance(said, dict) else said
        n, ok = table.get(row["task"], (0, 0))
        table[row["task"]] = (n + 1, ok + right(row, said))
    for task, (n, ok) in sorted(table.items()):
        print(f"| {task} | {n} | {100 * ok / n:.1f} % |")
    return table


@torch.no_grad()
def answer(net, encoder, images, asked, longest=40, two=False):
    """Greedy answers to `asked` (text per image row), without a cache: the rows are short. And how far the best token was
    ahead of the second where that was closest, in logits."""
    views = net.shuffle(net.see(torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 127.5 - 1))
    rows = [encoder.head(two, two) + encoder.ids(q) + encoder.tail for q in asked]
    starts, end = [len(r) for r in rows], encoder.special["<end_of_utterance>"]
    live, ahead = list(range(len(rows))), [math.inf] * len(rows)
    for _ in range(longest):
        n = max(len(rows[i]) for i in live)
        ids = torch.tensor([rows[i] + [0] * (n - len(rows[i])) for i in live])
        mask = torch.ones(n, n, dtype=torch.bool).tril()[None, None]
        last = torch.tensor([len(rows[i]) - 1 for i in live])
        logits = net.read(views[live], ids, torch.arange(n)[None].expand(len(live), -1), mask, (torch.arange(len(live)), last))
        best = logits.topk(2, -1)
        for i, t, values in zip(live, best.indices[:, 0].tolist(), best.values.tolist()):
            rows[i].append(t)
            ahead[i] = min(ahead[i], values[0] - values[1])
        live = [i for i in live if rows[i][-1] != end]
        if not live:
            break
    return [encoder.tok.decode([t for t in r[s:] if t != end]).strip() for r, s in zip(rows, starts)], ahead


def answer_folder(weights, folder, tok, two):
    """The questions of a folder and what the network of these weights says to them."""
    from model import Pocket
    net = Pocket().eval()
    net.load_state_dict(weights)
    rows, encoder, said = json.load(open(os.path.join(folder, "questions.json"))), data.Encoder(data.tokenizer(tok)), []
    for i in range(0, len(rows), 64):
        part = rows[i: i + 64]
        images = [data.prepare(Image.open(os.path.join(folder, r["image"])).convert("RGB")) for r in part]
        said += zip(*answer(net, encoder, images, [r["question"] for r in part], two=two))
    return rows, [text for text, _ in said], [ahead for _, ahead in said]


def answer_checkpoint(checkpoint, folder, out, tok, two):
    rows, said, _ = answer_folder(torch.load(checkpoint, weights_only=False)["ema"], folder, tok, two)
    json.dump(said, open(out, "w"), indent=0)
    score(rows, said)


def note_said(pair, folder, tok):
    """Writes to each question of a folder what the exported pair says to it: the reference of the engine's test."""
    from export import read_pair
    rows, said, ahead = answer_folder(read_pair(pair), folder, tok, False)
    noted = [{**row, "said": text, "ahead": round(a, 3)} for row, text, a in zip(rows, said, ahead, strict=True)]
    json.dump(noted, open(os.path.join(folder, "questions.json"), "w"), indent=0)
    score(rows, said)


def ask(folder, out, command, most):
    """Answers of a command that is run once per question; it prints the answer, or a line of JSON with `text`."""
    rows, said = json.load(open(os.path.join(folder, "questions.json")))[:most], []
    for row in rows:
        fill = {"{image}": os.path.join(folder, row["image"]), "{question}": row["question"]}
        words = [fill.get(word, word) for word in command]
        text = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout.strip()
        said.append(json.loads(text)["text"] if text.startswith("{") else text)
    json.dump(said, open(out, "w"), indent=0)
    score(rows, said)


def chat(folder, out, command, most=120):
    """Answers of llama.cpp in its conversation: asked for one answer it ends before the last token is printed."""
    rows, said = json.load(open(os.path.join(folder, "questions.json")))[:most], []
    for row in rows:
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as peer:
            def say(text, prompts):
                """Says something, and gives what comes until it is asked again so many times."""
                peer.stdin.write(text.encode())
                peer.stdin.flush()
                heard = b""
                while heard.count(b"\n> ") < prompts and (byte := peer.stdout.read(1)):
                    heard += byte
                return heard.decode()
            say(f"/image {os.path.join(os.path.abspath(folder), row['image'])}\n", 2)
            said.append(say(row["question"] + "\n", 1).removesuffix("\n> ").strip().split("\n")[-1].strip())
            peer.kill()
    json.dump(said, open(out, "w"), indent=0)
    score(rows, said)


def main():
    p = argparse.ArgumentParser()
    sub = p.add_subparsers(dest="what", required=True)
    m = sub.add_parser("make")
    m.add_argument("folder")
    m.add_argument("--count", type=int, default=200)
    m.add_argument("--seed", type=int, default=77)
    m.add_argument("--per-image", type=int, default=8)
    m.add_argument("--clean", action="store_const", const=True, help="no perspective, blur, light or noise: small files")
    m.add_argument("--work", type=int, default=scenes.WORK, help="longest edge of the pictures")
    sub.add_parser("sample").add_argument("folder")
    t = sub.add_parser("answer")
    for name in ("checkpoint", "folder", "out"):
        t.add_argument(name)
    t.add_argument("--tokenizer", required=True)
    t.add_argument("--two", action="store_true", help="tile and overview, as llama.cpp sends a picture")
    n = sub.add_parser("said")
    n.add_argument("pair", help="folder of the two GGUF files")
    n.add_argument("folder")
    n.add_argument("--tokenizer", required=True)
    k = sub.add_parser("ask")
    k.add_argument("--most", type=int, help="only the first questions")
    k.add_argument("folder")
    k.add_argument("out")
    k.add_argument("command", nargs=argparse.REMAINDER)
    c = sub.add_parser("chat")
    c.add_argument("folder")
    c.add_argument("out")
    c.add_argument("command", nargs=argparse.REMAINDER, help="llama-mtmd-cli without prompt and image")
    s = sub.add_parser("score")
    s.add_argument("questions")
    s.add_argument("answers")
    a = p.parse_args()
    if a.what == "make":
        make(a.folder, a.count, a.seed, a.per_image, a.clean, a.work)
    elif a.what == "sample":
        sample(a.folder)
    elif a.what == "ask":
        ask(a.folder, a.out, a.command, a.most)
    elif a.what == "chat":
        chat(a.folder, a.out, a.command)
    elif a.what == "answer":
        answer_checkpoint(a.checkpoint, a.folder, a.out, a.tokenizer, a.two)
    elif a.what == "said":
        note_said(a.pair, a.folder, a.tokenizer)
    else:
        score(json.load(open(a.questions)), json.load(open(a.answers)))


if __name__ == "__main__":
    main()
