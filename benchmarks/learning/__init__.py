"""Does training teach who somebody is? An experiment that runs on a small computer and can fail; docs/learning.md.

people       who somebody is, how a picture of them was taken, and the drawing
portraits    these people as a training set, with face vectors that pictures alone decide
world        small frozen models: ComfyUI's UNet, and encoders that were never trained
base         the UNet trained on pictures and texts, without identity
experiment   ConsistentID trained on it by our trainer, with the right identities and with shuffled ones
measuring    people never seen: noise losses with several identities, and where words look
criteria     what counts as learnt
sampling, figures, report    what is shown of it
"""

#: For ComfyUI, which is used for its UNet alone.
HOST_ARGUMENTS = ("--cpu", "--disable-xformers", "--use-pytorch-cross-attention")
