"""Stand-in weights: true architecture, key names, shapes and dtype, random values.

The released weights cannot be shipped; these let everything but the picture be real.
"""
