#!/usr/bin/env python3
"""Small vocabularies and the ids that the reference implementations give to nasty texts.

For every pre-tokenizer: a byte-level BPE of 700 tokens is trained with Hugging Face's `tokenizers` on text that is made
below, and a SentencePiece BPE of 700 tokens with `sentencepiece`. Each becomes

    tokenizers/<name>.gguf   metadata only: the vocabulary
    tokenizers/<name>.txt    one line a text: the text as a JSON string, a tab, the ids

The ids are those of the trained tokenizer itself (with special tokens recognised), so that the reader of the GGUF is
compared with the reference, not with another reader of the same file.

    pip install tokenizers sentencepiece gguf
    python3 tests/golden/make_tokenizers.py
"""

import io
import json
import random
import unicodedata
from pathlib import Path

import gguf
import sentencepiece as spm
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

HERE = Path(__file__).resolve().parent / "tokenizers"
SIZE = 700
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6

WORDS = """the a of and to in is it you that he was for on are with as I his they be at one have this from or had by hot
but some what there we can out other were all your when up use word how said an each she which do their time if will way
about many then them would write like so these her long make thing see him two has look more day could go come did my
sound no most number who over know water than call first people may down side been now find any new work part take get
place made live where after back little only round man year came show every good me give our under name very through
gauge lamp display reads seven segment red green blue left right above below pressure temperature""".split()
SENTENCES = [
    "It's what you'd expect: they're here, we've seen them, I'll go, I'm sure, don't!",
    "L'été dernier à Zürich, señor Müller naïvely ate crème brûlée; Ærøskøbing, Łódź, Ğ.",
    "Быстрая коричневая лиса перепрыгивает через ленивую собаку.",
    "敏捷的棕色狐狸跳过了懒狗。今日は良い天気です。안녕하세요 세계",
    "مرحبا بالعالم שלום עולם नमस्ते दुनिया สวัสดีชาวโลก",
    "def f(x):\n    if x > 0:\n        return x ** 2\n\treturn [1, 22, 333, 4444]\n\n\n",
    "3.14159 1,000,000 0x1F 2024-11-21 12:34:56 50% $9.99 #1 a_b-c/d\\e",
    "👍🏽 👨‍👩‍👧‍👦 🇩🇪 ❤️ ½ ² Ⅷ ①",
]


# A token that no merge makes: it tells a tokenizer that ignores merges (llama-bpe) from one that does not (smaug-bpe).
UNMERGED = " unmerged"


def corpus():
    """About 3000 lines: random words in sentence form, and the sentences above."""
    rng = random.Random(7)
    lines = []
    for _ in range(2500):
        line = " ".join(rng.choice(WORDS) for _ in range(rng.randint(3, 14)))
        if rng.random() < 0.5:
            line = line.capitalize() + rng.choice([".", "?", "!", "...", ":\n", ";  "])
        if rng.random() < 0.3:
            line += f" {rng.randint(0, 99999)}"
        lines.append(line)
    return lines + SENTENCES * 40


SPECIALS = [  # text, kind
    ("<|endoftext|>", CONTROL),
    ("<|im_start|>", CONTROL),
    ("<|im_end|>", CONTROL),
    ("<image>", CONTROL),
    ("<tool>", USER_DEFINED),
    ("<tool>s", USER_DEFINED),  # longer than the one before: the longest wins
]


