"""YAML in which every scalar is text, no key comes twice and nothing refers to anything else."""

from pathlib import Path

import yaml


class _TextLoader(yaml.BaseLoader):
    """BaseLoader keeps ``no``, ``0123`` and ``12:30`` as written; this one also refuses silent overwrites."""

    def compose_node(self, parent, index):
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise ValueError(
                f"line {event.start_mark.line + 1}: anchors and aliases are not allowed"
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key, _ in node.value:
            if str(key.value) in seen:
                raise ValueError(
                    f"line {key.start_mark.line + 1}: {key.value!r} stands twice in one block"
                )
            seen.add(str(key.value))
        return super().construct_mapping(node, deep=deep)


def loads(text: str) -> dict:
    """
    Read YAML text into dicts, lists and text.

    Raises
    ------
    ValueError
        Not YAML, not a block of keys, a key twice, an anchor or an alias; the message names the line.

    Examples
    --------
    >>> loads("answer: no\\nid: 0123")
    {'answer': 'no', 'id': '0123'}
    """
    try:
        data = yaml.load(text, Loader=_TextLoader)  # noqa: S506 - makes text only
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
    if not isinstance(data, dict):
        raise ValueError(  # noqa: TRY004 - one kind of error for a wrong file
            f"must be a block of keys and values, found {type(data).__name__}"
        )
    return data


def load(path: str | Path) -> dict:
    """Read a YAML file as `loads` does."""
    return loads(Path(path).read_text(encoding="utf-8"))
