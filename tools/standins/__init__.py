"""Stand-ins for the released weights: the true architectures, filled with random numbers.

A stand-in has the key names, shapes and dtype of the file it replaces, so everything
that loads, checks, moves and multiplies weights runs for real. What comes out is noise.
"""
