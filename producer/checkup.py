"""`copydesk doctor`: each part is tried for real; what fails says how to mend it."""

import importlib.util
import shutil
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from copydesk import settings as copydesk_settings
from copydesk.engine import choosing, models
from copydesk.errors import CopydeskError
from copydesk.settings import Settings
from copydesk.store import Database, drafts, products

PACKAGES = {
    "transformers": ("torch", "transformers"),
    "openvino": ("openvino-genai",),
    "vllm": ("vllm",),
    "openai": ("httpx2",),
}
"""What each backend needs installed."""


@dataclass(frozen=True, slots=True)
class Check:
    """One part: what was found, and what to do about it ("" when it is well)."""

    part: str
    found: str
    remedy: str = ""


def all_checks() -> list[Check]:
    """Every check, in the order in which one would mend them."""
    try:
        settings = copydesk_settings.load()
    except CopydeskError as error:
        return [Check("settings", "wrong", str(error))]
    checks: list[Callable[[Settings], Check]] = [database, model, engine, flower, nightly]
    own = [check(settings) for check in checks]
    return [Check("settings", f"data in {settings.data_dir.resolve()}"), *own, broker(), broker_safety(), worker()]


def database(settings: Settings) -> Check:
    try:
        opened = Database(settings.database)
        opened.check()
        with opened.read() as connection:
            waiting = drafts.open_ones(connection)
        opened.close()
    except CopydeskError as error:
        return Check("database", "not usable", str(error))
    return Check("database", f"{opened}, {waiting} drafts to write")


def broker() -> Check:
    from tasks import bells

    try:
        return Check("broker", f"answers, {bells.queued()} chunks queued")
    except bells.BrokerAway as error:
        return Check("broker", str(error), "start it (`copydesk up` has one) or set COPYDESK_BROKER_URL")


def broker_safety() -> Check:
    from tasks import bells

    try:
        kept = bells.durability()
    except bells.BrokerAway:
        return Check("broker safety", "unknown", "start the broker first")
    wrong = [f"{name} {value}" for name, value in kept.items() if value != bells.SAFE[name]]
    remedy = f"set {', '.join(f'{name} {value}' for name, value in bells.SAFE.items())} in its configuration"
    return Check("broker safety", ", ".join(wrong) or "append-only file, no eviction", remedy if wrong else "")


def worker() -> Check:
    from tasks import bells

    try:
        listening = bells.listening_workers()
    except bells.BrokerAway:
        return Check("worker", "unknown", "start the broker first")
    remedy = "" if listening else "start one: `copydesk up`, or celery -A workers.main worker"
    return Check("worker", ", ".join(listening) or "none listens", remedy)


def model(settings: Settings) -> Check:
    if settings.engine in ("scripted", "openai"):
        return Check("model", f"{settings.model if settings.engine == 'openai' else 'none'}: no file of it is needed")
    try:
        return Check("model", f"{settings.model} at {models.resolve(settings.model, settings.models)}")
    except CopydeskError as error:
        return Check("model", settings.model, str(error))


def engine(settings: Settings) -> Check:
    if settings.engine == "scripted":
        return Check("engine", "scripted: it writes no real copy", "unset COPYDESK_ENGINE")
    try:
        chosen = choosing.choices(settings)[0]
    except CopydeskError as error:
        return Check("engine", "unknown", str(error))
    packages = PACKAGES[chosen.backend]
    missing = [name for name in packages if importlib.util.find_spec(name.replace("-", "_")) is None]
    if missing:
        remedy = f"pip install '.[{choosing.EXTRAS[chosen.backend]}]' (a machine that only asks for work needs none)"
        return Check("engine", f"{chosen.backend} ({chosen.why}): {' and '.join(missing)} not installed", remedy)
    installed = ", ".join(f"{name} {version(name)}" for name in packages)
    where = settings.openai.base_url if chosen.backend == "openai" else gpus()
    return Check("engine", f"{chosen.backend}: {chosen.why}; {installed}, {where}")


def gpus() -> str:
    """What the NVIDIA driver lists; asking torch would load it."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return "no NVIDIA GPU: it runs on the CPU"
    try:
        listed = subprocess.run([program, "--list-gpus"], capture_output=True, text=True, check=False, timeout=20)
    except subprocess.TimeoutExpired:
        return "nvidia-smi does not answer"
    return f"{len(listed.stdout.splitlines())} NVIDIA GPU(s)"


def flower(settings: Settings) -> Check:
    try:
        installed = version("flower")
    except PackageNotFoundError:
        return Check("flower", "not installed", "pip install '.[flower]'")
    try:
        socket.create_connection(("127.0.0.1", settings.flower_port), timeout=2).close()
    except OSError:
        remedy = "start it: `copydesk up`, or celery -A tasks.app flower"
        return Check("flower", f"{installed} does not listen on port {settings.flower_port}", remedy)
    return Check("flower", f"{installed} listens on port {settings.flower_port}")


def nightly(settings: Settings) -> Check:
    if not settings.nightly.shops:
        return Check("nightly", "no shops: set nightly.shops to refresh them by night")
    from tasks import schedule

    try:
        schedule.parsed(settings.nightly)
        opened = Database(settings.database)
        with opened.read() as connection:
            for shop in settings.nightly.shops:
                products.find_shop(connection, shop)
        opened.close()
    except CopydeskError as error:
        return Check("nightly", settings.nightly.cron, str(error))
    return Check(
        "nightly", f"{', '.join(settings.nightly.shops)} at {settings.nightly.cron} {settings.nightly.timezone}"
    )
