"""The groups of rows. Each is a module with ``measure(job)``, which returns its rows by name."""

#: Name -> title in the table, in its order. The module has the same name.
GROUPS = {
    "step": "A sampling step",
    "lora": "Merging the LoRA",
    "person": "A new photo, a changed prompt",
    "first_step": "From queueing to the first step, on a server",
    "startup": "Start-up",
    "data": "Building training data, a portrait",
    "evaluation": "Scoring pictures",
    "training": "A training step",
    "epoch": "An epoch of training, with and without a cache",
}
