"""Building training data: photos become portraits with part masks, captions and face vectors.

``python -m consistentid_core.data build IN OUT`` builds, ``check OUT`` says what training would use.
The steps and the folders are those of the original's FGID set (SPEC 7.2), so that files of either side
load on the other; for large sets the same portraits go into shards.

A portrait on its way: :mod:`.sources` lists and reads photos, :mod:`.steps` parse, caption and recognise,
a store (:mod:`.folder_store`, :mod:`.shard_store`) keeps the result. :mod:`.build` runs them in one process,
:mod:`.ray_engine` on many; :mod:`.reading` gives the portraits back to training.
"""
