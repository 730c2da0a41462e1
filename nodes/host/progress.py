"""A node's progress bar and the user's wish to stop."""

from collections.abc import Callable

import comfy.model_management
import comfy.utils


def photo_progress(photos: int) -> Callable[[int], None]:
    """To be called before each photo and after the last with how many are done; raises when the user cancels."""
    progress = comfy.utils.ProgressBar(photos)

    def on_photo(done: int) -> None:
        comfy.model_management.throw_exception_if_processing_interrupted()
        progress.update_absolute(done)

    return on_photo
