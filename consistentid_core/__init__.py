"""Numerical core of ConsistentID; imports no ComfyUI module."""

from .networks.attention import add_id_attention, lora_delta, lora_weights
from .networks.checkpoint import Checkpoint, load_checkpoint, recognise
from .networks.facial_encoder import FacialEncoder
from .networks.id_key_values import IDKeyValueProjection
from .networks.projection import IDProjection
from .networks.unet_layers import AttentionLayer, attention_layers

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
