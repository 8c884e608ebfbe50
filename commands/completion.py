"""`guild completion`: the script by which a shell completes guild's commands, operations, flags and runs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from commands.terminal import confirm, note, say
from ledger.errors import GuildError

if TYPE_CHECKING:
    from commands.app import App

_BEGIN = "# >>> guild completion >>>"
_END = "# <<< guild completion <<<"


@click.command("completion")
@click.argument("shell", metavar="bash|zsh|fish", type=click.Choice(["bash", "zsh", "fish"]))
@click.option("--install", is_flag=True, help="Write the script into the shell's start-up file.")
@click.option("-y", "--yes", is_flag=True, help="With --install: do not ask.")
@click.pass_context
def completion(ctx: click.Context, shell: str, *, install: bool, yes: bool) -> None:
    """Print the script with which a shell completes what you type for guild when you press Tab.

    \b
    Examples:
      source <(guild completion bash)          for this terminal
      guild completion zsh --install           for all to come
      guild completion fish | source
    """
    from commands.shells import script

    text = script(shell, ctx.find_root().command)
    if not install:
        say(text.rstrip("\n"))
        return
    app: App = ctx.obj
    path = start_up_file(shell)
    path = path if os.path.isabs(path) else os.path.join(app.cwd, path)
    _install(path, f"{_BEGIN}\n{text.rstrip()}\n{_END}\n", yes=yes)


def start_up_file(shell: str) -> str:
    """Return the file that a shell reads when it starts; fish has one for each program."""
    home = os.path.expanduser("~")
    if shell == "fish":
        config = os.environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
        return os.path.join(config, "fish", "completions", "guild.fish")
    if shell == "zsh":
        return os.path.join(os.environ.get("ZDOTDIR") or home, ".zshrc")
    return os.path.join(home, ".bashrc")


def _install(path: str, block: str, *, yes: bool) -> None:
    try:
        before = _content(path)
        after = _with_block(before, block)
        if after == before:
            note(f"{path!r} has the script already")
            return
        if not yes and not confirm(f"Write the completion script into {path!r}?"):
            return
        _write(path, after)
    except OSError as error:
        raise GuildError(
            f"cannot write {path!r}: {error.strerror}",
            hint="Put the output of `guild completion SHELL` there yourself.",
        ) from error
    note(f"Written to {path!r}; new terminals will use it")


def _content(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def _with_block(content: str, block: str) -> str:
    """Return a file with the script in it: where an older one was, else at the end."""
    start, middle, rest = content.partition(f"{_BEGIN}\n")
    _, end, after = rest.partition(f"{_END}\n")
    if middle and end:
        return start + block + after
    gap = "" if not content else "\n" if content.endswith("\n") else "\n\n"
    return content + gap + block


def _write(path: str, content: str) -> None:
    """Write a file whole or not at all; a link stays one, and what it leads to is written."""
    path = os.path.realpath(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    fresh = f"{path}.guild-{os.getpid()}"
    try:
        with open(fresh, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            if os.path.exists(path):
                os.chmod(fresh, os.stat(path).st_mode & 0o7777)
            file.write(content)
        os.replace(fresh, path)
    finally:
        if os.path.exists(fresh):
            os.unlink(fresh)
