"""Flower as people start it, from any folder: behind a login, on loopback, and telling how a chunk goes."""

import base64
import json
import re
import stat
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from producer.services import free_port
from services.conftest import OpenDesk
from services.desks import desk_in, listens, until

SKUS = [f"stool-{number}" for number in range(6)]


def get(port: int, path: str, login: str = "") -> tuple[int, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}")
    if login:
        request.add_header("Authorization", f"Basic {base64.b64encode(login.encode()).decode()}")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, ""


def get_json(port: int, path: str, login: str) -> Any:
    status, body = get(port, path, login)
    assert status == 200, path
    return json.loads(body)


def listening_addresses(port: int) -> set[str]:
    """Local addresses, as the kernel writes them, on which something listens on `port`."""
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            address, _, number = line.split()[1].rpartition(":")
            if line.split()[3] == "0A" and int(number, 16) == port:
                found.add(address)
    return found


def test_flower_tells_how_a_chunk_goes_behind_a_login_of_its_own(open_desk: OpenDesk, tmp_path: Path) -> None:
    port = free_port()
    desk = open_desk(flower_port=port, batch_size=1)  # one after the other: there is time to look
    desk.start_broker()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    flower = desk.start_flower(cwd=elsewhere)
    worker = desk.start_worker()
    until("Flower listens", lambda: listens(port))

    login_file = desk.data / "flower-login"
    assert stat.S_IMODE(login_file.stat().st_mode) == 0o600
    login = login_file.read_text()
    assert listening_addresses(port) == {"0100007F"}, "loopback only"
    for path in ("/", "/tasks", "/api/tasks", "/api/workers", "/broker"):
        assert get(port, path)[0] == 401, path
    assert get(port, "/api/tasks", "copydesk:guess")[0] == 401
    assert get(port, "/workers", login)[0] == 200

    desk.import_products([*SKUS, "bad"], "slow", bad="fail")
    desk.describe()

    def chunk() -> dict[str, Any]:
        return dict(get_json(port, "/api/tasks", login).get("run-1.chunk-0.ring-1", {}))

    seen = until("a progress event", lambda: (task := chunk()).get("state") == "PROGRESS" and task)
    assert seen["name"] == "copydesk.describe_chunk"
    assert seen["kwargs"] == "{'run': 1, 'chunk': 0, 'shop': 'acme'}"
    assert "/7 ok, 0 held, " in seen["result"]
    assert "Stool" not in json.dumps(seen), "no customer data"
    until("it is done", lambda: chunk().get("state") == "SUCCESS")
    counts, _, figures = chunk()["result"].strip("'").partition(" | ")
    assert counts == "6/7 ok, 0 held, 1 failed"
    assert re.fullmatch(r"\d+ tok/s, batch \d+/1, wait \d+\.\d s", figures)

    queues = {queue["name"] for queue in get_json(port, "/api/queues/length", login)["active_queues"]}
    assert {"catalog", "replies", "upkeep"} <= queues
    page = get(port, "/broker", login)[1]
    assert "catalog" in page
    assert "upkeep" in page
    assert list(elsewhere.iterdir()) == [], "nothing is written where it was started"
    assert worker.alive
    assert flower.alive


def test_a_login_from_the_environment_and_a_port_from_the_command_line_win(tmp_path: Path) -> None:
    port, unused = free_port(), free_port()
    with desk_in(tmp_path / "desk", flower_port=unused) as desk:
        desk.start_broker()
        flower = desk.start_flower(f"--port={port}", FLOWER_BASIC_AUTH="ann:secret")
        until("Flower listens", lambda: listens(port))
        until("it knows its own mind", lambda: get(port, "/workers", "ann:secret")[0] == 200)
        assert get(port, "/workers", "ann:guess")[0] == 401
        assert get(port, "/workers")[0] == 401
        assert not listens(unused)
        assert not (desk.data / "flower-login").exists(), "no second login is made up"
        assert "secret" not in flower.output
