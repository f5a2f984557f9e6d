"""bin/histpred and bin/test: one environment, made once, and nothing in the way once it is there.

The quick tests run the shell scripts with a Python that only says what it was called with; the slow
ones install for real, from the package index.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest

SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
ECHO = """#!/bin/sh
[ "$2" = cat ] && exec cat
[ "$2" = exit ] && exit "$3"
printf '%s\\n' "$0" "$@"
"""


@pytest.fixture
def checkout(repository: Path, tmp_path: Path) -> Path:
    """The parts of a checkout that the scripts need, in a folder with a blank in its name."""
    root = tmp_path / "a checkout"
    shutil.copytree(repository / "bin", root / "bin", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy2(repository / name, root)
        os.utime(root / name, (1_000_000_000, 1_000_000_000))
    return root


@pytest.fixture(scope="module")
def environment(request: pytest.FixtureRequest) -> types.ModuleType:
    """bin/environment.py as a module."""
    path = request.config.rootpath / "bin" / "environment.py"
    spec = importlib.util.spec_from_file_location("environment", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def make_ready(root: Path, folder: Path, extras: str = "") -> None:
    """An environment that counts as complete, whose Python prints its arguments."""
    write_program(folder / "bin" / "python", ECHO)
    (folder / "ready").write_text(f"{root}\n{extras}\ndigest\n")


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def run(
    *command: str | Path,
    cwd: Path | None = None,
    stdin: str = "",
    path: str = SYSTEM_PATH,
    timeout: float = 60,
    **variables: str | Path,
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=cwd,
        env={"PATH": path, **{name: str(value) for name, value in variables.items()}},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def test_ready_environment_is_used_without_another_process(checkout: Path) -> None:
    folder = checkout / ".venv"
    make_ready(checkout, folder)

    # The PATH is empty, so only the shell and the environment's Python can have run.
    result = run(checkout / "bin" / "histpred", "predict", "a b", "", "*", path="")

    python, script, *arguments = result.stdout.split("\n")[:-1]
    assert (python, script) == (f"{folder}/bin/python", f"{folder}/bin/histpred")
    assert arguments == ["predict", "a b", "", "*"]
    assert (result.stderr, result.returncode) == ("", 0)


def test_works_from_anywhere(checkout: Path, tmp_path: Path) -> None:
    make_ready(checkout, checkout / ".venv")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "absolute").symlink_to(checkout / "bin" / "histpred")
    (elsewhere / "chained").symlink_to("absolute")
    (elsewhere / "relative").symlink_to("../a checkout/bin/histpred")
    expected = run(checkout / "bin" / "histpred", "x").stdout

    assert expected
    for command in ("./absolute", "./chained", "./relative", "../a checkout/bin/histpred"):
        assert run(command, "x", cwd=elsewhere).stdout == expected
    assert run("histpred", "x", path=f"{checkout}/bin:{SYSTEM_PATH}").stdout == expected
    assert run("sh", "histpred", "x", cwd=checkout / "bin", CDPATH="/usr").stdout == expected


def test_standard_input_and_exit_code_are_the_command_s(checkout: Path) -> None:
    make_ready(checkout, checkout / ".venv")
    assert run(checkout / "bin" / "histpred", "cat", stdin="chr1\t0\t9\n").stdout == "chr1\t0\t9\n"
    assert run(checkout / "bin" / "histpred", "exit", "75").returncode == 75


def test_python_s_own_variables_do_not_leak(checkout: Path) -> None:
    make_ready(checkout, checkout / ".venv")
    write_program(checkout / ".venv" / "bin" / "python", "#!/bin/sh\nenv\n")
    variables = {"PYTHONPATH": "/nowhere", "PYTHONHOME": "/nowhere", "PYTHONUTF8": "1"}
    seen = run(checkout / "bin" / "histpred", **variables).stdout.splitlines()
    assert sorted(line for line in seen if line.startswith("PYTHON")) == [
        "PYTHONNOUSERSITE=1",
        "PYTHONUTF8=1",
    ]


def test_bin_test_runs_pytest_in_the_checkout(checkout: Path, tmp_path: Path) -> None:
    make_ready(checkout, checkout / ".venv", extras="test")
    said = run(checkout / "bin" / "test", "-k", "a b", cwd=tmp_path).stdout.split("\n")
    assert said[1] == f"{checkout}/.venv/bin/pytest"
    assert said[-3:-1] == ["-k", "a b"]


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda root: (root / ".venv/ready").unlink(), id="no stamp"),
        pytest.param(lambda root: (root / ".venv/ready").write_text(""), id="empty stamp"),
        pytest.param(lambda root: (root / ".venv/bin/python").unlink(), id="Python gone"),
        pytest.param(lambda root: (root / "pyproject.toml").touch(), id="newer pyproject.toml"),
        pytest.param(lambda root: (root / "constraints.txt").touch(), id="newer constraints.txt"),
        pytest.param(lambda root: root.rename(root.parent / "moved"), id="moved"),
    ],
)
def test_anything_doubtful_is_looked_at_by_environment_py(checkout, tmp_path, spoil) -> None:
    make_ready(checkout, checkout / ".venv")
    long_ago = time.time() - 100
    os.utime(checkout / ".venv" / "ready", (long_ago, long_ago))
    spoil(checkout)
    root = checkout if checkout.exists() else tmp_path / "moved"
    write_program(tmp_path / "python" / "python3", '#!/bin/sh\n[ "$1" = -c ] || echo asked "$@"\n')

    result = run(root / "bin" / "histpred", "x", path=f"{tmp_path}/python:{SYSTEM_PATH}")

    assert (
        result.stdout == f"asked -I -B {root}/bin/environment.py {root} {root}/.venv   histpred x\n"
    )


def test_missing_extra_is_asked_for(checkout: Path, tmp_path: Path) -> None:
    make_ready(checkout, checkout / ".venv", extras="labels test")
    write_program(tmp_path / "python" / "python3", '#!/bin/sh\n[ "$1" = -c ] || echo asked\n')
    path = f"{tmp_path}/python:{SYSTEM_PATH}"
    histpred = checkout / "bin" / "histpred"

    assert run(histpred, path=path, HISTPRED_EXTRAS="test labels").stdout != "asked\n"
    assert run(histpred, path=path, HISTPRED_EXTRAS="test train").stdout == "asked\n"


@pytest.mark.parametrize(
    ("probe", "message"),
    [
        ("exit 1", "no Python 3.11 or newer on the PATH (older: python3)"),
        ('case "$2" in *ensurepip*) exit 1 ;; esac', "python3 cannot make virtual environments"),
    ],
)
def test_without_a_usable_python_it_says_what_to_do(checkout, tmp_path, probe, message) -> None:
    write_program(tmp_path / "python" / "python3", f"#!/bin/sh\n{probe}\n")
    result = run(checkout / "bin" / "histpred", path=f"{tmp_path}/python")
    assert result.returncode == 1
    assert message in result.stderr
    assert "apt install python3" in result.stderr


def test_outside_a_checkout(checkout: Path) -> None:
    (checkout / "pyproject.toml").unlink()
    result = run(checkout / "bin" / "histpred")
    assert result.returncode == 1
    assert "no checkout of histpred" in result.stderr


def test_place_of_the_environment(checkout: Path, tmp_path: Path) -> None:
    place = tmp_path / "some place"
    make_ready(checkout, place)
    said = run(checkout / "bin" / "histpred", HISTPRED_VENV=place).stdout
    assert said.startswith(f"{place}/bin/python\n")
    said = run(checkout / "bin" / "histpred", cwd=tmp_path, HISTPRED_VENV="some place").stdout
    assert said.startswith(f"{place}/bin/python\n")


def test_unwritable_checkout_uses_the_cache_or_says_why_not(checkout, tmp_path) -> None:
    # Root may write anywhere, so the script's own check is made to fail.
    script = checkout / "bin" / "environment.sh"
    script.write_text(script.read_text().replace('[ -w "$root" ]', "false"))
    make_ready(checkout, Path(f"{tmp_path}/home/.cache/histpred/environments{checkout}/.venv"))
    make_ready(checkout, Path(f"{tmp_path}/cache/histpred/environments{checkout}/.venv"))
    histpred = checkout / "bin" / "histpred"

    assert f"{tmp_path}/home/.cache/histpred" in run(histpred, HOME=tmp_path / "home").stdout
    assert f"{tmp_path}/cache/" in run(histpred, XDG_CACHE_HOME=tmp_path / "cache").stdout
    nowhere = run(histpred)
    assert nowhere.returncode == 1
    assert "HOME is not set" in nowhere.stderr
    assert "HISTPRED_VENV" in nowhere.stderr


def test_folder_of_someone_else_is_left_alone(environment, tmp_path: Path) -> None:
    (tmp_path / "pyvenv.cfg").write_text("mine")
    with (
        pytest.raises(environment.EnvironmentFailure, match="was not made by histpred"),
        environment.locked(tmp_path),
    ):
        pass
    assert os.listdir(tmp_path) == ["pyvenv.cfg"]


def test_folder_that_cannot_be_made(environment, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(environment.EnvironmentFailure, match="set HISTPRED_VENV"),
        environment.locked(tmp_path / "file" / "venv"),
    ):
        pass


def test_lock_is_waited_for_even_when_only_pip_still_has_it(environment, tmp_path, capsys) -> None:
    with (tmp_path / environment.LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        outlives_its_parent = subprocess.Popen(["sleep", "0.5"], pass_fds=[lock.fileno()])
    begun = time.monotonic()
    with environment.locked(tmp_path):
        waited = time.monotonic() - begun
    outlives_its_parent.wait()
    assert waited > 0.2
    assert "waiting for another process" in capsys.readouterr().err


def test_touched_but_unchanged_files_do_not_remake(environment, checkout, capsys) -> None:
    folder = checkout / ".venv"
    make_ready(checkout, folder)
    write_program(folder / "bin" / "python", "#!/bin/sh\n")
    stamp = environment.Stamp(str(checkout), frozenset(), environment.digest(checkout))
    stamp.write(folder / "ready")
    os.utime(folder / "ready", (0, 0))

    environment.prepare(checkout, folder, frozenset())

    assert capsys.readouterr().err == ""
    assert (folder / "ready").stat().st_mtime > time.time() - 60
    (checkout / "constraints.txt").write_text("click==8.1.0\n")
    stamp = stamp._replace(digest=environment.digest(checkout))
    assert not environment.is_whole(folder, stamp)


def test_failed_installation_leaves_only_its_log(environment, checkout, monkeypatch) -> None:
    folder = checkout / ".venv"

    def install_half(root: Path, folder: Path, lock: int) -> None:
        (folder / "lib").mkdir()
        environment.run_logged(["sh", "-c", "echo no network; exit 3"], folder, root, lock, "pip")

    monkeypatch.setattr(environment, "make", install_half)
    with pytest.raises(environment.EnvironmentFailure, match=r"pip failed.*\n    no network\n"):
        environment.prepare(checkout, folder, frozenset())
    assert sorted(os.listdir(folder)) == [environment.LOCK, environment.LOG]


def test_onnxruntime_gpu_is_installed_last(environment, checkout, monkeypatch) -> None:
    """onnxruntime installs into the same folder, and pip installs it after onnxruntime-gpu."""
    commands: list[list[str]] = []
    monkeypatch.setattr(
        environment, "run_logged", lambda command, *rest: commands.append([*map(str, command)])
    )
    environment.prepare(checkout, checkout / ".venv", frozenset({"gpu"}))
    _, extras, last = [command for command in commands if "compileall" not in command]
    assert extras[-1] == ".[gpu]"
    assert {"--force-reinstall", "--no-deps"} <= set(last)
    assert last[-1] == "onnxruntime-gpu"


# The tests below make real environments.


@pytest.fixture
def clone(repository: Path, tmp_path: Path) -> Path:
    """A copy of the files in the repository, as in a clone."""
    root = tmp_path / "a clone"
    ignored = (".git", ".venv", "__pycache__", ".*_cache", "dist", "results", "work")
    shutil.copytree(repository, root, ignore=shutil.ignore_patterns(*ignored))
    return root


def start(clone: Path, *arguments: str, **variables: str | Path) -> subprocess.Popen[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(clone.parent)}
    environment |= {name: str(value) for name, value in variables.items()}
    return subprocess.Popen(
        [clone / "bin" / "histpred", *arguments],
        cwd=clone.parent,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition, seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_after_killed_installations_three_at_once_install_once(clone: Path) -> None:
    """Of two packages, all that --version reads and one that takes a while to unpack.

    .ci/run makes its own environment in the same way, with all packages.
    """
    project = clone / "pyproject.toml"
    text, found = re.subn(
        r"(?ms)^dependencies = \[$.*?^\]$",
        'dependencies = ["click", "numpy"]',
        project.read_text(encoding="utf-8"),
    )
    assert found == 1
    project.write_text(text, encoding="utf-8")
    venv = clone / ".venv"
    for sign in (signal.SIGINT, signal.SIGKILL):  # after the first, nothing is left
        killed = start(clone, "--version")
        wait_for(lambda: list(venv.glob("lib/*/site-packages/numpy")))
        killed.send_signal(sign)
        killed.communicate()
        assert killed.returncode == (-sign if sign == signal.SIGKILL else 128 + sign)
        assert not (venv / "ready").exists()
        assert sign == signal.SIGKILL or not (venv / "bin").exists()

    started = [start(clone, "--version") for _ in range(3)]
    results = [(*process.communicate(), process.returncode) for process in started]
    assert [(out.startswith("histpred"), code) for out, _, code in results] == [(True, 0)] * 3
    said = "".join(err for _, err, _ in results)
    assert said.count("first use") == 1
    assert said.count("ready after") == 1

    again = start(clone, "--version")
    assert again.communicate()[1] == ""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_without_a_package_index_it_fails_clearly(clone: Path) -> None:
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": os.devnull}
    failed = start(clone, "--version", **offline)
    _, err = failed.communicate()
    assert failed.returncode == 1
    assert "pip install failed; its last lines:" in err
    assert "Traceback" not in err
    assert not (clone / ".venv" / "bin").exists()
