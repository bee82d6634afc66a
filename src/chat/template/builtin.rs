//! Templates for files that have none. Each is written from the published format of its family.

use ocelli_gguf::Gguf;

use crate::tokenizer::Tokenizer;

/// A built-in template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Builtin {
    /// SmolVLM: `<|im_start|>User: ...<end_of_utterance>\nAssistant:`; no space after the colon before an image.
    SmolVlm,
    /// Qwen2: ChatML with a system message when the conversation has none.
    Qwen2,
    /// ChatML as it is.
    ChatMl,
    /// Vicuna v1, which LLaVA-1.5 speaks: `USER: <image>\n... ASSISTANT:`, with the system sentence of LLaVA's demo
    /// when the conversation has none.
    Vicuna,
    /// Zephyr, which TinyLlama speaks: `<|user|>\n...</s>\n<|assistant|>\n`.
    Zephyr,
    /// Llama 2: `[INST] <<SYS>> ... [/INST]`.
    Llama2,
    /// Llama 3: headers and `<|eot_id|>`.
    Llama3,
}

impl Builtin {
    /// The rule, first match wins: the tokens that only one family has (`<end_of_utterance>`: SmolVLM;
    /// `<|start_header_id|>`: Llama 3; `<|im_start|>`: ChatML, Qwen2's for architectures that begin with `qwen2`);
    /// then, for SPM vocabularies, a LLaVA projector beside the model (`mlp`) or `llava` or `vicuna` in
    /// `general.name`: Vicuna; `tinyllama` or `zephyr` in it: Zephyr; `llama` and `2` and `chat`: Llama 2.
    pub fn for_file(file: &Gguf<'_>, tokenizer: &Tokenizer, projector: Option<&str>) -> Option<Self> {
        let has = |text| tokenizer.special(text).is_some();
        let key = |key| file.optional::<&str>(key).ok().flatten().unwrap_or_default().to_ascii_lowercase();
        let (architecture, name) = (key("general.architecture"), key("general.name"));
        let named = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
        Some(match () {
            () if has("<end_of_utterance>") => Self::SmolVlm,
            () if has("<|start_header_id|>") => Self::Llama3,
            () if has("<|im_start|>") && architecture.starts_with("qwen2") => Self::Qwen2,
            () if has("<|im_start|>") => Self::ChatMl,
            () if key("tokenizer.ggml.model") != "llama" => return None,
            () if projector == Some("mlp") || named(&["llava", "vicuna"]) => Self::Vicuna,
            () if named(&["tinyllama", "zephyr"]) => Self::Zephyr,
            () if named(&["llama-2", "llama 2", "llama2"]) && named(&["chat"]) => Self::Llama2,
            () => return None,
        })
    }

    /// The template.
    pub fn source(self) -> &'static str {
        match self {
            Self::SmolVlm => SMOLVLM,
            Self::Qwen2 => QWEN2,
            Self::ChatMl => CHATML,
            Self::Vicuna => VICUNA,
            Self::Zephyr => ZEPHYR,
            Self::Llama2 => LLAMA2,
            Self::Llama3 => LLAMA3,
        }
    }
}

pub(super) const SMOLVLM: &str = "\
<|im_start|>{% for message in messages %}
{{ message.role | capitalize }}{{ ':' if message.content[0].type == 'image' else ': ' }}
{%- for item in message.content %}
{{- '<image>' if item.type == 'image' else item.text }}
{%- endfor %}<end_of_utterance>
{% endfor %}
{% if add_generation_prompt %}Assistant:{% endif %}";

const QWEN2: &str = "\
{% macro write(content) %}
{% if content is string %}
{{- content }}
{%- else %}
{% for item in content %}
{{- '<|vision_start|><|image_pad|><|vision_end|>' if item.type == 'image' else item.text }}
{%- endfor %}
{% endif %}
{% endmacro %}
{% if messages[0].role != 'system' %}
{{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}
{%- endif %}
{% for message in messages %}
{{- '<|im_start|>' ~ message.role ~ '\\n' ~ write(message.content) ~ '<|im_end|>\\n' }}
{%- endfor %}
{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

const CHATML: &str = "\
{% for message in messages %}
{{- '<|im_start|>' ~ message.role ~ '\\n' ~ message.content ~ '<|im_end|>\\n' }}
{%- endfor %}
{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

const VICUNA: &str = "\
{% if messages[0].role != 'system' %}
{{- \"A chat between a curious human and an artificial intelligence assistant. The assistant gives helpful, \
detailed, and polite answers to the human's questions. \" }}
{%- endif %}
{% for message in messages %}
{% if message.role == 'system' %}
{{- message.content ~ ' ' }}
{%- elif message.role == 'user' %}
{{- 'USER: ' ~ message.content ~ ' ' }}
{%- else %}
{{- 'ASSISTANT: ' ~ message.content ~ '</s>' }}
{%- endif %}
{% endfor %}
{% if add_generation_prompt %}ASSISTANT:{% endif %}";

const ZEPHYR: &str = "\
{% for message in messages %}
{{- '<|' ~ message.role ~ '|>\\n' ~ message.content ~ '</s>\\n' }}
{%- endfor %}
{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}";

const LLAMA2: &str = "\
{% set ns = namespace(system='') %}
{% for message in messages %}
{% if message.role == 'system' %}
{% set ns.system = '<<SYS>>\\n' ~ message.content ~ '\\n<</SYS>>\\n\\n' %}
{% elif message.role == 'user' %}
{{- bos_token ~ '[INST] ' ~ ns.system ~ message.content | trim ~ ' [/INST]' }}
{%- set ns.system = '' %}
{% else %}
{{- ' ' ~ message.content | trim ~ ' ' ~ eos_token }}
{%- endif %}
{% endfor %}";

const LLAMA3: &str = "\
{{ bos_token }}
{%- for message in messages %}
{{- '<|start_header_id|>' ~ message.role ~ '<|end_header_id|>\\n\\n' ~ message.content | trim ~ '<|eot_id|>' }}
{%- endfor %}
{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}";
