"""Numerical core of ConsistentID; imports no ComfyUI module."""

from .attention import add_id_attention, lora_delta, lora_weights
from .checkpoint import Checkpoint, load_checkpoint, recognise
from .facial_encoder import FacialEncoder
from .id_key_values import IDKeyValueProjection
from .projection import IDProjection
from .unet_layers import AttentionLayer, attention_layers

__all__ = [
    "AttentionLayer",
    "Checkpoint",
    "FacialEncoder",
    "IDKeyValueProjection",
    "IDProjection",
    "add_id_attention",
    "attention_layers",
    "load_checkpoint",
    "lora_delta",
    "lora_weights",
    "recognise",
]
