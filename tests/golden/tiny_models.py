"""Tiny models with random weights that behave like real ones, and their tokenizers.

A freshly initialised transformer hardly attends: its attention is uniform and its output copies the
last token, so a wrong mask or a wrong position goes unnoticed. The weights here keep the variance
(N(0, 1/fan_in)), sharpen attention (query and key x1.5), make the blocks louder than the residual
(output and down projection x2.5, x5 where the embedding is tied), spread the norms (1 +- 0.1) and
the biases (0.05), and scale the head so that the logits' standard deviation is about 3.
"""

import json
import math
from pathlib import Path

import sentencepiece
import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
)
from transformers.models.smolvlm.configuration_smolvlm import SmolVLMVisionConfig

CORPUS = [
    "The red lamp on the panel is lit and the needle of the gauge points to forty two.",
    "How many lamps are lit? There are three lamps: two green ones and a yellow one.",
    "What is the number on the display? The display shows 1234.5 and the label says PUMP.",
    "Describe the picture. A small square is above the large circle, left of the blue box.",
    "The user asks a question about the image and the assistant answers the question.",
    "It's 12:30 and the machine isn't running; they've said we'll see what it does.",
    "Ein Zeiger steht auf null. Une lampe est rouge. Тест 世界 café naïve.",
]
CHATML = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SMOLVLM = (
    "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}"
    "{% if message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
QWEN_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
IMAGE_TOKENS = ["<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>"] + [
    f"<row_{row}_col_{col}>" for row in range(1, 7) for col in range(1, 7)
]


def byte_bpe(kind: str, first: list[str], last: list[str], merges: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE trained on the corpus; `kind` picks the pre-tokenizer (smollm or qwen2)."""
    tokenizer = Tokenizer(models.BPE())
    if kind == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
        split = pre_tokenizers.Split(Regex(QWEN_SPLIT), behavior="isolated")
        level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, level])
    else:
        digits = pre_tokenizers.Digits(individual_digits=True)
        level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, level])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=len(first) + 256 + merges, special_tokens=first, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS * 4, trainer)
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in last])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, clean_up_tokenization_spaces=False)


def smollm_tokenizer(image_tokens: bool) -> PreTrainedTokenizerFast:
    first = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer = byte_bpe("smollm", first, IMAGE_TOKENS if image_tokens else [], 33 if image_tokens else 41)
    end = "<end_of_utterance>" if image_tokens else "<|im_end|>"
    tokenizer.add_special_tokens({"bos_token": "<|im_start|>", "eos_token": end, "pad_token": "<|im_end|>"})
    tokenizer.unk_token = "<|endoftext|>"
    tokenizer.chat_template = SMOLVLM if image_tokens else CHATML
    return tokenizer


def qwen2_tokenizer() -> PreTrainedTokenizerFast:
    tokenizer = byte_bpe("qwen2", [], ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], 41)
    tokenizer.add_special_tokens({"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"})
    tokenizer.chat_template = CHATML
    return tokenizer


def sentencepiece_model(folder: Path, size: int) -> sentencepiece.SentencePieceProcessor:
    """Vicuna's kind: BPE by score with byte fallback, a dummy prefix, `<image>` and `<pad>` added behind it."""
    folder.mkdir(parents=True, exist_ok=True)
    sentencepiece.SentencePieceTrainer.Train(
        sentence_iterator=iter(CORPUS * 4),
        model_prefix=str(folder / "tokenizer"),
        model_type="bpe",
        vocab_size=size,
        byte_fallback=True,
        character_coverage=0.98,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        split_digits=True,
        minloglevel=2,
    )
    added = {"<image>": size, "<pad>": size + 1}
    config = {
        "tokenizer_class": "LlamaTokenizer",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "pad_token": "<pad>",
        "add_bos_token": True,
        "add_eos_token": False,
        "added_tokens_decoder": {str(i): {"content": text, "special": True} for text, i in added.items()},
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))


def fill(model: torch.nn.Module, seed: int, tied: bool) -> None:
    """Every parameter from one generator, in the order of `named_parameters`, by the rules above."""
    generator = torch.Generator().manual_seed(seed)
    loud = 5.0 if tied else 2.5
    for name, value in model.named_parameters():
        noise = torch.randn(value.shape, generator=generator)
        if name.endswith("class_embedding"):
            new = noise
        elif value.ndim == 1:
            new = noise * 0.05 if name.endswith("bias") else 1.0 + 0.1 * noise
        elif "position_embedding" in name:
            new = noise * 0.7
        elif "embed_tokens" in name:
            new = noise * (3.0 / math.sqrt(value.shape[1]) if tied else 1.0)
        elif "lm_head" in name:
            new = noise * 3.0 / math.sqrt(value.shape[1])
        else:
            new = noise / math.sqrt(value[0].numel()) * scale(name, loud)
        value.data = new.contiguous()
    model.eval()


def scale(name: str, loud: float) -> float:
    if "q_proj" in name or "k_proj" in name:
        return 1.5
    if "o_proj" in name or "down_proj" in name:
        return loud
    return 1.5 if "out_proj" in name or "fc2" in name else 1.0


def text_config(vocabulary: int, heads: int = 4, kv_heads: int = 2, hidden: int = 64, **more) -> dict:
    config = {
        "vocab_size": vocabulary,
        "hidden_size": hidden,
        "intermediate_size": 96 if hidden == 64 else 256,
        "num_hidden_layers": 2,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "head_dim": hidden // heads,
        "max_position_embeddings": 2048,
        "rms_norm_eps": 1e-5,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
        "tie_word_embeddings": False,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "attn_implementation": "eager",
    }
    return config | more


def llama(vocabulary: int, seed: int, **more) -> LlamaForCausalLM:
    config = LlamaConfig(**text_config(vocabulary, **more))
    model = LlamaForCausalLM(config).float()
    fill(model, seed, config.tie_word_embeddings)
    return model


def qwen2(vocabulary: int, seed: int, **more) -> Qwen2ForCausalLM:
    theta = {"rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0}, "rms_norm_eps": 1e-6}
    settings = text_config(vocabulary, **(theta | more))
    settings.pop("head_dim")
    config = Qwen2Config(use_sliding_window=False, **settings)
    model = Qwen2ForCausalLM(config).float()
    fill(model, seed, config.tie_word_embeddings)
    return model


def smolvlm(vocabulary: int, image_token: int, seed: int, factor: int) -> SmolVLMForConditionalGeneration:
    """Pixel shuffle by `factor`: tiles of 32 (16 patches, 4 tokens) for 2, of 48 (36 patches, 4 tokens) for 3."""
    wide = factor == 2
    vision = SmolVLMVisionConfig(
        hidden_size=64 if wide else 32,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4 if wide else 2,
        image_size=16 * factor,
        patch_size=8,
        layer_norm_eps=1e-6,
        attn_implementation="eager",
    )
    text = LlamaConfig(**text_config(vocabulary, rope_parameters={"rope_type": "default", "rope_theta": 100000.0}))
    config = SmolVLMConfig(
        vision_config=vision.to_dict(),
        text_config=text.to_dict(),
        scale_factor=factor,
        image_token_id=image_token,
        tie_word_embeddings=False,
        attn_implementation="eager",
    )
    model = SmolVLMForConditionalGeneration(config).float()
    fill(model, seed, False)
    return model


def llava(text: LlamaForCausalLM, image_token: int, seed: int) -> LlavaForConditionalGeneration:
    """A CLIP tower of three blocks read at layer -2, in front of the weights of `text`."""
    vision = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=96,
        num_hidden_layers=3,
        num_attention_heads=2,
        image_size=32,
        patch_size=8,
        projection_dim=64,
        hidden_act="quick_gelu",
        attn_implementation="eager",
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text.config,
        image_token_index=image_token,
        projector_hidden_act="gelu",
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
        tie_word_embeddings=False,
        attn_implementation="eager",
    )
    model = LlavaForConditionalGeneration(config).float()
    fill(model, seed, False)
    for name, value in model.named_parameters():  # stored as F16 in real files: make that exact
        if value.ndim == 4 or "linear_" in name and value.ndim == 2:
            value.data = value.data.half().float()
    model.model.language_model.load_state_dict(text.model.state_dict())
    model.lm_head.load_state_dict(text.lm_head.state_dict())
    return model
