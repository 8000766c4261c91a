"""Reads the signature of a plugin's run(): its parameters, their types, what it returns."""

from __future__ import annotations

import functools
import inspect
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final, get_type_hints

from pydantic.fields import FieldInfo

REQUIRED: Final = inspect.Parameter.empty
REFUSED: Final = inspect.Parameter.empty

_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_MOST_LAYERS = 50


@dataclass(frozen=True)
class Parameter:
    """A parameter that callers pass by name; without annotation its type is ``Any``."""

    name: str
    annotation: Any
    default: Any = REQUIRED


@dataclass(frozen=True)
class Signature:
    """What ``run`` takes and returns.

    ``extras`` is the type of further parameters (``**kwargs``) or ``REFUSED``, ``reserved`` the names
    that these must not have, ``findings`` messages about what the author should fix.
    """

    parameters: tuple[Parameter, ...] = ()
    extras: Any = REFUSED
    returns: Any = Any
    reserved: frozenset[str] = frozenset()
    function: object = None
    findings: tuple[str, ...] = ()


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_OF_CALLERS = {"bool", "bytes", "dict", "float", "int", "list", "set", "str", "tuple"}
_LACKS_SELF = "run() takes no `self`, so that it cannot be called; write `def run(self, ...)`"


def read_signature(owner: type) -> Signature:
    """Read the signature of ``owner.run``; if that fails, accept any parameters and report it."""
    # Descriptors, decorators and annotations are the plugin's code; whatever they raise, it must load.
    try:
        if _lacks_self(owner):
            return Signature(extras=Any, findings=(_LACKS_SELF,))
        run = _bound(owner)
        return _read(owner, run, _inspect(run))
    except Exception as err:
        reason = f"The signature of run() cannot be read ({_reason(err)}), so any parameters are taken"
        return Signature(extras=Any, findings=(reason,))


def _lacks_self(owner: type) -> bool:
    """Return True if ``run`` has no ``self``: no parameter at all, or a first one meant for callers."""
    run = inspect.getattr_static(owner, "run")
    if not isinstance(run, types.FunctionType) or hasattr(run, "__wrapped__"):
        return False
    first = next(iter(_signature_of(run, follow_wrapped=False).parameters.values()), None)
    if first is None or first.kind not in _POSITIONAL:
        return first is None or first.kind is not inspect.Parameter.VAR_POSITIONAL
    kind = getattr(first.annotation, "__name__", str(first.annotation)).partition("[")[0]
    is_of_callers = kind in _OF_CALLERS or first.default is not inspect.Parameter.empty
    return is_of_callers and first.name != "self"


def _bound(owner: type) -> Any:
    """Bind ``run`` as an instance would, without creating one, which may be expensive."""
    run = inspect.getattr_static(owner, "run")
    bind = getattr(type(run), "__get__", None)
    return bind(run, object(), owner) if bind else run


def _inspect(run: Callable[..., Any]) -> inspect.Signature:
    try:
        outer = _signature_of(run, follow_wrapped=False)
    except ValueError:  # wrapper written in C, such as functools.lru_cache
        return _signature_of(run, follow_wrapped=True)
    # A decorator with **kwargs accepts the parameters of the function it wraps.
    kinds = {each.kind for each in outer.parameters.values()}
    return _signature_of(run, follow_wrapped=inspect.Parameter.VAR_KEYWORD in kinds)


def _signature_of(run: Callable[..., Any], *, follow_wrapped: bool) -> inspect.Signature:
    if sys.version_info >= (3, 14):
        from annotationlib import Format

        return inspect.signature(run, follow_wrapped=follow_wrapped, annotation_format=Format.FORWARDREF)
    return inspect.signature(run, follow_wrapped=follow_wrapped)


def _read(owner: type, run: Any, signature: inspect.Signature) -> Signature:
    layers = tuple(_layers(run))
    findings: list[str] = []
    namespace = _Namespace(owner, layers[-1], findings)
    parameters: list[Parameter] = []
    extras: Any = REFUSED
    for each in signature.parameters.values():
        if each.kind in _BY_NAME:
            annotation = namespace.resolve(each.annotation, f"parameter '{each.name}'")
            parameters.append(_parameter(each.name, annotation, each.default))
        elif each.kind is inspect.Parameter.VAR_KEYWORD:
            extras = namespace.resolve(each.annotation, f"parameter '**{each.name}'")
        else:
            findings.append(_positional(each))
    returns = namespace.resolve(signature.return_annotation, "the result")
    reserved = _reserved(layers, signature)
    return Signature(tuple(parameters), extras, returns, reserved, layers[-1], tuple(findings))


def _parameter(name: str, annotation: Any, default: Any) -> Parameter:
    if isinstance(default, FieldInfo):
        # The FieldInfo holds the default, if any, and pydantic applies it.
        return Parameter(name, Annotated[annotation, default], REQUIRED)
    return Parameter(name, annotation, default)


def _positional(parameter: inspect.Parameter) -> str:
    if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
        return f"Parameter '*{parameter.name}' stays empty: callers pass parameters by name; remove it"
    return (
        f"Parameter '{parameter.name}' takes no value by name, as callers pass it: "
        "remove the '/' from the signature of run()"
    )


def _layers(run: Any) -> Iterator[Any]:
    """Yield the wrappers of the plugin's function from the outside in, that function last."""
    for _ in range(_MOST_LAYERS):
        yield run
        run = _inner(run)
        if run is None:
            return


def _inner(run: Any) -> Any:
    if isinstance(run, functools.partial):
        return run.func
    if inspect.ismethod(run):
        return run.__func__
    if hasattr(run, "__wrapped__"):
        return run.__wrapped__
    call = type(run).__call__
    return call if inspect.isfunction(call) else None


def _reserved(layers: tuple[Any, ...], signature: inspect.Signature) -> frozenset[str]:
    """Return names already bound, such as ``self``; passing them again would raise TypeError."""
    names: set[str] = set()
    for each in layers:
        code = getattr(each, "__code__", None)
        if code is not None and not inspect.ismethod(each):
            names.update(code.co_varnames[code.co_posonlyargcount : code.co_argcount])
    return frozenset(names - set(signature.parameters))


class _Namespace:
    """Resolves the names in the annotations of one function."""

    def __init__(self, owner: type, function: Any, findings: list[str]) -> None:
        home = next((each for each in owner.__mro__ if "run" in vars(each)), owner)
        self._globals = getattr(function, "__globals__", {})
        self._locals = {each.__name__: each for each in getattr(function, "__type_params__", ())}
        self._locals.update(vars(home))
        self._findings = findings

    def resolve(self, annotation: Any, what: str) -> Any:
        if annotation is inspect.Parameter.empty:
            return Any

        def holder() -> None: ...

        holder.__annotations__ = {"it": annotation}
        # Evaluating an annotation runs code of the plugin, which may raise anything.
        try:
            return get_type_hints(holder, self._globals, self._locals, include_extras=True)["it"]
        except Exception as err:
            shown = inspect.formatannotation(annotation)
            self._findings.append(
                f"The type of {what}, {shown}, cannot be resolved ({_reason(err)}), so it is not checked"
            )
            return Any


def _reason(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
