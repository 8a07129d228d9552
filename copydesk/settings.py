"""Every setting, from the environment (COPYDESK_*) or copydesk.toml; the environment wins.

Nested settings use two underscores in the environment: COPYDESK_SAMPLING__TEMPERATURE=0.7.
Secrets (database and broker passwords) belong in the environment, not in the file.
"""

import os
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from copydesk.errors import ConfigurationError

EMBEDDED_BROKER = "redis://127.0.0.1:6390/0"
"""Where `copydesk up` starts its own Valkey; not Redis' 6379, so that it never meets another program's data."""

Positive = Annotated[int, Field(ge=1)]


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


class Rules(_Section):
    """The numbers the guards go by. Length counts words in English and characters in Chinese."""

    min_words: Positive = 12
    max_words: Positive = 80
    min_chars_zh: Positive = 30
    max_chars_zh: Positive = 300


class Shop(_Section):
    """One shop's voice and its publishing rule."""

    voice: str = ""
    auto_publish: bool = False


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
    database_url: str = ""
    broker_url: str = EMBEDDED_BROKER
    broker_prefix: str = ""
    visibility_timeout_seconds: Positive = 120

    engine: Literal["transformers", "scripted"] = "transformers"
    model: str = "smollm2-135m-instruct"
    device: str = "auto"
    batch_size: Positive = 32
    sampling: Sampling = Sampling()
    candidates: Annotated[int, Field(ge=1, le=16)] = 1
    max_asks: Positive = 6
    rules: Rules = Rules()

    chunk_size: Annotated[int, Field(ge=1, le=1024)] = 32
    chunks_in_flight: Positive = 3
    max_chunks_in_broker: Positive = 64
    lease_seconds: Positive = 120
    max_attempts: Positive = 3
    sweep_seconds: Positive = 15

    flower_port: int = 5555
    shops: dict[str, Shop] = {}
    nightly: Nightly = Nightly()

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


@lru_cache(maxsize=1)
def load() -> Settings:
    """The process's settings, read once.

    Raises:
        ConfigurationError: a value is wrong or a name unknown; the message lists each one.
    """
    try:
        return Settings()
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        raise ConfigurationError(
            "these settings are wrong (environment or copydesk.toml):\n" + "\n".join(lines)
        ) from error
