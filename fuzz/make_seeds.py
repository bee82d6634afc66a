#!/usr/bin/env python3
"""Small correct inputs for every target, from which libFuzzer goes on: seeds/<target>/. Needs Pillow.

What an input means stands at the top of each target; this is the same, written.
"""
import io
import pathlib
import shutil
import struct

from PIL import Image

HERE = pathlib.Path(__file__).parent
GOLDEN = HERE.parent / "tests" / "golden"


def save(target, seeds):
    folder = HERE / "seeds" / target
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, data in seeds.items():
        (folder / name).write_bytes(data)


def short(n):
    return struct.pack("<H", n)


def text(words):
    words = words.encode() if isinstance(words, str) else words
    return bytes([len(words)]) + words


# ---- gguf -----------------------------------------------------------------------------------------------------------

def string(words):
    return struct.pack("<Q", len(words)) + words.encode()


def value(kind, packed):
    return struct.pack("<I", kind) + packed


def gguf(entries, tensors=(), version=3, alignment=32):
    out = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(entries))
    for key, packed in entries:
        out += string(key) + packed
    data, infos = b"", b""
    for name, kind, dims, packed in tensors:
        data += b"\0" * (-len(data) % alignment)
        infos += string(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, len(data))
        data += packed
    out += infos
    return out + b"\0" * (-len(out) % alignment) + data


NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "B", 10: "Q", 11: "q", 12: "d"}
BLOCKS = {0: (1, 4), 1: (1, 2), 2: (32, 18), 8: (32, 34), 12: (256, 144), 14: (256, 210), 30: (1, 2)}


def ggufs():
    every = [(f"n.{kind}", value(kind, struct.pack("<" + code, 1))) for kind, code in NUMBERS.items()]
    every.append(("text", value(8, string("words"))))
    arrays = [
        (f"a.{kind}", value(9, struct.pack("<IQ3" + code, kind, 3, 0, 1, 1)))
        for kind, code in NUMBERS.items()
    ]
    arrays.append(("a.text", value(9, struct.pack("<IQ", 8, 2) + string("a") + string("bc"))))
    arrays.append(("a.empty", value(9, struct.pack("<IQ", 4, 0))))
    tensors = [(f"t.{kind}", kind, [length, 2], bytes(2 * size)) for kind, (length, size) in BLOCKS.items()]
    aligned = [("general.alignment", value(4, struct.pack("<I", 64)))]
    split = [
        ("split.no", value(2, struct.pack("<H", 0))),
        ("split.count", value(2, struct.pack("<H", 2))),
        ("split.tensors.count", value(5, struct.pack("<i", 2))),
    ]
    return {
        "numbers": gguf(every),
        "arrays": gguf(arrays),
        "tensors": gguf([], tensors),
        "version-2": gguf(every[:2], tensors[:1], version=2),
        "alignment": gguf(aligned, tensors, alignment=64),
        "split": gguf(split, tensors[:1]),
        "four-extents": gguf([], [("t", 0, [2, 1, 2, 1], bytes(16))]),
    }


# ---- image ----------------------------------------------------------------------------------------------------------

