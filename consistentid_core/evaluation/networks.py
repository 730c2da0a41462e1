"""The networks of an evaluation, each loaded once from the file it was given."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ..faces.bisenet import BiSeNet, load_weights
from ..files.resolve import find_face_models
from ..identity.face_analysis import open_face_analyser
from ..identity.providers import AUTO
from .checksums import STAND_IN, Network, says_stand_in, sha256_of
from .clip import ClipEncoder, load_clip
from .dino import DinoEncoder, load_dino
from .inception import InceptionEncoder, load_inception
from .perceptual import Perceptual, load_perceptual
from .recognisers import BGR, RGB, FaceDetector, Recogniser, face_detector, is_conditioner, load_recogniser


@dataclass(frozen=True)
class Files:
    """Where the networks are; what is not given is not computed.

    insightface: folder that holds buffalo_l, for finding faces; its recogniser judges too.
    recognisers: further ONNX files.  bgr_recognisers: those that were trained on BGR (AdaFace).
    face_parser: BiSeNet.  dino, clips: folders.
    inception: torch-fidelity's file.  lpips: torchvision's AlexNet.
    """

    insightface: Path | None = None
    recognisers: tuple[Path, ...] = ()
    bgr_recognisers: tuple[Path, ...] = ()
    face_parser: Path | None = None
    dino: Path | None = None
    clips: tuple[Path, ...] = ()
    inception: Path | None = None
    lpips: Path | None = None
    device: str = "cpu"
    provider: str = AUTO


@dataclass
class Networks:
    """The networks themselves; any may be missing, and each may be another object of the same form.

    detector_sha256: names the detector, for what is kept of it.  used: what stands in the result.
    conditioners: names of the recognisers that the pictures are conditioned on, which flatter them.
    """

    detect: FaceDetector | None = None
    detector_sha256: str = ""
    recognisers: Sequence[Recogniser] = ()
    parse: Callable[[Any], Any] | None = None
    parser_sha256: str = ""
    dino: DinoEncoder | None = None
    clips: Sequence[ClipEncoder] = ()
    inception: InceptionEncoder | None = None
    perceptual: Perceptual | None = None
    used: list[Network] = field(default_factory=list)
    conditioners: set[str] = field(default_factory=set)


def load_networks(files: Files) -> Networks:
    """Load what is given. Raises MissingModelError, CheckpointError or MissingDependencyError."""
    networks = Networks()
    device = torch.device(files.device)

    def note(role: str, one: Any, path: Path) -> Any:
        """Names a network in the result; one from a folder called stand-in says so wherever it is named."""
        if says_stand_in(str(path)) and not says_stand_in(one.name):
            one.name = f"{STAND_IN} {one.name}"
        networks.used.append(Network(role, one.name, one.sha256))
        return one

    recognisers: list[tuple[Recogniser, Path]] = []
    if files.insightface is not None:
        detector, conditioner = find_face_models([files.insightface])
        analyser = open_face_analyser(detector, conditioner, files.provider, device)
        networks.detect, networks.detector_sha256 = face_detector(analyser), sha256_of(detector)
        note("face detector", _Named(detector.stem, networks.detector_sha256), detector)
        recognisers.append((load_recogniser(conditioner, files.provider, device), conditioner))
    for colours, paths in ((RGB, files.recognisers), (BGR, files.bgr_recognisers)):
        recognisers += [
            (load_recogniser(path, files.provider, device, colours=colours), path) for path in paths
        ]
    for one, path in _told_apart(recognisers):
        conditions = is_conditioner(one)
        role = "face recogniser, the one that conditions" if conditions else "face recogniser"
        networks.recognisers = [*networks.recognisers, note(role, one, path)]
        networks.conditioners |= {one.name} if conditions else set()
    if (parser := files.face_parser) is not None:
        networks.parse, networks.parser_sha256 = _parser(parser, device), sha256_of(parser)
        note("face parser", _Named(parser.stem, networks.parser_sha256), parser)
    if files.dino is not None:
        networks.dino = note("DINO", load_dino(files.dino).to(device), files.dino)
    clips = [(load_clip(folder, files.device), folder) for folder in files.clips]
    networks.clips = [note("CLIP", clip, folder) for clip, folder in _told_apart(clips)]
    if files.inception is not None:
        networks.inception = note("Inception", load_inception(files.inception, files.device), files.inception)
    if files.lpips is not None:
        networks.perceptual = note(
            "AlexNet of LPIPS", load_perceptual(files.lpips, files.device), files.lpips
        )
    return networks


@dataclass
class _Named:
    name: str
    sha256: str


def _told_apart(networks: list[tuple[Any, Path]]) -> list[tuple[Any, Path]]:
    """Scores are kept by name: the same file once, and no two files of one name."""
    by_content = {one.sha256: (one, path) for one, path in networks}
    names = [one.name for one, _ in by_content.values()]
    for one, _ in by_content.values():
        if names.count(one.name) > 1:
            one.name = f"{one.name} {one.sha256[:6]}"
    return list(by_content.values())


def _parser(path: Path, device: torch.device) -> Callable[[Any], Any]:
    from ..faces.bisenet import parse_picture

    network = BiSeNet()
    network.load_state_dict(load_weights(path))
    network.train(False).to(device)
    return lambda picture: parse_picture(network, picture)
