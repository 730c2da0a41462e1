"""Training ConsistentID: from a built set and frozen models to a file that the nodes load.

``python -m consistentid_core.training CONFIG`` trains; docs/training.md says how. ComfyUI supplies the frozen models
as :mod:`.frozen` wants them (``nodes/training``); nothing here knows it.

A run on its way: :mod:`.config` reads the settings, :mod:`.run` puts everything together, :mod:`.initialise` makes the
networks of :mod:`.modules`, :mod:`.memory` asks whether they fit, :mod:`.same_run` whether the run in the folder is
this one, and :mod:`.trainer` goes from step to step.

A step: :mod:`.batches` reads ahead what :mod:`.draws` chose, :mod:`.items` prepares portraits, :mod:`.encoders` looks
up in :mod:`.cache` what the frozen models say of them, :mod:`.step` computes :mod:`.losses`, while :mod:`.attention`
lets the networks act in the UNet, as long as :mod:`.hooks` keeps them on it, and :mod:`.updates` changes the weights.

What remains of it: :mod:`.state` on the disk, of which :mod:`.keeping` lets the newest and the :mod:`.best` stay,
:mod:`.metrics` and :mod:`.validation` as curves, :mod:`.ema` as an average; and to look at, :mod:`.gallery` with
:mod:`.pictures` and :mod:`.attention_maps`.
"""
