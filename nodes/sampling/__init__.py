"""What happens while a model samples: the ID attention and the LoRA.

The life of a model call, from a sampler that starts to a block that has read the ID tokens:

1. Apply ConsistentID cloned the model, merged the LoRA (``lora``) and put two wrappers on it (``id_patch``).
2. The sampler starts. ``roles.record_roles`` (SAMPLER_SAMPLE) notes by uuid which conditioning shows whom, in a
   ``Roles`` that travels in the transformer options of this run, with the caches of the run (``run_caches``).
3. The host batches some conditionings and calls the model; ``IDAttentionPatch`` (APPLY_MODEL) is called in between.
4. It asks the roles which chunk of the batch shows whom, and which part of the picture or window it is
   (``spatial_mask.window_of``).
5. First call of that layout only: keys and values are laid out like the batch (``id_layout``), with range, curves
   and stages as tables over the noise level (``schedule``); the mask is brought to the latents
   (``spatial_mask.batch_mask``) and to the size of every feature map (``places``).
6. Every call: the schedule scales the values for the noise level of this step, in place and on the device. Nothing
   is read back, nothing else is computed.
7. The options are copied, and in the copy each block gets an ``IDAttention`` (``id_attention``) around whatever
   replaced its attention before. Other packs' objects are called, never changed.
8. The UNet runs. Each block reads the text as before, then the ID tokens with the same queries; the reading is
   shaped by leak control and mask, and added. Where another pack coupled prompts by region inside the layer, the
   rows are repeated as it repeated the batch.
9. The run ends; roles, layouts and places go with its options. Model, node and guider hold nothing.
"""
