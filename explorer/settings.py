"""Settings, read from environment variables that begin with `EXPLORER_`."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from explorer.errors import ExplorerError

_NAME = "architecture-explorer"


class SettingsError(ExplorerError, ValueError):
    """An environment variable has a value that cannot be used; the message names it."""


class Settings(BaseSettings):
    """The explorer's settings.

    Attributes:
        database_url: Where runs are kept (`EXPLORER_DATABASE_URL`), as a SQLAlchemy URL; by default
            an SQLite file in the user's data directory.
        cache: The folder of the decoded data sets (`EXPLORER_CACHE`).
        plugins: Folders with more plugins (`EXPLORER_PLUGINS`), separated as in `PATH`.
        time_limit: Seconds that one run may take (`EXPLORER_TIME_LIMIT`).
        stop_grace: Seconds that a run has to stop by itself before its process is killed
            (`EXPLORER_STOP_GRACE`).
        workers: How many runs are trained at once (`EXPLORER_WORKERS`); they share the cores.
        log_level: How serious a message must be to enter the app's log (`EXPLORER_LOG_LEVEL`).
    """

    model_config = SettingsConfigDict(env_prefix="EXPLORER_", frozen=True)

    database_url: str = Field(
        default_factory=lambda: (
            f"sqlite:///{Path(platformdirs.user_data_dir(_NAME)) / 'runs.sqlite'}"
        )
    )
    cache: Path = Field(default_factory=lambda: Path(platformdirs.user_cache_dir(_NAME)))
    plugins: Annotated[tuple[Path, ...], NoDecode] = ()
    time_limit: float = Field(default=4 * 3600, gt=0)
    stop_grace: float = Field(default=10, gt=0)
    workers: int = Field(default=1, ge=1, le=64)
    run_memory: int | None = None
    log_bytes: int = 65536
    load_time: float = 60
    load_memory: int | None = 4000
    inspect_time: float = 60
    log_level: Literal["debug", "info", "warning", "error", "critical"] = "info"

    @field_validator("plugins", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(Path(part) for part in value.split(os.pathsep) if part)
        return value


def read_settings() -> Settings:
    """Read the settings from the environment.

    Raises:
        SettingsError: One of them cannot be used.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "EXPLORER_" + "_".join(map(str, first["loc"])).upper()
        raise SettingsError(
            f"The setting {name} cannot be used: {first['msg']}, not {first['input']!r}."
        ) from error
