"""The container files, checked without Docker: the schema, the secrets, the ports, and the very commands they name."""

import re
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
import yaml
from celery.bin.celery import celery as celery_cli
from check_jsonschema.builtin_schemas import get_builtin_schema
from flower.options import default_options as flower_options

from copydesk.settings import Settings

ROOT = Path(__file__).parents[3]
BASE, CPU = ROOT / "docker-compose.yml", ROOT / "docker-compose.cpu.yml"
ONE_SHOT = {"migrate", "model", "producer"}
THEIR_IMAGES = {"valkey", "postgres"}
SECRETS = {"COPYDESK_DB_PASSWORD", "COPYDESK_BROKER_PASSWORD", "FLOWER_BASIC_AUTH"}
SECRET_NAME = re.compile(r"PASSWORD|AUTH|SECRET|TOKEN")
VARIABLE = re.compile(r"(?<!\$)\$\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\}")

RESET = object()
"""Stands for a key that an override file takes away with !reset."""


class ComposeLoader(yaml.SafeLoader):
    """Compose's own tags are known to it; nothing else that SafeLoader refuses is."""


ComposeLoader.add_constructor("!reset", lambda loader, node: RESET)


def load(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.load(path.read_text("utf-8"), ComposeLoader)  # noqa: S506 - safe, and one more tag
    return content


def merged(below: Any, above: Any) -> Any:
    """What Compose makes of two files, for the kinds of keys that ours have."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    keys = [key for key in below | above if above.get(key) is not RESET]
    return {
        key: merged(below[key], above[key]) if key in below and key in above else (below | above)[key] for key in keys
    }


def interpolated(value: Any) -> Any:
    """Variables filled in as Compose does it, with `example` for each one that has no default."""
    if isinstance(value, dict):
        return {key: interpolated(item) for key, item in value.items()}
    if isinstance(value, list):
        return [interpolated(item) for item in value]
    if isinstance(value, str):
        filled = VARIABLE.sub(lambda found: found["rest"] if found["kind"] == "-" else "example", value)
        return filled.replace("$$", "$")
    return value


def seconds(duration: str) -> int:
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([hms])", duration))


def example_file() -> dict[str, str]:
    """The variables .env.example names, commented out or not, with their values."""
    found = re.findall(r"^(?:# )?([A-Z]\w*)=(.*)$", (ROOT / ".env.example").read_text("utf-8"), re.M)
    return dict(found)


FILES = {"base": load(BASE), "cpu": merged(load(BASE), load(CPU))}
SERVICES: dict[str, dict[str, Any]] = FILES["base"]["services"]
OURS = sorted(set(SERVICES) - THEIR_IMAGES)
LONG_RUNNING = sorted(set(SERVICES) - ONE_SHOT)


@pytest.mark.parametrize("name", FILES)
def test_it_follows_the_compose_specification(name: str) -> None:
    schema = get_builtin_schema("vendor.compose-spec")
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    errors = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(interpolated(FILES[name]))]
    assert errors == []


def test_the_schema_is_one_that_finds_mistakes() -> None:
    broken = {"services": {"worker": {"image": "x", "restrat": "always"}}}
    assert not jsonschema.Draft202012Validator(get_builtin_schema("vendor.compose-spec")).is_valid(broken)


@pytest.mark.parametrize("service", SERVICES)
def test_secrets_come_from_the_environment_and_have_no_default(service: str) -> None:
    for name, value in SERVICES[service].get("environment", {}).items():
        variables = {found["name"]: found["kind"] for found in VARIABLE.finditer(value)}
        if SECRET_NAME.search(name):
            assert VARIABLE.fullmatch(value), f"{name} is written out"
        if "@" in value:
            assert urlsplit(VARIABLE.sub("variable", value)).password == "variable", f"{name} has a password in it"
        assert all(kind == "?" for variable, kind in variables.items() if variable in SECRETS), f"{name} has a default"


def test_no_secret_stands_on_a_command_line() -> None:
    for service in SERVICES.values():
        words = [*service.get("command", []), *service.get("entrypoint", [])]
        assert not [word for word in words if VARIABLE.search(word)]


def test_every_variable_is_in_the_example_file_and_secrets_are_empty_there() -> None:
    used = {found["name"] for path in (BASE, CPU) for found in VARIABLE.finditer(path.read_text("utf-8"))}
    example = example_file()
    assert used <= set(example)
    assert used >= SECRETS
    assert {name: example[name] for name in SECRETS} == dict.fromkeys(SECRETS, "")


@pytest.mark.parametrize("service", LONG_RUNNING)
def test_what_runs_long_is_restarted_and_has_a_health_check(service: str) -> None:
    assert SERVICES[service]["restart"] == "unless-stopped"
    check = SERVICES[service]["healthcheck"]
    assert check["test"][0] in {"CMD", "CMD-SHELL"}
    assert seconds(check["timeout"]) < seconds(check["interval"])


@pytest.mark.parametrize("service", sorted(ONE_SHOT))
def test_what_runs_once_is_not_restarted(service: str) -> None:
    assert SERVICES[service]["restart"] == "no"


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_runs_as_root(service: str) -> None:
    uid = SERVICES[service]["user"].partition(":")[0]
    assert int(uid) > 0
    assert SERVICES[service]["cap_drop"] == ["ALL"]
    assert "privileged" not in SERVICES[service]


def test_only_flower_is_published_and_only_to_this_machine() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert list(published) == ["flower"]
    assert all(port.startswith("127.0.0.1:") for port in published["flower"])


def test_the_worker_may_finish_its_chunks_before_it_is_killed() -> None:
    grace = seconds(SERVICES["worker"]["stop_grace_period"])
    assert grace >= Settings.model_fields["shutdown_seconds"].default + 15
    assert SERVICES["worker"]["stop_signal"] == "SIGTERM"


def test_each_worker_reserves_one_gpu_and_the_cpu_file_takes_it_away() -> None:
    (device,) = SERVICES["worker"]["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["capabilities"], len(device["device_ids"])) == ("nvidia", ["gpu"], 1)
    on_cpu = FILES["cpu"]["services"]["worker"]
    assert "deploy" not in on_cpu
    assert on_cpu["environment"]["COPYDESK_DEVICE"] == "cpu"
    assert on_cpu["environment"].items() > SERVICES["worker"]["environment"].items()
    assert on_cpu["build"].items() > SERVICES["worker"]["build"].items()


def test_the_broker_loses_no_message_and_evicts_none() -> None:
    (shell,) = (word for word in SERVICES["valkey"]["command"] if "valkey-server" in word)
    server, stdin, *_ = shell.splitlines()
    for flag in ("--appendonly yes", "--appendfsync everysec", "--maxmemory-policy noeviction"):
        assert flag in server
    assert server.startswith("exec ")  # so that the server, not the shell, gets the signals
    assert stdin == "requirepass $$REDISCLI_AUTH"


@pytest.mark.parametrize("service", OURS)
def test_environment_names_are_settings_that_exist(service: str) -> None:
    for name in FILES["cpu"]["services"][service]["environment"]:
        program, _, option = name.partition("_")
        known = {"COPYDESK": Settings.model_fields, "FLOWER": flower_options}[program]
        assert option.lower().partition("__")[0] in known, name


def test_settings_shown_in_the_example_file_exist() -> None:
    placeholders = SECRETS | {"COPYDESK_GPU"}
    for name in set(example_file()) - placeholders:
        assert name.removeprefix("COPYDESK_").lower().partition("__")[0] in Settings.model_fields, name


def celery_lines() -> list[tuple[str, list[str]]]:
    """Every celery command in the file, health checks included: (service, arguments after `celery`)."""
    lines = []
    for name, service in SERVICES.items():
        command = service.get("command", [])
        if command[:1] == ["celery"]:
            lines.append((name, command[1:]))
        for word in service.get("healthcheck", {}).get("test", []):
            if word.startswith("celery "):
                lines.append((f"{name} health check", word.split()[1:]))
    return lines


@pytest.mark.parametrize(
    ("where", "arguments"), celery_lines(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_celery_commands_name_modules_subcommands_and_options_that_exist(where: str, arguments: list[str]) -> None:
    flag, module, subcommand, *rest = arguments
    assert flag == "-A"
    assert find_spec(module), f"{module} is not there"
    command = celery_cli.commands[subcommand]
    known = {option for parameter in command.params for option in parameter.opts}
    if subcommand == "flower":
        known |= {f"--{option}" for option in flower_options}
    asked = {word.partition("=")[0] for word in rest if re.match(r"--?[a-zA-Z]", word)}
    assert asked <= known


def test_the_health_check_asks_for_the_name_the_worker_gives_itself() -> None:
    command = SERVICES["worker"]["command"]
    name = command[command.index("-n") + 1]
    assert name.replace("%h", "$$HOSTNAME") in SERVICES["worker"]["healthcheck"]["test"][1]


def copydesk_lines() -> list[list[str]]:
    commands = [[*service.get("entrypoint", []), *service.get("command", [])] for service in SERVICES.values()]
    return [command[1:] for command in commands if command[:1] == ["copydesk"]]


def test_copydesk_commands_are_commands_of_its_program() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["scripts"]["copydesk"].partition(":")[0] == "producer.cli"
    import typer

    from producer.cli import app

    assert ["migrate"] in copydesk_lines()
    for words in copydesk_lines():
        command: Any = typer.main.get_command(app)
        for word in words:
            if not word.startswith("-"):
                assert word in command.commands, f"copydesk {' '.join(words)}"
                command = command.commands[word]


def test_named_volumes_are_declared_and_each_folder_belongs_to_the_user() -> None:
    mounts = [mount.split(":") for service in SERVICES.values() for mount in service.get("volumes", [])]
    assert {source for source, _ in mounts if not source.startswith(".")} == set(FILES["base"]["volumes"])
    made = re.search(r"install --directory --owner copydesk --group copydesk (.*)", dockerfile())
    assert made
    assert {target for name in OURS for _, target in mounts_of(name)} <= set(made[1].split())


def mounts_of(service: str) -> list[list[str]]:
    return [mount.split(":") for mount in SERVICES[service].get("volumes", [])]


def dockerfile() -> str:
    return (ROOT / "Dockerfile").read_text("utf-8")


def test_the_images_are_stages_of_the_dockerfile_with_the_user_set() -> None:
    stages = dict(re.findall(r"^FROM \S+ AS (\S+)\n(.*?)(?=^FROM |\Z)", dockerfile(), re.M | re.S))
    targets = {service["build"]["target"] for service in SERVICES.values() if "build" in service}
    assert targets == {"worker", "desk"}
    (user,) = re.findall(r"^USER (\S+)", stages["base"], re.M)
    assert {SERVICES[name]["user"] for name in OURS} == {user}
    for target in targets:
        assert f"FROM base AS {target}\n" in dockerfile()
        assert "USER" not in stages[target]


def test_the_dockerfile_copies_only_what_exists_and_reaches_the_builder() -> None:
    copied = [word for line in re.findall(r"^COPY (?!--from)(.*) \S+$", dockerfile(), re.M) for word in line.split()]
    let_through = {
        line[1:].rstrip("/") for line in (ROOT / ".dockerignore").read_text("utf-8").split() if line[0] == "!"
    }
    assert set(copied) == let_through
    assert [name for name in copied if not (ROOT / name).exists()] == []


def test_the_worker_image_starts_what_compose_starts() -> None:
    (default,) = re.findall(r'^CMD (\["celery".*\])$', dockerfile(), re.M)
    assert yaml.safe_load(default) == SERVICES["worker"]["command"]