def images():
    picture = Image.new("RGB", (9, 7))
    picture.putdata([(x * 28, y * 36, (x ^ y) * 16) for y in range(7) for x in range(9)])
    turned = Image.Exif()
    turned[0x0112] = 6
    clear = picture.convert("RGBA")
    clear.putalpha(picture.convert("L"))
    seeds = {}

    def add(name, image, kind, **options):
        out = io.BytesIO()
        image.save(out, kind, **options)
        seeds[name] = out.getvalue()

    for sampling in (0, 1, 2):
        add(f"baseline-{sampling}.jpg", picture, "JPEG", subsampling=sampling, quality=60)
        add(f"progressive-{sampling}.jpg", picture, "JPEG", subsampling=sampling, progressive=True, quality=60)
    add("restarts.jpg", picture, "JPEG", restart_marker_blocks=1)
    add("grey.jpg", picture.convert("L"), "JPEG")
    add("cmyk.jpg", picture.convert("CMYK"), "JPEG")
    add("turned.jpg", picture, "JPEG", exif=turned)
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        image = clear.convert(mode) if mode != "I;16" else Image.new(mode, (9, 7), 4711)
        add(f"{mode.replace(';', '')}.png", image, "PNG")
    add("turned.png", picture, "PNG", exif=turned)
    add("palette-clear.png", picture.convert("P"), "PNG", transparency=3)
    for mode in ("1", "L", "P", "RGB"):
        add(f"{mode}.bmp", picture.convert(mode), "BMP")
    add("lossless.webp", clear, "WEBP", lossless=True)
    add("lossy.webp", picture, "WEBP")
    add("lossy-clear.webp", clear, "WEBP")
    add("turned.webp", picture, "WEBP", exif=turned)
    add("animated.webp", picture, "WEBP", save_all=True, append_images=[picture.rotate(180)], duration=50)
    add("still.gif", picture.convert("P"), "GIF")
    add("clear.gif", clear.convert("P"), "GIF", transparency=0)
    add("animated.gif", picture, "GIF", save_all=True, append_images=[picture.rotate(180)], duration=50)
    return seeds


# ---- tokenizer: which vocabulary, where it is cut, the text -------------------------------------------------------------

def tokenizers():
    words = [
        "The lamp is red, isn't it?  2024\n\n\tx = 17",
        "<|im_start|>user\nHi<|im_end|>",
        "caf\u00e9 cafe\u0301 \u00c5\u212b \ufb01 \u1112\u1161\u11ab",
        "\u4f60\u597d \U0001f600\u200d \u2581a\u2581 \u00a0 ",
        "1234567 \u0661\u0662 3.14 <image> <s></s>",
    ]
    return {f"{which}-{n}": bytes([which, 11 + n]) + w.encode() for which in range(7) for n, w in enumerate(words)}


# ---- template: the template, then messages ----------------------------------------------------------------------------

CHAT = ["\x01uWhat is it?", "\x01sBe brief.\x01u\x02What?\x01aA lamp.\x01uAnd <\u24e2>\u24e2\u24c8 <image>?", "\x01u \x02 \x02 a\n"]


def templates():
    sources = {path.stem: path.read_text() for path in sorted((GOLDEN / "templates").glob("*.jinja"))}
    loop = "{% for m in messages %}%s{% endfor %}"
    content = "m.content if m.content is string else m.content[0].text"
    for name, expression in {
        "trim": "m.content|trim",
        "replace": "m.content|replace('a', 'b')",
        "method": "m.content.replace('a', '<').upper()",
        "slice": "m.content[1:-1] ~ ''[::-1] ~ m.content[5:1:-2] ~ [][::-1]|join",
        "split": "m.content.split('<')[0] ~ '|' ~ m.content.split()|join('-')",
        "lower": "m.content|lower ~ m.content|upper|title",
        "tojson": "m|tojson(indent=2) ~ messages|tojson",
        "items": "m.items()|list ~ (m.content|length)",
        "format": "'%s: %s' % (m.role, m.content) ~ '{} {}'.format(1, m.content)",
        "test": "'user' if m.role == 'user' and loop.first and not loop.last else m.content is string",
        "strip": "m.content.strip('a').lstrip().rstrip('\\n').startswith('W')",
        "select": "messages|selectattr('role', 'equalto', 'user')|map(attribute='content')|list|last",
        "reverse": "messages|reverse|map(attribute='role')|join(' ') ~ m.content|reverse",
    }.items():
        sources[name] = loop.replace("%s", "{{ " + expression + " }}")
    sources["set"] = "{% set ns = namespace(x='', n=0) %}" + loop.replace(
        "%s", "{% set ns.x = ns.x ~ (" + content + ") %}{% set ns.n = ns.n + 1 %}") + "{{ ns.x[::-1] ~ ns.n }}"
    sources["macro"] = "{% macro w(x, y='z') -%}{{ x }}{{ y }}{%- endmacro %}" + loop.replace("%s", "{{ w(m.content) }}")
    sources["call"] = "{% macro w() %}<{{ caller() }}>{% endmacro %}" + loop.replace(
        "%s", "{% call w() %}{{ m.content }}{% endcall %}")
    sources["raise"] = "{% if messages|length > 2 %}{{ raise_exception('too long') }}{% endif %}" + loop.replace(
        "%s", "{{ m.role }}:{{ m.content }}{{ eos_token }}")
    sources["blocks"] = "{%- filter upper %}" + loop.replace(
        "%s", "{% if loop.index is odd %}{{ m.content }}{% elif false %}{% else %}-{% endif %}\r\n{# no #}") + \
        "{% endfilter %}{% set x %}{{ messages[0].content }}{% endset %}{{ x }}"
    sources["items"] = loop.replace(
        "%s", "{% for i in m.content %}{% if i.type == 'image' %}<image>{% else %}{{ i.text }}{% endif %}{% endfor %}") + \
        "{% if add_generation_prompt %}go{% endif %}"
    return {
        f"{name}-{n}": (source + ("\x03" if n == 2 else "") + chat).encode()
        for i, (name, source) in enumerate(sources.items()) for n, chat in enumerate(CHAT) if n in (0, 1 + i % 2)
    }


