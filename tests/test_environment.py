"""What of the environment is recorded, and what a run's process is given."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from artifacts.environment import active_interpreter, allowed, process_environment
from ledger.errors import GuildError


def given(base: dict[str, str], flags: dict[str, str] | None = None, *, project: str = "/project") -> dict[str, str]:
    """Return the environment of a run's process."""
    return process_environment(
        base,
        run_id="ab" * 16,
        run_dir="/h/runs/x",
        cmd_dir="/cmd",
        model_dir="/model",
        home="/h",
        flags_text=flags or {},
        module_path=(project,),
    )


def test_what_changes_results_is_recorded() -> None:
    """Language, interpreter, devices, threads and job are known to matter."""
    env = {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "LC_NUMERIC": "de_DE",
        "PYTHONPATH": "/x",
        "PYTHONHASHSEED": "0",
        "VIRTUAL_ENV": "/venv",
        "CONDA_DEFAULT_ENV": "base",
        "CUDA_VISIBLE_DEVICES": "0,1",
        "HIP_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "4",
        "MKL_NUM_THREADS": "4",
        "TF_DETERMINISTIC_OPS": "1",
        "XLA_FLAGS": "--x",
        "NCCL_DEBUG": "INFO",
        "TORCH_LOGS": "+all",
        "PYTORCH_CUDA_ALLOC_CONF": "a:b",
        "TOKENIZERS_PARALLELISM": "false",
        "SLURM_JOB_ID": "17",
    }
    assert allowed(env) == env
    assert list(allowed(env)) == sorted(env)


@pytest.mark.parametrize(
    "name",
    [
        "AWS_SECRET_ACCESS_KEY",
        "HOME",
        "USER",
        "WANDB_API_KEY",
        "HF_TOKEN",
        "GITHUB_TOKEN",
        "DATABASE_URL",
        "SSH_AUTH_SOCK",
        "TF_TOKEN_app_terraform_io",
        "TF_VAR_db_pw",
        "TF_CLI_ARGS",
        "TORCH_HUB_PASSWORD",
        "XLA_api_key",
        "NCCL_SECRET",
        "MKL_CREDENTIALS",
        "JAX_AUTH",
        "CUDA_PASSWD",
        "SLURM_JWT",
        "SLURM_CONF",
        "BASH_FUNC_x%%",
    ],
)
def test_what_is_not_known_or_looks_secret_is_not_recorded(name: str) -> None:
    """The ledger never forgets, so it never learns a password, whatever prefix it hides behind."""
    assert allowed({name: "hunter2"}) == {}


@pytest.mark.parametrize(
    ("value", "recorded"),
    [
        ("https://user:pw@host/x", "https://***@host/x"),
        ("https://ghp_token@host/x", "https://***@host/x"),
        ("https://user:p@ss@host", "https://***@host"),
        ("https://user:p/ss@host", "https://***@host"),
        ("http://:pw@host", "http://***@host"),
        ("/a:http://u:p@h1,http://u:p@h2", "/a:http://***@h1,http://***@h2"),
        ("http://host:80/x", "http://host:80/x"),
        ("a@b", "a@b"),
        ("/usr/bin:/home/me@work/bin", "/usr/bin:/home/me@work/bin"),
    ],
)
def test_users_and_passwords_in_urls_are_masked(value: str, recorded: str) -> None:
    """In doubt more is masked rather than less."""
    assert allowed({"PATH": value}) == {"PATH": recorded}


def test_the_process_gets_all_the_user_has_and_what_the_run_is_about() -> None:
    """The user's variables pass unchanged; the run's are added, and the original is not touched."""
    base = {
        "HOME": "/me",
        "AWS_SECRET_ACCESS_KEY": "x",
        "BASH_FUNC_f%%": "() { :; }",
        "FLAG_MINE": "1",
        "RUN_ID": "",
    }
    before = dict(base)
    assert given(base) == {
        "HOME": "/me",
        "AWS_SECRET_ACCESS_KEY": "x",
        "BASH_FUNC_f%%": "() { :; }",
        "FLAG_MINE": "1",
        "RUN_ID": "ab" * 16,
        "RUN_DIR": "/h/runs/x",
        "CMD_DIR": "/cmd",
        "MODEL_DIR": "/model",
        "GUILD_HOME": "/h",
        "PYTHONPATH": "/project",
        "PYTHONUNBUFFERED": "1",
    }
    assert base == before


def test_the_project_comes_before_the_users_own_python_path() -> None:
    """Both are importable, and an empty variable adds no entry for the working directory."""
    assert given({"PYTHONPATH": "/a:/b"})["PYTHONPATH"] == "/project:/a:/b"
    assert given({"PYTHONPATH": ""})["PYTHONPATH"] == "/project"


def test_flags_become_variables_with_plain_names() -> None:
    """Letters become capitals, everything else that is no letter or digit an underscore."""
    env = given({}, {"lr": "0.1", "batch-size": "32", "opt.name": "adam", "gr\u00f6\u00dfe": "1", "x y": ""})
    flags = {name: value for name, value in env.items() if name.startswith("FLAG_")}
    assert flags == {
        "FLAG_LR": "0.1",
        "FLAG_BATCH_SIZE": "32",
        "FLAG_OPT_NAME": "adam",
        "FLAG_GR__E": "1",
        "FLAG_X_Y": "",
    }


def test_of_flags_with_the_same_variable_the_last_in_order_counts() -> None:
    """The order in which they were given does not matter."""
    assert given({}, {"a_b": "under", "a-b": "minus", "A.B": "dot"})["FLAG_A_B"] == "under"
    assert given({}, {"A.B": "dot", "a-b": "minus", "a_b": "under"})["FLAG_A_B"] == "under"


def test_the_flags_of_an_outer_run_do_not_become_those_of_a_run_inside_it() -> None:
    """A run started by a run has its own flags only."""
    outer = given({}, {"lr": "0.1", "epochs": "5"})
    inner = given(outer, {"lr": "0.2"})
    assert inner["FLAG_LR"] == "0.2"
    assert "FLAG_EPOCHS" not in inner


def test_a_value_that_no_process_can_be_given_is_refused_by_name() -> None:
    """A NUL character in a flag is told before the process is started."""
    with pytest.raises(GuildError, match="flag 'x' holds a NUL"):
        given({}, {"x": "a\0b"})


def test_the_active_environments_python_is_found(tmp_path: Path) -> None:
    """A virtual environment counts before a conda one, and both only when their Python can be executed."""
    for name in ("venv", "conda"):
        (tmp_path / name / "bin").mkdir(parents=True)
        (tmp_path / name / "bin" / "python").write_text("#!/bin/sh\n")
        (tmp_path / name / "bin" / "python").chmod(0o755)
    env = {"VIRTUAL_ENV": str(tmp_path / "venv"), "CONDA_PREFIX": str(tmp_path / "conda")}
    assert active_interpreter(env, "default") == str(tmp_path / "venv" / "bin" / "python")
    os.chmod(tmp_path / "venv" / "bin" / "python", 0o644)
    assert active_interpreter(env, "default") == str(tmp_path / "conda" / "bin" / "python")
    os.unlink(tmp_path / "conda" / "bin" / "python")
    (tmp_path / "conda" / "bin" / "python").mkdir()
    assert active_interpreter(env, "default") == "default"
    assert active_interpreter({"VIRTUAL_ENV": ""}, "default") == "default"
