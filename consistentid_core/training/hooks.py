"""What hangs on the frozen UNet while a run goes on, and taking it off for a while."""

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from .attention import TrainedAttention, attached
from .config import TrainingConfig
from .frozen import FrozenModels
from .modules import TrainedModules
from .step import layers_to_capture


class Hooks:
    """The trained networks' hooks on the UNet, and gradient checkpointing if it is configured."""

    def __init__(
        self,
        config: TrainingConfig,
        frozen: FrozenModels,
        modules: TrainedModules,
        recomputed: Callable[[], AbstractContextManager[None]],
    ):
        """recomputed: switches gradient checkpointing of the UNet on."""
        self._config, self._frozen, self._modules, self._recomputed = config, frozen, modules, recomputed
        self._stack = ExitStack()
        self._attention: TrainedAttention | None = None

    @property
    def attention(self) -> TrainedAttention:
        """What the networks do in the UNet; there while the hooks are on it."""
        if self._attention is None:
            raise RuntimeError("A Trainer trains inside its 'with' block only.")
        return self._attention

    def put_on(self) -> None:
        """Let the networks act in the UNet."""
        captured = layers_to_capture(self._frozen.layers, self._config)
        self._attention = self._stack.enter_context(self._attached(captured))
        if self._config.gradient_checkpointing:
            self._stack.enter_context(self._recomputed())

    def take_off(self) -> None:
        """Leave the UNet as it was."""
        self._attention = None
        self._stack.close()

    @contextmanager
    def off(self) -> Iterator[None]:
        """The UNet as it was, for as long as the block lasts."""
        self.take_off()
        try:
            yield
        finally:
            self.put_on()

    @contextmanager
    def capturing(self, captured: Collection[int]) -> Iterator[TrainedAttention]:
        """The networks act, and the attention of these layers is captured; for looking at, not for training."""
        with self.off(), self._attached(captured) as attention:
            yield attention

    def _attached(self, captured: Collection[int]) -> AbstractContextManager[TrainedAttention]:
        frozen = self._frozen
        return attached(frozen.unet_module, frozen.layers, self._modules.adapters, captured)
