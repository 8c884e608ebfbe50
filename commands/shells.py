"""What shells and guild say to each other when Tab is pressed: the scripts, the answers, and silence about errors."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from click.shell_completion import (
    BashComplete,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
    split_arg_string,
)

if TYPE_CHECKING:
    import click

VARIABLE = "_GUILD_COMPLETE"
"""The environment variable by which a shell asks; the same that click would take."""

# Bash splits words at `=` and `:` too, and replaces only what follows the last of them. So the script hands over the
# line as it is, and takes from each answer what stands before the cursor already.
_BASH = """\
%(complete_func)s() {
    local IFS=$'\\n' breaks="" cut="" full item line value open=1
    line="${COMP_LINE:0:COMP_POINT}"
    full="${line##*[[:space:]]}"
    [[ $full == --*=* ]] && full="${full#*=}"
    [[ $COMP_WORDBREAKS == *:* ]] && breaks+=":"
    [[ $COMP_WORDBREAKS == *=* ]] && breaks+="="
    [[ $COMP_WORDBREAKS == *@* ]] && breaks+="@"
    [[ -n $breaks && $full == *[$breaks]* ]] && cut="${full%%"${full##*[$breaks]}"}"
    COMPREPLY=()
    while IFS= read -r item; do
        value="${item#*,}"
        case "${item%%%%,*}" in
            dir) compopt -o dirnames 2>/dev/null ;;
            file) compopt -o default 2>/dev/null ;;
            plain)
                value="${value#"$cut"}"
                [[ $value == *[=:/] ]] || open=0
                printf -v value %%q "$value"
                COMPREPLY+=("$value")
                ;;
        esac
    done < <(env COMP_WORDS="$line" COMP_CWORD= %(complete_var)s=bash_complete "$1" 2>/dev/null)
    (( open )) && compopt -o nospace 2>/dev/null
    return 0
}

complete -o nosort -F %(complete_func)s %(prog_name)s 2>/dev/null || complete -F %(complete_func)s %(prog_name)s
"""

_ZSH = """\
#compdef %(prog_name)s

%(complete_func)s() {
    local -a plain described open response
    local type key description
    (( ! $+commands[%(prog_name)s] )) && return 1

    response=("${(@f)$(env COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) \
%(complete_var)s=zsh_complete %(prog_name)s 2>/dev/null)}")

    for type key description in ${response}; do
        case "$type" in
            dir) _path_files -/ ;;
            file) _path_files -f ;;
            plain)
                if [[ "$description" == "_" ]]; then
                    plain+=("$key")
                elif [[ "$key" == *= ]]; then
                    open+=("$key":"$description")
                else
                    described+=("$key":"$description")
                fi
                ;;
        esac
    done

    [[ -n "$described" ]] && _describe -V unsorted described -U
    [[ -n "$open" ]] && _describe -V unsorted open -U -S ''
    [[ -n "$plain" ]] && compadd -U -V unsorted -a plain
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
    compdef %(complete_func)s %(prog_name)s
fi
"""


class _Bash(BashComplete):
    """Bash: words as click's own script gives them, or the line up to the cursor with no number of a word."""

    source_template = _BASH

    def source(self) -> str:
        """Return the script; which bash will read it is not known here."""
        return ShellComplete.source(self)

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the one at the cursor, and that one."""
        if os.environ["COMP_CWORD"]:
            return super().get_completion_args()
        line = os.environ["COMP_WORDS"]
        words = split_arg_string(line)
        is_between = not line or (line[-1].isspace() and not line.endswith("\\ "))
        incomplete = "" if is_between or not words else words.pop()
        return words[1:], incomplete


class _Zsh(ZshComplete):
    """Zsh, with a script that puts no blank behind `NAME=`."""

    source_template = _ZSH


for _class in (_Bash, _Zsh):
    add_completion_class(_class)


def script(shell: str, group: click.Command) -> str:
    """Return what a shell has to read before it can complete: `bash`, `zsh` or `fish`."""
    classes: dict[str, type[ShellComplete]] = {"bash": _Bash, "zsh": _Zsh, "fish": FishComplete}
    return classes[shell](group, {}, "guild", VARIABLE).source()


def complete(group: click.Command) -> int:
    """Answer a shell and return the exit code: whatever is wrong, nothing is offered and nothing is said."""
    sys.stderr.flush()
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    os.close(silence)
    try:
        group.main(args=[], prog_name="guild", complete_var=VARIABLE, standalone_mode=False)
    except SystemExit:
        sys.stdout.flush()
    except BaseException:  # noqa: BLE001 - a person is typing: an error message would be put into the line
        return 0
    return 0
