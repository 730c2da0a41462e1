"""Numerical core of ConsistentID; imports no ComfyUI module."""

from .attention import add_id_attention, id_matrices, lora_delta, lora_weights, project_id_tokens
from .checkpoint import Checkpoint, load_checkpoint, recognise
from .facial_encoder import FacialEncoder
from .projection import IDProjection
from .unet_layers import AttentionLayer, attention_layers

__all__ = [
    "AttentionLayer",
    "Checkpoint",
    "FacialEncoder",
    "IDProjection",
    "add_id_attention",
    "attention_layers",
    "id_matrices",
    "load_checkpoint",
    "lora_delta",
    "lora_weights",
    "project_id_tokens",
    "recognise",
]
