"""Evaluation: jobs of a protocol, pictures from ComfyUI servers, metrics, reports (docs/evaluation.md).

Judges what models make and never imports training.
"""