def texts():
    """Nasty texts: every kind of character, blanks of every length, contractions, specials inside text."""
    rng = random.Random(11)
    out = ["", " ", "  ", "   ", "\n", "\n\n", "\r\n", "\r", "\t", " \n", "\n ", " \r\n \n  x", "a", " a", "a ", "  a  "]
    out += SENTENCES
    out += ["'s 'S 'T 'RE 'Ve 'lL 'd 'x ' 's's", "I'M YOU'RE IT'S don'T", "it's'll", "'", "''", "'\u017f it'\u017f", "\u2019s it\u2019s"]
    out += ["x" * n for n in (2, 3, 17, 300)] + [" " * n + "x" for n in (2, 3, 4, 5, 9, 64)] + [" " * 200, "\n" * 50, "\t" * 9 + "y"]
    out += ["1" * n for n in range(1, 12)] + [" 1", " 12 345", "a1b22c333d4444", "１２３ ٣٤٥ ⅣⅤ ²³ ½¾", "1st 2nd 3.5e-7"]
    out += ["e\u0301 é", "A\u030a Å \u212b", "q\u0307\u0323 q\u0323\u0307", "한글 한글", "ﬁ ﬀ", "\u0344\u0301", "\u1100\u1161\u11a8"]
    out += ["कि क्षि", "\u0e19\u0e49\u0e33", "\u0301abc", " \u0301 x", "a\u200db", "a\u200bb", "\ufeffabc", "\u00adx", "\u2028x\u2029y"]
    out += ["\u00a0x", "x\u00a0\u00a0y", "\u3000字", "\u1680x", "\u0085x", "\x1c\x1d\x1e\x1fx", "\x0bx\x0cy", "\x00", "a\x00b", "\x7f", "\x01\x02"]
    out += ["▁", "▁▁a", " ▁ a", "a▁b", "Ġthe Ċ ġ", "<0x41>", "<0x0A>", "<unk>", "<s>", "</s>", "a</s>b"]
    out += ["<|im_start|>user\nHi<|im_end|>\n", "<image>", " <image> ", "a<image>b", "<image><image>", "<imag", "<|im_start|", "<<image>>"]
    out += ["<tool>", "<tool>s", "x<tool>sx<tool>", "<tool> s", "<|endoftext|><|endoftext|>a", "\n<|im_end|>\n", "e<tool>\u0301"]
    out += ["\U0001d400\U00020000\U000e0041", "\ue000\uf8ff", "\U0010ffff", "\ufffd", "Straße ẞ ǅ ʰ ª º", "العربيّة", "😀😁", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"]
    by_category = {}
    for code in range(0x20000):
        if 0xD800 <= code < 0xE000:
            continue
        by_category.setdefault(unicodedata.category(chr(code)), []).append(chr(code))
    # Code points of later Unicode versions have another category in each library.
    by_category.pop("Cn")
    pools = [*by_category.values(), list(" \n\t\r"), list("aeiou"), list("0123456789"), list(".,'!-")]
    for category, characters in sorted(by_category.items()):
        for _ in range(2):
            cs = [rng.choice(characters) for _ in range(4)]
            out.append(f"{cs[0]} {cs[1]}a1{cs[2]}{cs[3]}\n")
    for _ in range(160):
        out.append("".join(rng.choice(rng.choice(pools)) for _ in range(rng.randint(1, 14))))
    for _ in range(40):
        words = [rng.choice(WORDS) for _ in range(rng.randint(1, 6))]
        out.append("".join(w + rng.choice([" ", "  ", "\n", ", ", "'s ", "\t", "7", "<image>"]) for w in words))
    return out


GPT2 = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TEKKEN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
GENERIC = [r"[\p{P}\$\+<=>\^~\|]+", None, r"\p{N}+", r"[0-9][0-9][0-9]"]


def split(pattern):
    return pre_tokenizers.Split(Regex(pattern), behavior="isolated", invert=False)


def bytes_only():
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)


def gpt2_words():
    """GPT-2's rules without the byte map, so that passes can follow."""
    return split(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")


PRE = {
    "gpt-2": GPT2,
    "smollm": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), GPT2]),
    "llama-bpe": pre_tokenizers.Sequence([split(LLAMA3), bytes_only()]),
    "smaug-bpe": pre_tokenizers.Sequence([split(LLAMA3), bytes_only()]),
    "qwen2": pre_tokenizers.Sequence([split(LLAMA3.replace("{1,3}", "")), bytes_only()]),
    "tekken": pre_tokenizers.Sequence([split(TEKKEN), bytes_only()]),
    "default": pre_tokenizers.Sequence([gpt2_words() if p is None else split(p) for p in GENERIC] + [bytes_only()]),
}