# ---- checkpoint: which golden, how, changes ---------------------------------------------------------------------------

CONFIG, WEIGHTS, TOKENIZER, PIECES, TOKENIZER_CONFIG, TEMPLATE, GENERATION, IMAGES, PROCESSOR, ADDED, SPECIAL, VOCAB, MERGES = range(13)


def whole(file, words):
    return bytes([file, 0]) + words + b"\x1e"


def word(file, n, words):
    return bytes([file, 1]) + short(n) + words.encode() + b"\x1e"


def checkpoints():
    folders = ["llama-tied", "qwen2", "smolvlm-2", "vicuna", "llava"]
    names = {CONFIG: "config.json", TOKENIZER: "tokenizer.json", PIECES: "tokenizer.model",
             TOKENIZER_CONFIG: "tokenizer_config.json", GENERATION: "generation_config.json",
             IMAGES: "preprocessor_config.json", TEMPLATE: "chat_template.jinja"}
    seeds = {f"{n}-{how}": bytes([n, how]) for n in range(6) for how in (0, 4, 7)}
    for n, folder in enumerate(folders):
        for file, name in names.items():
            path = GOLDEN / "checkpoints" / folder / name
            # Large ones are changed word by word.
            if path.exists() and path.stat().st_size < 2200:
                seeds[f"{n}-{name}"] = bytes([n, 4]) + whole(file, path.read_bytes())
    scaled = b'{"rope_type": "linear", "factor": 4.0}'
    llama3 = b'{"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, ' \
             b'"original_max_position_embeddings": 512}'
    yarn = b'{"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 512}'
    base = (GOLDEN / "checkpoints" / "llama-tied" / "config.json").read_bytes()
    for name, scaling in {"linear": scaled, "llama3": llama3, "yarn": yarn}.items():
        seeds[f"scaling-{name}"] = bytes([0, 4]) + whole(CONFIG, base.rstrip()[:-1] + b', "rope_scaling": ' + scaling + b"}")
    for n in range(5):
        for at in (3, 40, 90, 200):
            seeds[f"{n}-word-{at}"] = bytes([n, 0]) + word(CONFIG, at, "7") + word(TOKENIZER, at * 3, '"x"') + \
                word(WEIGHTS, at, "0")
    seeds["added"] = bytes([1, 4]) + whole(ADDED, b'{"<more>": 300}') + whole(SPECIAL, b'{"eos_token": "</s>"}')
    seeds["vocab"] = bytes([1, 4, TOKENIZER, 3]) + whole(VOCAB, b'{"a": 0, "b": 1, "ab": 2}') + \
        whole(MERGES, b"#version: 0.2\na b\n")
    seeds["shards"] = bytes([0, 4]) + whole(13, b'{"weight_map": {"model.norm.weight": "model.safetensors"}}')
    seeds["cut"] = bytes([3, 0, PIECES, 4]) + short(900) + bytes([9])
    seeds["swap"] = bytes([0, 0, CONFIG, 5]) + short(3) + short(9)
    return seeds


