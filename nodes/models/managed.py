"""Networks of the core under ComfyUI's memory manager.

A network is built on the offload device with casting layers, so that the host can
keep it in any dtype, load it in full or in part, and move it away again.
"""

from collections.abc import Callable, Mapping

import comfy.model_management
import comfy.model_patcher
import torch

from ..host.older import casting_layers, unload


class ManagedNetwork:
    """One network in a ModelPatcher; ask for :meth:`loaded` right before each use."""

    def __init__(self, network: torch.nn.Module, patcher: comfy.model_patcher.ModelPatcher):
        self._network = network
        self.patcher = patcher

    @property
    def device(self) -> torch.device:
        """Where inputs of the network belong."""
        return self.patcher.load_device

    def loaded(self) -> torch.nn.Module:
        """The network, brought to its device by the memory manager."""
        comfy.model_management.load_model_gpu(self.patcher)
        return self._network

    def unload(self) -> None:
        """Give the memory of its device back at once, where it is not needed again soon."""
        unload(self.patcher)


def manage(build: Callable[..., torch.nn.Module], state_dict: Mapping[str, torch.Tensor]) -> ManagedNetwork:
    """Build a network and fill it with weights that were checked before.

    build: called with ``operations``, ``device`` and ``dtype`` keywords.
    """
    offload_device = comfy.model_management.unet_offload_device()
    network = build(
        operations=casting_layers, device=offload_device, dtype=next(iter(state_dict.values())).dtype
    )
    network.train(False)
    # CoreModelPatcher is looked up at call time: the host rebinds it at start-up.
    patcher = comfy.model_patcher.CoreModelPatcher(
        network,
        load_device=comfy.model_management.get_torch_device(),
        offload_device=offload_device,
    )
    network.load_state_dict(dict(state_dict), assign=patcher.is_dynamic())
    return ManagedNetwork(network, patcher)
