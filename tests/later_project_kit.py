"""A project of the later kind, with what its operations need: a server, files, a model file of every feature."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.cli_kit import Guild

WITNESS = '''\
import json, os, sys


def tell(**seen):
    """Print what this process got."""
    files = [os.path.relpath(os.path.join(folder, name)) for folder, _, names in os.walk(".") for name in names]
    files = sorted(file for file in files if not file.startswith(".guild"))
    env = {name: value for name, value in os.environ.items() if name.startswith(("FLAG_", "MY_"))}
    print("WITNESS " + json.dumps({"argv": sys.argv[1:], "files": files, "env": env, "cwd": os.getcwd(), **seen}))
'''


SHARED = """\
- config: usual-flags
  flags:
    lr: {default: 0.1, type: float, min: 0, max: 1, description: How far to go in each step}
    opt:
      default: sgd
      choices:
        - sgd
        - value: adam
          description: Adam with decay
          args: {optimizer: adam, decay: 0.9}
    seed: {default: 1, type: int, arg-name: random-seed}

- config: any-model
  params:
    rows: 3
    preparation: prepare
  resources:
    table:
      target-path: input
      sources:
        - operation: prepare
          name: prepared
          select: [.+\\.csv, notes\\.txt]
          rename: '(.+)\\.csv \\1.tsv'
  operations:
    prepare:
      main: "{{preparation}}"
      flags-import: all
      flags:
        rows: "{{rows}}"
      label: "${rows} rows"
"""


GUILD_YML = """\
- include: shared.yml

- model: petals
  description: Petal classifiers
  extends: any-model
  params: {rows: 4}
  op-defaults:
    env: {MY_THREADS: 2}
    tags: [petals]
  output-scalars:
    - loss: 'loss: (\\value)'
  sourcecode:
    - exclude: '*.md'
  operations:
    train:
      description: Train it
      main: train
      default: yes
      requires: table
      flags-import: all
      flags-import-skip: [notes]
      env: {MY_RATE: "at ${lr}"}
      label: lr=${lr}
      compare: [=lr, loss]
    linked:
      main: look
      requires:
        operation: prepare
        select: .+\\.csv
        target-type: link
    some-flags: {main: train, flags-import: [lr], flags: {epochs: 9}}
    no-flags: {main: train, flags-import: no}
    pipeline:
      flags: {rows: 5, lr: 0.2}
      steps:
        - prepare rows=${rows}
        - run: train
          name: second
          flags: {lr: "${lr}"}
          label: piped
          tags: [slow]

- model: forms
  operations:
    prepare: {exec: echo another}
    args: {main: look --own first, flags-dest: args, flags: {$include: usual-flags}}
    argparse: {main: prepare, flags-import: all, flags: {sep: ';'}}
    click: {main: package/tap, flags-dest: 'args:click'}
    globals: {main: train, flags-dest: globals, flags-import: all}
    one-dict: {main: holders, flags-dest: 'global:params'}
    namespace: {main: holders, flags-dest: 'namespace:args', flags-import: all, flags: {net: rnn}}
    yaml: {main: shown conf/net.yml, flags-dest: 'config:conf/net.yml'}
    json: {main: shown net.json, flags-dest: 'config:net.json', flags-import: all}
    ini: {main: shown net.ini, flags-dest: 'config:net.ini', flags-import: [net.depth]}
    types:
      main: look
      flags-dest: args
      flags:
        whole: {type: int, default: 1, min: 0, max: 9}
        some: {type: float}
        on: {type: boolean, default: no, arg-switch: yes}
        place: {type: existing-path}
        file: {type: filename}
        name: {type: string, required: yes}
        pair: {default: [1, 2], arg-split: ' '}
        kind: {choices: [a, {value: b, alias: bee}]}
        hidden: {default: x, arg-skip: yes, env-name: MY_HIDDEN}

