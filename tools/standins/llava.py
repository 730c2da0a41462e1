"""A LLaVA 1.5 of a few hundred kilobytes with random weights, in transformers' layout.

Configuration, processor and weights are saved by transformers itself, so everything that
loads the released model loads this one. Its sentences are random words.
"""

from pathlib import Path

import torch

_TEXT = (
    "USER : ASSISTANT Please describe Describe the this person ' s people in image including their gender "
    "age clothing facial expressions features for me and any other distinguishing , . "
    "face ears eyes nose mouth has with a an one two of is are young old woman man round oval small large "
    "straight curly brown blue green hair skin lips eyebrows cheeks chin wide narrow full thin smiling calm"
)
_SPECIAL = ("<unk>", "<s>", "</s>", "<pad>", "<image>")

_IMAGE_SIZE, _PATCH = 56, 14
_WIDTH = 64
_CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['role'].upper() }}: "
    "{% for part in message['content'] %}{{ '<image>\n' if part['type'] == 'image' else part['text'] }}"
    "{% endfor %} {% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)


def write(folder: Path, *, seed: int = 0) -> Path:
    """Write the model and its processor into ``folder``; returns the folder."""
    from transformers import LlavaForConditionalGeneration

    folder = Path(folder)
    processor = _processor()
    config = _config(processor.tokenizer)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlavaForConditionalGeneration(config)
    model.config.standin = "random weights"
    processor.save_pretrained(folder)
    model.save_pretrained(folder)
    return folder


def _processor():
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from tokenizers.processors import TemplateProcessing
    from transformers import CLIPImageProcessor, LlavaProcessor, PreTrainedTokenizerFast

    vocabulary = {word: index for index, word in enumerate(dict.fromkeys((*_SPECIAL, *_TEXT.split())))}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Split(Regex(r"[.,:']"), behavior="isolated"),
        ]
    )
    # The released tokenizer puts a start token before every prompt, too.
    words.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", vocabulary["<s>"])])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        additional_special_tokens=["<image>"],
    )
    size = {"height": _IMAGE_SIZE, "width": _IMAGE_SIZE}
    return LlavaProcessor(
        image_processor=CLIPImageProcessor(size={"shortest_edge": _IMAGE_SIZE}, crop_size=size),
        tokenizer=tokenizer,
        patch_size=_PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=_CHAT_TEMPLATE,
    )


def _config(tokenizer):
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig

    # Random numbers large enough that the next word depends on the picture and the words before.
    spread = 0.3
    return LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=_WIDTH,
            intermediate_size=2 * _WIDTH,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=_IMAGE_SIZE,
            patch_size=_PATCH,
            projection_dim=_WIDTH,
            initializer_range=spread,
        ),
        text_config=LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=_WIDTH,
            intermediate_size=2 * _WIDTH,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            max_position_embeddings=2048,
            initializer_range=spread,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        ),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=(_IMAGE_SIZE // _PATCH) ** 2,
        initializer_range=spread,
    )
