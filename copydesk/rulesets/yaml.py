"""YAML as its version 1.2 has it: `off` and `no` are text, and a key that stands twice is an error."""

from typing import Any

import yaml


class YamlError(Exception):
    """The text is no YAML; the message names the line."""


class _Loader(yaml.SafeLoader):
    """PyYAML's own reads `law.cn: off` as false, and of a key that stands twice keeps the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise YamlError(f"line {key.start_mark.line + 1}: the key {key.value!r} stands twice")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool" or first in "tTfF"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parsed(text: str) -> Any:
    """The content of a YAML text, {} for none. Raises YamlError."""
    try:
        # A SafeLoader, if not by its name: nothing but plain values is made.
        return yaml.load(text, Loader=_Loader) or {}  # noqa: S506
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise YamlError(f"{line}{error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise YamlError(str(error)) from error
