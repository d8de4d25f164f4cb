"""What deploys the app agrees with the app: variables, versions, limits, paths.

`deploy/try.sh` tries it; this compares what is written.
"""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from explorer.settings import Settings, unknown
from explorer.ui.http.uploads import ENVELOPE

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
sys.path.insert(0, str(DEPLOY))

import recipes  # noqa: E402 - beside what it reads

DOCKERFILE = recipes.DOCKERFILE.read_text(encoding="utf-8")
COMPOSE = recipes.COMPOSE.read_text(encoding="utf-8")
NGINX = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
ENV = (DEPLOY / "env.example").read_text(encoding="utf-8")
# What else than settings of the explorer the files may set, and whose each is.
OTHERS = {
    "OMP_NUM_THREADS": "OpenMP",
    "PGPASSWORD": "PostgreSQL's client",
    "FORWARDED_ALLOW_IPS": "uvicorn",
    "HOME": "all",
    "PATH": "all",
    "XDG_DATA_HOME": "platformdirs",
    "PYTHONDONTWRITEBYTECODE": "Python",
    "PYTHONUNBUFFERED": "Python",
}
OF_COMPOSE = {
    *("POSTGRES_PASSWORD", "TORCH_INDEX", "ACCELERATOR"),
    *("HTTP_PORT", "HTTPS_PORT", "APP_MEMORY"),
}


def variables_of(text):
    """The names that an .env file assigns, also where that is in a comment."""
    return set(re.findall(r"^(?:# )?([A-Z][A-Z_]+)=", text, re.MULTILINE))


def set_for_the_app():
    return {
        **recipes.environment(DOCKERFILE),
        **recipes.services(COMPOSE)["app"]["environment"],
        **dict.fromkeys(variables_of(ENV) - OF_COMPOSE, ""),
    }


def test_every_variable_is_one_that_something_reads():
    found = set_for_the_app()
    assert {"EXPLORER_HOSTED", "EXPLORER_CACHE", "EXPLORER_OPERATOR_PASSWORD_HASH"} <= set(found)
    assert unknown(found) == []
    rest = {n for n in found if not n.startswith(("EXPLORER_", "STREAMLIT_"))}
    assert rest - set(OTHERS) == set()


def test_every_variable_of_streamlit_is_one_of_its_options():
    from streamlit import config

    names = {name for name in set_for_the_app() if name.startswith("STREAMLIT_")}
    options = {"STREAMLIT_" + re.sub(r"([A-Z])", r"_\1", o.replace(".", "_")).upper()
               for o in config.get_config_options()}  # fmt: skip
    assert names
    assert names - options == set()


def test_every_variable_that_compose_reads_is_explained():
    read = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE))
    assert read
    assert read - variables_of(ENV) - {"ACCELERATOR"} == set()  # compose.cuda.yaml sets it
    assert variables_of(ENV) & OF_COMPOSE <= read


def test_all_that_the_app_writes_is_in_the_volume():
    found = recipes.environment(DOCKERFILE)
    names = ("HOME", "XDG_DATA_HOME", "EXPLORER_CACHE")
    assert {found[name].split("/")[1] for name in names} == {"data"}
    assert found["EXPLORER_DATABASE_URL"].startswith("sqlite:////data/")
    app = recipes.services(COMPOSE)["app"]
    assert app["volumes"] == ["data:/data"]
    assert app["read_only"] is True


def test_the_image_runs_as_a_user_of_its_own_and_takes_signals():
    stage = dict(recipes.last_stage(DOCKERFILE))
    assert stage["USER"] == "${ID}:${ID}"
    assert int(re.fullmatch(r"ID=(\d+)", stage["ARG"])[1]) >= 1000
    assert recipes.command(DOCKERFILE)[:4] == ["python", "-m", "streamlit", "run"]
    assert "/healthz" in recipes.command(DOCKERFILE, "HEALTHCHECK")[-1]
    with pytest.raises(ValueError, match="a JSON list"):
        recipes.command("FROM python:3\nCMD streamlit run app.py")


def test_the_image_is_stopped_no_sooner_than_a_run_may_take_to_stop():
    grace = recipes.services(COMPOSE)["app"]["stop_grace_period"]
    assert int(grace.removesuffix("s")) > Settings(hosted=True).stop_grace


