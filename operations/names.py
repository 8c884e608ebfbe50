"""Find the one operation that a user means: `train`, `cnn:train`, `iris-cnn:train` or `./iris-cnn:train`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.errors import GuildError
from ledger.text import did_you_mean, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from operations.definitions import ModelDef, OperationDef

_MAX_LISTED = 20


class OperationNameError(GuildError):
    """The text names no operation, or more than one; nothing was started."""


def full_name(model: ModelDef, operation: OperationDef | None = None) -> str:
    """Return the name that means nothing else: `./iris-cnn`, or `./iris-cnn:train` with its operation.

    An operation that a file holds without a model is `./train`.
    """
    if operation is None:
        return f"./{model.name}"
    return f"./{model.name}:{operation.name}" if model.name else f"./{operation.name}"


def resolve_operation(spec: str, models: Sequence[ModelDef]) -> tuple[ModelDef, OperationDef]:
    """Return the only operation that `[MODEL:]OPERATION` can mean.

    OPERATION is exact. MODEL is a full name when it holds a slash, else any part of a model's name; an equal
    name wins over names that contain it. Without MODEL, or with one that fits several models, the operation
    must be found in exactly one of them.

    Raises:
        OperationNameError: the text is no operation name, fits nothing, or fits several operations.
    """
    model_text, name = _split(spec)
    fitting = models if model_text is None else _fitting_models(model_text, models)
    if not fitting:
        raise _unknown_model(model_text, models)
    found = [(model, operation) for model in fitting for operation in model.operations if operation.name == name]
    if not found:
        raise _unknown_operation(name, model_text, fitting)
    if len(found) > 1:
        raise _ambiguous(name, model_text, [full_name(*pair) for pair in found])
    return found[0]


def _split(spec: str) -> tuple[str | None, str]:
    model, colon, name = spec.rpartition(":")
    if ":" in model or not name.strip() or (colon and not model.strip()):
        raise OperationNameError(
            f"'{printable(spec)}' is not the name of an operation: expected OPERATION or MODEL:OPERATION",
            hint="For example: train, iris-cnn:train or ./iris-cnn:train",
        )
    return (model if colon else None), name


def _fitting_models(text: str, models: Sequence[ModelDef]) -> list[ModelDef]:
    if "/" in text:
        return [model for model in models if full_name(model) == text]
    equal = [model for model in models if model.name == text]
    return equal or [model for model in models if text in model.name]


def _unknown_model(text: str | None, models: Sequence[ModelDef]) -> OperationNameError:
    if not models:
        return OperationNameError(
            "there are no operations here because no model file defines any",
            hint="Change to a directory with a model file (MODELS, MODEL or guild.yml), or write one",
        )
    word = text or ""
    near = did_you_mean(word, [full_name(model) if "/" in word else model.name for model in models])
    return OperationNameError(f"cannot find a model matching '{printable(word)}'{near}", hint=_available(models))


def _unknown_operation(name: str, model_text: str | None, models: Sequence[ModelDef]) -> OperationNameError:
    shown = printable(name)
    near = did_you_mean(name, {operation.name for model in models for operation in model.operations})
    if model_text is None:
        message = f"cannot find operation '{shown}'{near}"
    elif len(models) == 1:
        message = f"operation '{shown}' is not defined for model '{full_name(models[0])}'{near}"
    else:
        message = f"operation '{shown}' is not defined for any model that matches '{printable(model_text)}'{near}"
    return OperationNameError(message, hint=_available(models))


def _ambiguous(name: str, model_text: str | None, candidates: Iterable[str]) -> OperationNameError:
    if model_text is None:
        message = f"several models have an operation '{printable(name)}'"
    else:
        message = f"there are multiple models that match '{printable(model_text)}' and have '{printable(name)}'"
    return OperationNameError(message, hint=_listing("Try specifying one of the following:", candidates))


def _available(models: Iterable[ModelDef]) -> str:
    names = [full_name(model, operation) for model in models for operation in model.operations]
    return _listing("Available operations:", names) if names else "No operation is defined: add one to the model file"


def _listing(title: str, names: Iterable[str]) -> str:
    ordered = sorted(names)
    lines = [title, *(f"  {printable(name)}" for name in ordered[:_MAX_LISTED])]
    if len(ordered) > _MAX_LISTED:
        lines.append(f"  ... and {len(ordered) - _MAX_LISTED} more")
    return "\n".join(lines)
