"""Training ConsistentID: from a built set and frozen models to a file that the nodes load.

``python -m consistentid_core.training CONFIG`` trains; docs/training.md says how. ComfyUI supplies the frozen models
as :mod:`.frozen` wants them (``nodes/training``); nothing here knows it.

A run on its way: :mod:`.config` reads the settings, :mod:`.run` puts everything together, :mod:`.initialise` makes the
networks of :mod:`.modules`, :mod:`.memory` asks whether they fit, and :mod:`.trainer` goes from step to step. A step:
:mod:`.draws` says what is random, :mod:`.items` prepares portraits, :mod:`.step` computes :mod:`.losses`, while
:mod:`.attention` lets the networks act in the UNet. What remains of it: :mod:`.state` on the disk, :mod:`.metrics` and
:mod:`.validation` as curves, :mod:`.ema` as an average.
"""
