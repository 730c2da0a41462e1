"""What the pack costs: one file per group of rows, the figures beside them; ``python tools/bench.py`` runs them.

rows         the form of a figure: a ratio, seconds, a count, bytes; medians with their spread
results      the figures of one model family on one device, as JSON in ``results/``
table        these figures as the table of README.md, and as the sentence of the repository's own
run          one group, in a process of its own
device       time, memory, operations and kernel launches, on the CPU or a graphics card
stopwatch    how long named functions take within something larger
model_call   one UNet call as a real sampling run makes it
adapter      the nodes of the pack, the adapter, a made-up person
groups       which groups there are; a further one (data building, a training step, likeness) is a file with
             ``measure(job)`` and a line there
learning     not what it costs but whether training learns: an experiment with a command of its own
"""