- operations:
    exec: {exec: "printf '<%s>' ${flag_args}", flags: {$include: usual-flags}}
    chosen: {exec: cat chosen.csv, requires: {file: 'data/${which}.csv', rename: '.+ chosen.csv'}, flags: {which: a}}
    listed: {main: holders, flags: {sizes: [1, 2]}, flags-dest: 'global:params'}
    shell:
      exec: sh -c 'echo "$MY_A:$1:$2"' sh ${a} "${b} more"
      env: {MY_A: "${a}!"}
      flags: {a: two words, b: 5}
    script: {exec: sh tools/go.sh --twice, flags: {lr: 1}}
    files:
      main: look
      requires:
        - {file: petals.csv, sha256: PETALS}
        - {file: data, name: folder}
        - {file: data, name: part, select: '.*b\\.csv', rename: {pattern: b, repl: c}, target-path: picked}
    web: {main: look, requires: {url: 'SERVER/sepals.csv', sha256: SEPALS, target-path: down}}
    config:
      exec: cat settings.yml
      flags: {depth: 3, other: x}
      requires: [{config: settings.yml.in, params: {net.name: 'n-${depth}'}}, {module: json}]
    no-module: {main: look, requires: [{module: no_such_module}]}
    no-file: {main: look, requires: 'file:gone.csv'}
    damaged: {main: look, requires: {file: petals.csv, sha256: SEPALS}}
"""


FILES = {
    "shared.yml": SHARED,
    "guild.yml": GUILD_YML,
    "witness.py": WITNESS,
    "look.py": "import argparse\nfrom witness import tell\n\ntell()\n",
    "prepare.py": """\
import argparse
from witness import tell

parser = argparse.ArgumentParser()
parser.add_argument("--rows", type=int, default=2, help="How many rows")
parser.add_argument("--sep", choices=[",", ";"], default=",")
args = parser.parse_args()
with open("table.csv", "w") as file:
    file.write(f"a{args.sep}b\\n" * args.rows)
open("notes.txt", "w").close()
open("more.log", "w").close()
tell(rows=args.rows, sep=args.sep)
""",
    "train.py": """\
from witness import tell

lr = 0.1
epochs = 3
layers = [64, 32]
warm = False
notes = "none"

tell(values=[lr, epochs, layers, warm, notes])
print("loss: 0.5")
""",
    "package/tap.py": """\
import click
from witness import tell


@click.command()
@click.option("--lr", default=0.1)
@click.option("--fast/--slow", default=False)
def main(lr, fast):
    tell(values=[lr, fast])


main()
""",
    "holders.py": """\
from types import SimpleNamespace
from witness import tell

args = SimpleNamespace(lr=0.1, net="cnn")
params = {"lr": 0.2, "opt": "sgd"}
tell(args=vars(args), params=params)
""",
    "shown.py": "import sys\nfrom witness import tell\n\ntell(text=open(sys.argv[1]).read())\n",
    "conf/net.yml": "net:\n  depth: 2\n  width: 8\nlr: 0.1\n",
    "net.json": '{"net": {"depth": 2}, "lr": 0.1}',
    "net.ini": "[net]\ndepth = 2\nname = a\n",
    "settings.yml.in": "depth: 1\nnet:\n  name: a\n",
    "tools/go.sh": 'echo "go $*"\n',
    "petals.csv": "1,2\n",
    "data/a.csv": "a\n",
    "data/in/b.csv": "b\n",
    "ignored.txt": "x\n",
    ".guildignore": "ignored.txt\n",
    "README.md": "# Petals\n",
}


SEPALS = b"3,4\n"


@pytest.fixture(name="server", scope="module")
def server_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve one file; give the address."""
    folder = tmp_path_factory.mktemp("web")
    (folder / "sepals.csv").write_bytes(SEPALS)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()
        thread.join()


@pytest.fixture(name="home", scope="module")
def home_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the home of all tests of this file."""
    return tmp_path_factory.mktemp("later") / "home"


@pytest.fixture(name="guild")
def guild_fixture(tmp_path: Path, home: Path, server: str) -> Guild:
    """Give the command in a new copy of the project."""
    project = tmp_path / "petals"
    digests = {"PETALS": sha256(FILES["petals.csv"].encode()).hexdigest(), "SEPALS": sha256(SEPALS).hexdigest()}
    for name, text in FILES.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    path = project / "guild.yml"
    for word, meaning in {**digests, "SERVER": server}.items():
        path.write_text(path.read_text().replace(word, meaning))
    return Guild(home, project)
