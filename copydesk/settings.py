"""Every setting, from the environment (COPYDESK_*) or copydesk.toml; the environment wins.

Nested settings use two underscores in the environment: COPYDESK_SAMPLING__TEMPERATURE=0.7.
Secrets (database and broker passwords) belong in the environment, not in the file.
"""

import os
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from copydesk.errors import ConfigurationError

EMBEDDED_BROKER = "redis://127.0.0.1:6390/0"
"""Where `copydesk up` starts its own Valkey; not Redis' 6379, so that it never meets another program's data."""

Positive = Annotated[int, Field(ge=1)]

Word = Annotated[str, Field(pattern=r"\w")]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Sampling(_Section):
    """How the model picks tokens. None leaves the choice to the model's own generation settings."""

    max_tokens: Positive = 80
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0)] | None = None
    repetition_penalty: Annotated[float, Field(gt=0, le=2)] | None = None
    seed: int | None = None


Severity = Literal["hard", "warn", "off"]
"""What a guard does to a text: refuse it, mark it, nothing."""


Label = Literal["none", "google", "cn"]


class Rules(_Section):
    """What the guards go by, and the voice that is asked for. None is no limit, "" and () nothing wanted.

    Attributes:
        min_words, max_words: length in English and other Latin scripts.
        min_chars_zh, max_chars_zh: length in Chinese, without blanks and marks.
        max_characters: of the whole text in any language, blanks and marks counted, as channels do.
        min_bullets, max_bullets: either makes the text a list, one bullet to a line.
        max_bullet_characters: of each bullet, without its mark.
        one_line: the text is one line and needs no full stop, as a title.
        required: words that must be in the text; the spellings of one are parted by " | ", and any will do.
        forbidden: words that must not, written the same way.
        must_say: names of facts whose value the text must give, where the product has them.
        voice, tone: how the copy is to sound; without a voice the shop's.
        channel: where the copy goes ("amazon"), whose own rules then count.
        guards: by reason code, what is done about it, where it differs from what the guard itself would do.
    """

    min_words: Positive = 12
    max_words: Positive = 80
    min_chars_zh: Positive = 30
    max_chars_zh: Positive = 300
    max_characters: Positive | None = None
    min_bullets: Positive | None = None
    max_bullets: Positive | None = None
    max_bullet_characters: Positive | None = None
    one_line: bool = False
    required: tuple[Word, ...] = ()
    forbidden: tuple[Word, ...] = ()
    must_say: tuple[Word, ...] = ()
    voice: str = ""
    tone: str = ""
    channel: str = ""
    guards: dict[str, Severity] = {}


class Replies(_Section):
    """How a shop answers reviews.

    `auto` approves a reply that the guards passed, where the stars are at least `auto_from_rating` and the sentiment is
    as sure as `auto_confidence`; nothing goes without it. `person` adds words that send a review to a person.
    """

    auto: bool = False
    auto_from_rating: Annotated[int, Field(ge=1, le=5)] = 4
    auto_confidence: Annotated[float, Field(ge=0, le=1)] = 0.8
    sign_off: str = ""
    staff: tuple[str, ...] = ()  # names: who is named in a review gets it
    person: tuple[str, ...] = ()
    webhook: str = ""  # where approved replies are posted


class Shop(_Section):
    """One shop's voice and its rules; `rules` are ruleset files (docs/rules.md), a later one over an earlier.

    Attributes:
        four_eyes: copy is approved once two persons have said yes.
        label: how exports mark text that a machine wrote (docs/review.md), by Google's fields or as China asks for.
        label_producer: who answers for that text, by name or by code, in China's metadata; "" for the shop's name.
    """

    voice: str = ""
    rules: tuple[Path, ...] = ()
    auto_publish: bool = False
    four_eyes: bool = False
    label: Label = "none"
    label_producer: str = ""
    replies: Replies = Replies()

    @model_validator(mode="after")
    def _asks_two_persons_or_none(self) -> Self:
        if self.four_eyes and self.auto_publish:
            raise ValueError(
                "four_eyes wants two persons' yes and auto_publish publishes without any: switch one of them off"
            )
        return self


class OpenAI(_Section):
    """The endpoint of the openai engine. Its key is read from the environment only: COPYDESK_OPENAI_API_KEY."""

    base_url: str = "https://api.openai.com/v1"
    concurrency: Positive = 16
    requests_per_minute: Positive | None = None
    tokens_per_minute: Positive | None = None
    timeout_seconds: Positive = 120


class SentimentModel(_Section):
    """The sequence classifier, a Hugging Face id or a folder, that workers ask; none: word lists, without a model."""

    model: str = ""
    device: str = "auto"
    batch_size: Positive = 64


class Serve(_Section):
    """The HTTP endpoint for reviews. Its keys are read from the environment only: COPYDESK_API_KEYS."""

    host: str = "127.0.0.1"
    port: int = 8080
    max_body_bytes: Positive = 65_536
    requests_per_minute: Positive = 600


class Nightly(_Section):
    """The scheduled refresh, kept by beat: which shops, and when (cron expression in `timezone`)."""

    cron: str = "0 2 * * *"
    timezone: str = "UTC"
    shops: tuple[str, ...] = ()


