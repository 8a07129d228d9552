"""What is agreed on the wire: names, queues, serializer, acknowledgement, pool; and what Flower is told."""

import stat
from pathlib import Path
from typing import Any

import pytest

from copydesk.errors import ConfigurationError
from copydesk.model import NO_COPY, Lane
from copydesk.settings import Nightly, Settings
from tasks import app as tasks_app
from tasks import bells, desk, flower, names, work
from tasks.app import configured, make_app, transport_options


@pytest.fixture
def conf() -> dict[str, Any]:
    return configured(Settings(chunks_in_flight=5, replies_in_flight=3, visibility_timeout_seconds=30))


def test_every_task_of_the_app_has_an_explicit_name_and_a_declared_queue(conf: dict[str, Any]) -> None:
    queues = {queue.name for queue in conf["task_queues"]}
    assert queues == {"catalog", "replies", "upkeep"}
    ours = {name for name in tasks_app.app.tasks if not name.startswith("celery.")}
    upkeep = {"copydesk.sweep", "copydesk.clean", "copydesk.nightly"}
    bulk = {"copydesk.describe_chunk", "copydesk.batch_chunk", "copydesk.sentiment_chunk"}
    assert ours == set(names.ROUTES) == {*bulk, "copydesk.reply_chunk", *upkeep}
    for name in ours:
        assert tasks_app.app.amqp.router.route({}, name)["queue"].name in queues
    for name in bulk:
        assert names.ROUTES[name] == {"queue": "catalog"}, "bulk work has a queue of its own"
    assert names.ROUTES["copydesk.reply_chunk"] == {"queue": "replies"}


def test_a_runs_lane_is_the_queue_its_chunks_are_rung_on(conf: dict[str, Any]) -> None:
    assert {lane.value for lane in Lane} == set(bells.QUEUES) <= {queue.name for queue in conf["task_queues"]}
    assert set(bells.TASK_OF_KIND) == set(NO_COPY), "what is no copy has a task of its own"
    assert set(bells.TASK_OF_KIND.values()) <= set(names.ROUTES)


@pytest.mark.parametrize("kind", ["description", "bullets", "translation-zh", "a_kind_of_the_shops_own"])
def test_copy_of_every_kind_is_rung_for_one_task(kind: str) -> None:
    assert bells.task_of(kind) == "copydesk.describe_chunk"


def test_a_queue_that_nobody_declared_is_refused_and_not_made(conf: dict[str, Any]) -> None:
    assert conf["task_create_missing_queues"] is False
    assert conf["task_default_queue"] in {queue.name for queue in conf["task_queues"]}


def test_a_task_without_a_route_is_refused_where_it_is_declared() -> None:
    with pytest.raises(ConfigurationError, match=r"no route: add it to tasks/names\.py"):
        work.task("copydesk.unheard_of")


def test_a_task_outside_a_worker_says_how_to_start_one() -> None:
    with pytest.raises(ConfigurationError, match=r"celery -A workers\.main worker"):
        desk.current()


def test_messages_are_json_and_acknowledged_late_and_results_go_nowhere(conf: dict[str, Any]) -> None:
    assert (conf["accept_content"], conf["task_serializer"]) == (["json"], "json")
    assert conf["task_acks_late"] is True
    assert conf["task_ignore_result"] is True
    made = make_app(Settings())
    assert made.conf.result_backend is None
    assert type(made.backend).__name__ == "DisabledBackend"
    assert "pickle" not in made.conf.accept_content


def test_one_process_holds_exactly_as_many_messages_as_it_has_threads(conf: dict[str, Any]) -> None:
    assert conf["worker_pool"] == "threads"
    assert (conf["worker_concurrency"], conf["worker_prefetch_multiplier"]) == (5 + 3 + 1, 1)


def test_a_lost_broker_is_waited_for_for_ever(conf: dict[str, Any]) -> None:
    assert conf["broker_connection_retry_on_startup"] is True
    assert conf["broker_connection_max_retries"] is None
    assert conf["worker_cancel_long_running_tasks_on_connection_loss"] is False


def test_the_transport_is_set_the_same_way_for_every_process(conf: dict[str, Any]) -> None:
    options = conf["broker_transport_options"]
    assert options == transport_options(Settings(chunks_in_flight=5, visibility_timeout_seconds=30))
    assert options["visibility_timeout"] == 30
    assert (options["unacked_restore_interval"], options["unacked_restore_throttle"]) == (5, 1)
    assert options["socket_keepalive"] is True
    assert "global_keyprefix" not in options
    assert transport_options(Settings(broker_prefix="desk:"))["global_keyprefix"] == "desk:"


def test_flower_sees_events_and_beat_keeps_its_state_with_the_data(conf: dict[str, Any]) -> None:
    assert conf["worker_send_task_events"] is True
    assert conf["task_send_sent_event"] is True
    settings = Settings(data_dir=Path("/data"), nightly=Nightly(timezone="Asia/Shanghai"))
    assert configured(settings)["beat_schedule_filename"].startswith("/data/")
    assert configured(settings)["timezone"] == "Asia/Shanghai"


def test_an_app_is_not_made_of_a_schedule_that_is_none() -> None:
    with pytest.raises(ConfigurationError, match=r"nightly\.cron"):
        make_app(Settings(nightly=Nightly(cron="often")))


def test_flower_asks_for_a_login_that_is_made_once_and_only_its_owner_reads() -> None:
    settings = Settings()
    options = flower.options(settings)
    assert options["address"] == "127.0.0.1"
    assert options["port"] == settings.flower_port
    [login] = options["basic_auth"]
    file = settings.data_dir / "flower-login"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    user, _, password = login.partition(":")
    assert user == "copydesk"
    assert len(password) >= 16
    assert flower.options(settings)["basic_auth"] == [login] == [flower.login(settings)]


def test_a_login_in_the_environment_is_the_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWER_BASIC_AUTH", "ann:secret,ben:secret")
    settings = Settings()
    assert flower.options(settings)["basic_auth"] == ["ann:secret", "ben:secret"]
    assert "secret" not in flower.login_hint(settings)


def test_where_oauth_asks_no_login_is_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWER_AUTH", ".*@example[.]com")
    assert "basic_auth" not in flower.options(Settings())


@pytest.mark.parametrize(
    ("name", "value"),
    [("FLOWER_BASIC_AUTH", ""), ("FLOWER_BASIC_AUTH", " , "), ("FLOWER_AUTH_PROVIDER", "some.Handler")],
)
def test_authentication_cannot_be_switched_off_by_accident(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    settings = Settings()
    assert flower.options(settings)["basic_auth"] == [flower.made_up_login(settings)]


def test_a_flower_variable_wins_over_ours_and_every_option_is_one_of_flowers(monkeypatch: pytest.MonkeyPatch) -> None:
    from flower.options import default_options

    assert set(flower.options(Settings())) <= set(default_options)
    monkeypatch.setenv("FLOWER_PORT", "5566")
    monkeypatch.setenv("FLOWER_ADDRESS", "0.0.0.0")  # noqa: S104 - a container has its own loopback
    options = flower.options(Settings())
    assert "port" not in options
    assert "address" not in options
    assert "basic_auth" in options, "an open address does not switch the login off"
    monkeypatch.setenv("FLOWER_BASIC_AUTH", "ann:secret")
    assert flower.login(Settings()) == "ann:secret"
