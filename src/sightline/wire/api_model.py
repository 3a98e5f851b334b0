"""The KVS API as botocore's own service model has it: routes, errors and complete input validation (KVS.md §2.8).

Nothing of the rules is written by hand: required members, types, lengths, ranges, patterns and enums are read from
the installed botocore. Its own ``ParamValidator`` leaves out maxima, patterns and enums; this walker does them all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final, cast

import msgspec
import regex
from botocore.loaders import Loader
from botocore.model import ListShape, ServiceModel, Shape, StructureShape

from ..errors import InvalidArgument

__all__ = ["CONTROL_PLANE", "DATA_PLANE", "Operation", "operation", "operations", "parse_input"]

CONTROL_PLANE: Final = (
    "CreateSignalingChannel",
    "DescribeSignalingChannel",
    "ListSignalingChannels",
    "UpdateSignalingChannel",
    "DeleteSignalingChannel",
    "GetSignalingChannelEndpoint",
    "TagResource",
    "UntagResource",
    "ListTagsForResource",
    "DescribeMediaStorageConfiguration",
    "UpdateMediaStorageConfiguration",
    "DescribeMappedResourceConfiguration",
)
DATA_PLANE: Final = ("GetIceServerConfig", "SendAlexaOfferToMaster")

_SERVICES: Final = {"kinesisvideo": CONTROL_PLANE, "kinesis-video-signaling": DATA_PLANE}


class Operation(msgspec.Struct, frozen=True):
    """One operation of the API: its name, its path and the shape of its input."""

    name: str
    path: str
    input_shape: StructureShape


@cache
def _services() -> Mapping[str, ServiceModel]:
    loader = Loader()
    return {name: ServiceModel(loader.load_service_model(name, "service-2"), service_name=name) for name in _SERVICES}


@cache
def operations() -> Mapping[str, Operation]:
    """The operations that the service offers, by path. Paths are case-sensitive, as irregular as KVS has them."""
    found = {}
    for service, names in _SERVICES.items():
        for name in names:
            model = _services()[service].operation_model(name)
            path = model.http["requestUri"]
            found[path] = Operation(name, path, cast(StructureShape, model.input_shape))
    return found


@cache
def operation(name: str) -> Operation:
    """The operation of that name."""
    return next(found for found in operations().values() if found.name == name)


def parse_input(found: Operation, body: bytes) -> dict[str, object]:
    """The members of a request body, checked against the model; raises InvalidArgument.

    As AWS does: an empty body is an empty object, unknown members are ignored, ``null`` means absent.
    """
    try:
        value = msgspec.json.decode(body) if body.strip() else {}
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise InvalidArgument(f"The request body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise InvalidArgument("The request body is not a JSON object.")
    cleaned = _clean(value, found.input_shape)
    problems = list(_problems(cleaned, found.input_shape, ""))
    if problems:
        count = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected"
        raise InvalidArgument(f"{count}: {'; '.join(problems[:8])}")
    return cast(dict[str, object], cleaned)


def _clean(value: object, shape: Shape) -> object:
    """Without the members that the model does not know and without nulls."""
    if isinstance(value, dict) and shape.type_name == "structure":
        members = cast(StructureShape, shape).members
        return {k: _clean(v, members[k]) for k, v in value.items() if k in members and v is not None}
    if isinstance(value, list) and shape.type_name == "list":
        member = cast(ListShape, shape).member
        return [_clean(item, member) for item in value]
    return value


def _problems(value: object, shape: Shape, at: str) -> Iterator[str]:
    match shape.type_name:
        case "structure":
            if not isinstance(value, dict):
                yield _wrong_type(at, "an object")
                return
            for name in shape.required_members:
                if name not in value:
                    yield f"Value at '{_join(at, name)}' failed to satisfy constraint: Member must not be null"
            for name, member in value.items():
                yield from _problems(member, shape.members[name], _join(at, name))
        case "list":
            if not isinstance(value, list):
                yield _wrong_type(at, "a list")
                return
            yield from _out_of_range(len(value), shape, at, "length")
            for index, item in enumerate(value[:64]):
                yield from _problems(item, cast(ListShape, shape).member, f"{at}.{index + 1}.member")
        case "string":
            if not isinstance(value, str):
                yield _wrong_type(at, "a string")
                return
            yield from _string_problems(value, shape, at)
        case "integer" | "long":
            if not isinstance(value, int) or isinstance(value, bool):
                yield _wrong_type(at, "an integer")
                return
            yield from _out_of_range(value, shape, at, "value")
        case "boolean":
            if not isinstance(value, bool):
                yield _wrong_type(at, "a boolean")


def _string_problems(value: str, shape: Shape, at: str) -> Iterator[str]:
    yield from _out_of_range(len(value), shape, at, "length")
    enum = shape.metadata.get("enum")
    if enum and value not in enum:
        yield (
            f"Value {_shown(value)} at '{at}' failed to satisfy constraint: "
            f"Member must satisfy enum value set: [{', '.join(enum)}]"
        )
    pattern = shape.metadata.get("pattern")
    if pattern and not (len(value) <= 10_000 and _compiled(pattern).fullmatch(value)):
        yield (
            f"Value {_shown(value)} at '{at}' failed to satisfy constraint: "
            f"Member must satisfy regular expression pattern: {pattern}"
        )


def _out_of_range(number: int, shape: Shape, at: str, what: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and number < least:
        yield f"Value at '{at}' failed to satisfy constraint: Member must have {what} greater than or equal to {least}"
    if most is not None and number > most:
        yield f"Value at '{at}' failed to satisfy constraint: Member must have {what} less than or equal to {most}"


def _wrong_type(at: str, expected: str) -> str:
    return f"Value at '{at}' must be {expected}"


def _join(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


def _shown(value: str) -> str:
    return repr(value if len(value) <= 60 else value[:60] + "…")


@cache
def _compiled(pattern: str) -> regex.Pattern[str]:
    # The models use \p{L} and friends, which the standard library's re cannot read.
    return regex.compile(pattern)
