"""The process environment, both ways: what of it may be recorded, and what a run's process is given.

The ledger never forgets, so it must never learn a password: only variables known to change results are
recorded, by allow-list. The process itself gets everything the user has.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence

from ledger.errors import GuildError

_RECORDED = frozenset(
    """
    LANG LANGUAGE TZ PATH LD_LIBRARY_PATH LD_PRELOAD DYLD_LIBRARY_PATH
    PYTHONPATH PYTHONHOME PYTHONHASHSEED PYTHONOPTIMIZE PYTHONWARNINGS PYTHONNOUSERSITE PYTHONSAFEPATH
    VIRTUAL_ENV CONDA_DEFAULT_ENV CONDA_PREFIX
    HIP_VISIBLE_DEVICES ROCR_VISIBLE_DEVICES GPU_DEVICE_ORDINAL NVIDIA_VISIBLE_DEVICES ZE_AFFINITY_MASK
    OPENBLAS_NUM_THREADS VECLIB_MAXIMUM_THREADS NUMEXPR_NUM_THREADS NUMEXPR_MAX_THREADS
    CUBLAS_WORKSPACE_CONFIG TOKENIZERS_PARALLELISM KERAS_BACKEND
    HF_HUB_OFFLINE HF_DATASETS_OFFLINE TRANSFORMERS_OFFLINE
    RANK LOCAL_RANK WORLD_SIZE LOCAL_WORLD_SIZE MASTER_ADDR MASTER_PORT
    SLURM_JOB_ID SLURM_JOB_NAME SLURM_JOB_NODELIST SLURM_JOB_PARTITION SLURM_CLUSTER_NAME SLURM_PROCID
    SLURM_NTASKS SLURM_ARRAY_JOB_ID SLURM_ARRAY_TASK_ID SLURM_CPUS_PER_TASK SLURM_GPUS
    PBS_JOBID PBS_ARRAY_INDEX LSB_JOBID LSB_JOBINDEX JOB_ID SGE_TASK_ID
    """.split()  # noqa: SIM905 - read as prose, one subject to a line
)
_RECORDED_PREFIXES = (
    "LC_",
    "OMP_",
    "MKL_",
    "KMP_",
    "GOMP_",
    "CUDA_",
    "CUDNN_",
    "NCCL_",
    "MIOPEN_",
    "TF_",
    "XLA_",
    "JAX_",
    "TORCH_",
    "PYTORCH_",
)
_SECRET = re.compile("TOKEN|KEY|SECRET|PASS|CREDENTIAL|AUTH|PRIVATE|COOKIE")
_FOREIGN_PREFIXES = ("TF_VAR_", "TF_CLI_")  # another tool's: its variables are full of passwords
_USER_IN_URL = re.compile(r"(?<=://)(?:[^\s/@]*:[^\s,;]*|[^\s,;/]+)@")
_NOT_ALPHANUMERIC = re.compile("[^A-Za-z0-9]")


def allowed(env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of `env` that are recorded with a run, sorted by name.

    Names that look secret are left out unless they are well known not to be, and user names and passwords in
    URLs are masked.
    """
    return {name: _USER_IN_URL.sub("***@", env[name]) for name in sorted(env) if _is_recorded(name)}


def _is_recorded(name: str) -> bool:
    if name in _RECORDED:
        return True
    if not name.startswith(_RECORDED_PREFIXES) or name.startswith(_FOREIGN_PREFIXES):
        return False
    return _SECRET.search(name.upper()) is None


def process_environment(
    base: Mapping[str, str],
    *,
    run_id: str,
    run_dir: str,
    cmd_dir: str,
    model_dir: str,
    home: str,
    flags_text: Mapping[str, str],
    module_path: Sequence[str],
) -> dict[str, str]:
    """Return the environment of a run's process: all of `base`, and what the run is about.

    Args:
        base: the user's environment. FLAG_ variables in it are dropped when it is itself the environment of a
            run: they are that run's flags, not this one's.
        run_id: becomes RUN_ID.
        run_dir: becomes RUN_DIR, the working directory of the process.
        cmd_dir: becomes CMD_DIR, where the command was given.
        model_dir: becomes MODEL_DIR, where the model file is.
        home: becomes GUILD_HOME, the root of the home.
        flags_text: flag values as text, each becomes FLAG_<NAME>. When two names turn into the same variable,
            the last in sorted order is what the process sees.
        module_path: first entries of PYTHONPATH; the user's own follow.

    Raises:
        GuildError: a flag's value holds a NUL character, which the system cannot pass on.
    """
    nested = "RUN_ID" in base and "RUN_DIR" in base
    result = {name: value for name, value in base.items() if not (nested and name.startswith("FLAG_"))}
    result.update(_flag_variables(flags_text))
    # An empty entry would mean the working directory, which the user did not ask for.
    entries = [*module_path, *filter(None, [base.get("PYTHONPATH")])]
    result.update(
        RUN_ID=run_id,
        RUN_DIR=run_dir,
        CMD_DIR=cmd_dir,
        MODEL_DIR=model_dir,
        GUILD_HOME=home,
        PYTHONPATH=os.pathsep.join(dict.fromkeys(entries)),
        PYTHONUNBUFFERED="1",
    )
    return result


def _flag_variables(flags_text: Mapping[str, str]) -> dict[str, str]:
    result = {}
    for name in sorted(flags_text):
        if "\0" in flags_text[name]:
            raise GuildError(f"the value of flag {name!r} holds a NUL character, which no process can be given")
        result["FLAG_" + _NOT_ALPHANUMERIC.sub("_", name).upper()] = flags_text[name]
    return result


def active_interpreter(env: Mapping[str, str], default: str) -> str:
    """Return the Python of the virtual or conda environment that is active in `env`, or else `default`."""
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        if env.get(name):
            candidate = os.path.join(env[name], "bin", "python")
            if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
                return candidate
    return default