# ---- model: which golden, which file, changes -------------------------------------------------------------------------

def models():
    def change(what, n, rest=b""):
        return bytes([what]) + short(n) + rest

    number = lambda kind, small: bytes([0, kind, small + 9])
    seeds = {f"{m}-{v}": bytes([m, v]) for m in range(5) for v in range(2)}
    for m in range(5):
        for n in range(0, 40, 3):
            seeds[f"{m}-key-{n}"] = bytes([m, n % 2]) + change(1, n, number(0, n)) + change(0, n + 1)
        for n in range(0, 30, 5):
            seeds[f"{m}-tensor-{n}"] = bytes([m, n % 2]) + change(8, n, bytes([n % 2, 64])) + change(7, n + 1, bytes([1]))
            seeds[f"{m}-fill-{n}"] = bytes([m, n % 2]) + change(10, n, bytes([14])) + change(6, n + 1, bytes([0, 16]))
        for n in range(0, 28, 4):
            seeds[f"{m}-more-{n}"] = bytes([m, 0]) + change(4, 0, bytes([n]) + bytes([4, n % 7])) + \
                change(4, 0, bytes([n + 1, 2, 2])) + change(11, 0, bytes([0, n % 20, 0, 1, 63]))
            seeds[f"{m}-array-{n}"] = bytes([m, 0]) + change(2, n, short(n * 9) + number(1, 5)) + change(3, n + 2, short(99))
    return seeds


# ---- session: options, calls ------------------------------------------------------------------------------------------

def options(model, context=150, batch=16, kv=0, images=(2, 60, 60), tower_int8=0):
    return bytes([model, context, batch, 0, kv, *images, 0, 7 if tower_int8 else 0, 0, 0])


def said(words):
    return bytes([0]) + text(words)


def control(words):
    return bytes([2]) + text(words)


def picture(kind=0, width=40, height=30, frame=0):
    return bytes([3, kind, 0, 1, width, height, 0]) + short(99) + bytes([frame])


READ = bytes([8, 0])


def answer(tokens=5, logprobs=0, sampling=b"\0", stops=b"\0", stop=b"\0", compare=1):
    return bytes([10, tokens, logprobs]) + sampling + stops + stop + bytes([compare])


def sessions():
    hot = bytes([1, 1, 2, 1, 1, 1, 42])
    seeds = {}
    for m in range(4):
        seeds[f"{m}-text"] = options(m) + said("What is it?") + READ + answer()
        seeds[f"{m}-two"] = options(m, kv=3) + said("What?") + READ + answer() + answer(2, 3, hot) + said(" And?") + READ + answer()
        seeds[f"{m}-stops"] = options(m, batch=3) + said("a b c d e f g h") + bytes([8, 3, 1]) + READ + \
            answer(6, 0, b"\0", bytes([3]) + text("e"), bytes([3, 1]))
        seeds[f"{m}-reset"] = options(m) + said("One") + READ + bytes([14]) + said("Two") + READ + answer() + bytes([6, 1]) + READ + answer()
        seeds[f"{m}-late"] = options(m, context=8) + said("One two three four five six seven") + READ + bytes([15, 2]) + READ + \
            bytes([15, 3]) + answer()
    for m in (0, 2):
        seeds[f"{m}-image"] = options(m) + control("<|im_start|>User:") + picture() + said("What?") + READ + answer()
        seeds[f"{m}-frames"] = options(m, images=(2, 63, 63)) + picture(7, 32, 24, 1) + said("a") + picture(4, 20, 33, 1) + READ + answer() + \
            bytes([5, 0]) + said("b") + READ + answer()
        seeds[f"{m}-again"] = options(m, tower_int8=1) + picture(0, 61, 43) + said("a") + bytes([4, 0, 1]) + READ + answer() + \
            bytes([5, 0, 7, 0]) + READ + bytes([5, 1]) + READ + answer()
        seeds[f"{m}-embed"] = options(m) + picture(1, 31, 17, 1) + READ + bytes([13, 0]) + answer() + READ + answer()
        seeds[f"{m}-limit"] = bytes([m, 99, 16, 0, 0, 2, 90, 90, 2, 0, 0, 7]) + short(40000) + bytes([1]) + picture(0, 60, 60) + READ + answer()
    return seeds