def test_the_image_has_a_python_that_is_supported_and_every_base_a_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    [version] = re.findall(r"^ARG PYTHON=(\d+\.\d+)-", DOCKERFILE, re.MULTILINE)
    assert version == project["requires-python"].removeprefix(">=")
    images = re.findall(r"^ +image: (\S+)$", COMPOSE, re.MULTILINE)
    assert len(images) == 2
    assert [image for image in images if not re.search(r":\d", image)] == []


def test_what_is_copied_into_the_image_is_there_and_is_no_secret(tmp_path):
    recipes.copy_context(tmp_path)
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
    sources = {source for line in copied for source in line.split()} - {"."}
    assert len(sources) > 3
    assert {source for source in sources if not (tmp_path / source).exists()} == set()
    assert not (tmp_path / "deploy" / ".env").exists()
    assert [file.name for file in (tmp_path / ".streamlit").iterdir()] == ["config.toml"]


def test_nginx_lets_through_what_the_app_takes_and_no_more():
    [limit] = re.findall(r"client_max_body_size (\d+);", NGINX)
    assert int(limit) == Settings(hosted=True).upload_bytes + ENVELOPE


def test_ports_agree():
    port = recipes.environment(DOCKERFILE)["STREAMLIT_SERVER_PORT"]
    assert f"server app:{port};" in NGINX
    assert f"127.0.0.1:{port}/healthz" in recipes.command(DOCKERFILE, "HEALTHCHECK")[-1]
    inner = {entry.split(":")[-1] for entry in recipes.services(COMPOSE)["nginx"]["ports"]}
    listened = re.findall(r"^ *listen (\d+)", NGINX, re.MULTILINE)
    tls = (DEPLOY / "extra" / "tls.conf.example").read_text(encoding="utf-8")
    assert inner == {*listened, *re.findall(r"^listen (\d+)", tls, re.MULTILINE)}


def test_the_gpu_s_file_changes_a_service_that_is_there():
    other = recipes.services((DEPLOY / "compose.cuda.yaml").read_text(encoding="utf-8"))
    assert list(other) == ["app"]
    assert "app" in recipes.services(COMPOSE)
    assert f"ARG {next(iter(other['app']['build']['args']))}=cpu" in DOCKERFILE


def test_a_space_is_the_image_with_its_own_user_and_frame(tmp_path):
    subprocess.run(["sh", DEPLOY / "space" / "make.sh", tmp_path / "space"], check=True)
    made = (tmp_path / "space" / "Dockerfile").read_text(encoding="utf-8")
    header = yaml.safe_load((tmp_path / "space" / "README.md").read_text("utf-8").split("---\n")[1])
    found, base = recipes.environment(made), recipes.environment(DOCKERFILE)
    assert header["sdk"] == "docker"
    assert str(header["app_port"]) == base["STREAMLIT_SERVER_PORT"]
    assert set(found) - set(base) == {"FORWARDED_ALLOW_IPS", "EXPLORER_FRAME_ORIGINS"}
    assert {name: found[name] for name in base} == base
    assert "\nARG ID=1000\n" in made
    assert (tmp_path / "space" / "explorer" / "settings.py").exists()


def listed(**environment):
    done = subprocess.run(
        ["sh", DEPLOY / "install.sh", "list"],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    return done.stdout.splitlines()


def test_without_a_gpu_nothing_for_a_gpu_is_installed():
    whole, small = listed(), listed(TORCH_INDEX="the-index")
    is_for_gpu = re.compile("nvidia|cuda|triton")
    assert len([line for line in whole if is_for_gpu.match(line)]) > 10
    assert small[0] == "--extra-index-url the-index"
    torch = [line for line in whole if line.startswith("torch")]
    assert len(torch) == 2
    assert {*whole} - {*small} == {*filter(is_for_gpu.match, whole), *torch}
    assert {*small[1:]} - {*whole} == {f"{line}+cpu" for line in torch}
    assert listed(TORCH_INDEX="the-index", ACCELERATOR="cuda") == whole


def test_what_is_installed_is_what_is_pinned():
    pinned = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    names = re.findall(r"^([\w.-]+==\S+)", pinned, re.MULTILINE)
    assert len(names) > 50
    assert {*names} - {line.split()[0] for line in listed()} == set()
    assert any(line.startswith("psycopg-binary==") for line in listed())