def write_gguf(path, model, tokens, kinds, **more):
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model(model)
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    for name, value in more.items():
        getattr(writer, f"add_{name}")(value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def write_texts(path, encode, more=()):
    lines = [f"{json.dumps(text)}\t{' '.join(map(str, encode(text)))}\n" for text in [*texts(), *more]]
    path.write_text("".join(lines), encoding="ascii")


def byte_level(name):
    tokenizer = Tokenizer(models.BPE(ignore_merges=name in ("llama-bpe", "tekken")))
    tokenizer.pre_tokenizer = PRE[name]
    tokenizer.decoder = decoders.ByteLevel()
    if name == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    # Published vocabularies of the SmolLM family lack the bytes that never occurred; this one lacks them too.
    alphabet = [] if name == "smollm" else pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=SIZE - len(SPECIALS), initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(corpus(), trainer)
    if name == "smaug-bpe":
        state = json.loads(tokenizer.to_str())
        state["model"]["vocab"][UNMERGED.replace(" ", "Ġ")] = len(state["model"]["vocab"])
        tokenizer = Tokenizer.from_str(json.dumps(state))
    for text, kind in SPECIALS:
        added = AddedToken(text, special=kind == CONTROL, normalized=False)
        (tokenizer.add_special_tokens if kind == CONTROL else tokenizer.add_tokens)([added])
    state = json.loads(tokenizer.to_str())
    ids = tokenizer.get_vocab(with_added_tokens=True)
    tokens = sorted(ids, key=ids.get)
    kinds = [dict(SPECIALS).get(token, NORMAL) for token in tokens]
    merges = [" ".join(merge) for merge in state["model"]["merges"]]
    end = ids["<|im_end|>"]
    more = {"tokenizer_pre": name, "token_merges": merges, "bos_token_id": ids["<|endoftext|>"], "eos_token_id": end}
    write_gguf(HERE / f"{name}.gguf", "gpt2", tokens, kinds, **more)
    more_texts = [UNMERGED, f"an{UNMERGED} word"] if name == "smaug-bpe" else []
    write_texts(HERE / f"{name}.txt", lambda text: tokenizer.encode(text, add_special_tokens=False).ids, more_texts)


def sentence_piece(name, **options):
    model = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter([line.strip() for line in corpus()]), model_writer=model, model_type="bpe",
        vocab_size=SIZE, byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False,
        split_digits=True, allow_whitespace_only_pieces=True, character_coverage=0.99, num_threads=1,
        minloglevel=2, **options,
    )
    processor = spm.SentencePieceProcessor(model_proto=model.getvalue())
    tokens, scores, kinds = [], [], []
    for i in range(processor.get_piece_size()):
        tokens.append(processor.id_to_piece(i))
        scores.append(processor.get_score(i))
        kinds.append(
            UNKNOWN if processor.is_unknown(i) else CONTROL if processor.is_control(i) else BYTE
            if processor.is_byte(i) else UNUSED if processor.is_unused(i) else NORMAL
        )
    more = {"token_scores": scores, "bos_token_id": 1, "eos_token_id": 2, "unk_token_id": 0, "add_bos_token": True}
    if not options.get("add_dummy_prefix", True):
        more["add_space_prefix"] = False
    write_gguf(HERE / f"{name}.gguf", "llama", tokens, kinds, **more)
    write_texts(HERE / f"{name}.txt", lambda text: processor.encode(text))


def main():
    HERE.mkdir(exist_ok=True)
    for name in PRE:
        byte_level(name)
    sentence_piece("spm")
    sentence_piece("spm-no-prefix", add_dummy_prefix=False)


if __name__ == "__main__":
    main()