# ---- capi: calls ------------------------------------------------------------------------------------------------------

SESSION = bytes([1, 5])  # the first that is alive


def opened(source=0, slot=0, how=0, block=b""):
    return bytes([0, source, slot, how]) + block + bytes([0])


def made(options=0, slot=0, how=0, block=b"", model=0):
    return bytes([4, model, 5, slot, options, 6, how]) + block + bytes([0])


def add(words, role=0):
    return bytes([8]) + SESSION + bytes([role]) + text(words) + bytes([0, 5])


def capis():
    shown = bytes([10]) + SESSION + bytes([2, 0, 5])
    framed = bytes([11]) + SESSION + bytes([20, 16, 4, 0, 0, 0, 0, 0, 9, 0])
    following = bytes([13]) + SESSION + bytes([0, 0])
    stats = bytes([18]) + SESSION + bytes([0, 0])
    answered = bytes([15]) + SESSION + bytes([0])
    block = bytes([0, 0, 1])   # shift: no, times nothing; filled
    start = opened() + made()
    calm = bytes([0, 0])
    inside = lambda *calls: bytes([len(calls)]) + b"".join(calls) + bytes([0])
    cancel, reset = bytes([16]) + SESSION, bytes([17]) + SESSION + bytes([0])
    free_session, free_model = bytes([6]) + SESSION, bytes([2]) + bytes([0, 5])
    seeds = {
        "ask": start + add("What?") + following * 5 + stats,
        "show": start + shown + add("What?") + following * 4 + stats,
        "frame": start + framed + add("What?") + following * 4 + add("And?") + following * 3,
        "embed": start + shown + bytes([12]) + SESSION + bytes([0]) + add("a") + following * 3,
        "answer": start + add("What?") + answered + calm * 8 + stats,
        "alone": opened(7) + made(1) + add("What?") + shown + following * 4,
        "blocks": opened(0, 0, 3, bytes([0, 0]) + block) + made(0, 0, 3, bytes([0, 0]) + block) + add("a") + following * 3 +
        free_session + free_model + add("b"),
        "small": opened(0, 0, 4, short(900) + block) + opened() + made(0, 0, 5, short(9000) + block),
        "settings": start + b"".join(bytes([7]) + SESSION + bytes([n, 7]) for n in range(0, 24, 2)) + add("a") + following * 3,
        "cancel": start + add("a") + cancel + following * 4 + reset + add("b") + following * 2,
        "busy": start + add("a") + answered + inside(add("b"), reset) + inside(free_session, cancel) + calm * 4 + following,
        "open-inside": start + add("a") + answered + inside(opened(0, 1), made(0, 1, 0, b"", 1)) + inside(free_model, stats) + calm * 4,
        "plan": opened() + b"".join(bytes([3, 0, 5, n, 6, 0, 0]) for n in range(16)),
        "order": made() + start + following + free_model + free_session + free_model + following + made(),
        "need": b"".join(bytes([1, n, 0]) for n in range(16)),
        "trifles": bytes([19]) + bytes(8) + bytes([1]) + SESSION + bytes([9]),
        "long": start + b"".join(add("a few words more ") for _ in range(12)) + following * 3 + stats,
    }
    return seeds


for target, seeds in {
    "gguf": ggufs(), "image": images(), "tokenizer": tokenizers(), "template": templates(), "checkpoint": checkpoints(),
    "model": models(), "session": sessions(), "capi": capis(),
}.items():
    save(target, seeds)
    print(target, len(seeds), "inputs,", sum(map(len, seeds.values())), "bytes")