class Settings(BaseSettings):
    """All of Copydesk's settings with their defaults; an unknown name in copydesk.toml is an error."""

    model_config = SettingsConfigDict(
        env_prefix="COPYDESK_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    data_dir: Path = Path("var")
    models_dir: Path | None = None
    prompts_dir: Path | None = None
    database_url: str = Field("", repr=False)  # may hold a password
    broker_url: str = Field(EMBEDDED_BROKER, repr=False)
    broker_prefix: str = ""
    visibility_timeout_seconds: Positive = 120

    engine: Literal["auto", "transformers", "openvino", "vllm", "openai", "scripted"] = "auto"
    engine_hang_seconds: Positive = 120
    model: str = "smollm2-135m-instruct"
    device: str = "auto"
    batch_size: Positive | None = None
    batch_size_beside_replies: Positive | None = None
    kv_cache_gb: Positive = 2
    openai: OpenAI = OpenAI()
    sampling: Sampling = Sampling()
    candidates: Annotated[int, Field(ge=1, le=16)] = 1
    max_asks: Positive = 6
    name_reasons: Literal["never", "alternate", "always"] = "never"
    rules: Rules = Rules()

    chunk_size: Annotated[int, Field(ge=1, le=1024)] = 64
    chunks_in_flight: Positive = 6
    replies_in_flight: Positive = 4
    max_chunks_in_broker: Positive = 6
    lease_seconds: Positive = 120
    max_attempts: Positive = 3
    sweep_seconds: Positive = 5
    shutdown_seconds: Positive = 25

    sentiment: SentimentModel = SentimentModel()
    serve: Serve = Serve()
    keep_reviews_days: Positive | None = None
    keep_runs_days: Positive | None = None

    flower_port: int = 5555
    shops: dict[str, Shop] = {}
    nightly: Nightly = Nightly()

    @field_validator("broker_url")
    @classmethod
    def _is_redis(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            _ = parts.port
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in ("redis", "rediss", "redis+socket"):
            raise ValueError("write redis://:password@host:6379/0, rediss:// for TLS or redis+socket:///path")
        return url

    @property
    def database(self) -> str:
        """The database URL; unset, a SQLite file in `data_dir`."""
        return self.database_url or f"sqlite:///{self.data_dir / 'copydesk.db'}"

    @property
    def models(self) -> Path:
        """Where pulled models lie; unset, `models` in `data_dir`."""
        return self.models_dir or self.data_dir / "models"

    def shop(self, name: str) -> Shop:
        return self.shops.get(name, Shop())

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        path = Path(os.environ.get("COPYDESK_CONFIG", "copydesk.toml"))
        if "COPYDESK_CONFIG" in os.environ and not path.is_file():
            raise ConfigurationError(
                f"COPYDESK_CONFIG names {path}, which is not a file: create it or unset the variable"
            )
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, path)


OPENAI_KEY = "COPYDESK_OPENAI_API_KEY"

API_KEYS = "COPYDESK_API_KEYS"
"""shop:key, several separated by commas: who may bring reviews to `copydesk serve`, and for which shop."""

WEBHOOK_SECRET = "COPYDESK_WEBHOOK_SECRET"  # noqa: S105 - a variable's name
"""What posted replies are signed with."""

OURS_BUT_NO_SETTINGS = {
    OPENAI_KEY, API_KEYS, WEBHOOK_SECRET,
    "COPYDESK_CONFIG", "COPYDESK_DB_PASSWORD", "COPYDESK_BROKER_PASSWORD", "COPYDESK_GPU",
}  # fmt: skip
"""Variables that hold secrets, name the settings file, or that docker-compose.yml makes others of."""


@lru_cache(maxsize=1)
def load() -> Settings:
    """The process's settings, read once.

    Raises:
        ConfigurationError: a value is wrong or a name unknown; the message lists each one.
    """
    _refuse_unknown_variables()
    # Not chained below: the causes quote what was set, passwords included.
    try:
        return Settings()
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, item['loc']))}: {_remedy(item)}" for item in error.errors()]
        wrong = "\n".join(lines)
    except SettingsError as error:
        wrong = f"  {error}: write a section in the environment name by name, or its whole value as JSON"
    except tomllib.TOMLDecodeError as error:
        wrong = f"  copydesk.toml is not TOML: {error}"
    raise ConfigurationError(f"these settings are wrong (environment or copydesk.toml):\n{wrong}") from None


def _remedy(item: Mapping[str, Any]) -> str:
    if item["type"] == "tuple_type":
        return 'write a list, as in ["one", "two"]'
    return str(item["msg"]).removeprefix("Value error, ")


def _refuse_unknown_variables() -> None:
    """pydantic-settings refuses unknown names in the file, but overlooks misspelled variables."""
    known = {f"COPYDESK_{name.upper()}" for name in Settings.model_fields}
    given = {name for name in os.environ if name.startswith("COPYDESK_")} - OURS_BUT_NO_SETTINGS
    unknown = sorted(name for name in given if name.partition("__")[0] not in known)
    if unknown:
        raise ConfigurationError(f"no such setting: {', '.join(unknown)} (docs/operations.md lists them all)")
