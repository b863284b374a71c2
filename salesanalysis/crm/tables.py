"""
The canonical tables: what a CRM is to this project, whatever product it was exported from.

One row per column: name, kind, whether a row without it is refused. Kinds and what the store holds for them:
``id``, ``text`` text; ``ts`` an instant (UTC) and, beside ``…_at``, the local day ``…_on``; ``date`` a day;
``money`` a decimal with four places in the report currency; ``share`` a fraction in [0, 1]; ``number``, ``int``,
``bool``. Words: deal 商机, stage 阶段, end state 终态 (won 赢单, lost 丢单), owner 负责人, entry 进入.
"""

from typing import NamedTuple


class Column(NamedTuple):
    """One column of a canonical table."""

    name: str
    kind: str
    required: bool = False


def _columns(spec: str) -> tuple[Column, ...]:
    """Read ``name:kind`` words; a ``!`` after the kind marks a required column."""
    words = (word.split(":") for word in spec.split())
    return tuple(Column(name, kind.rstrip("!"), kind.endswith("!")) for name, kind in words)


TABLES: dict[str, tuple[Column, ...]] = {
    "stages": _columns(
        "pipeline:text stage:text! stage_order:int! is_won:bool is_lost:bool probability:share "
        "sla_days:int goal:text required_actions:text"
    ),
    "deals": _columns(
        "deal_id:id! created_at:ts! status:text! closed_at:ts stage:text pipeline:text owner:id "
        "amount:money expected_close:date probability:share forecast_category:text loss_reason:text "
        "source:text segment:text product:text region:text account_id:id account:text lead_id:id "
        "next_step_at:ts merged_into:id"
    ),
    "stage_events": _columns(
        "deal_id:id! pipeline:text stage:text! entered_at:ts! exited_at:ts actor:text "
        "change_source:text seq:int"
    ),
    "owner_history": _columns("deal_id:id! owner:id! valid_from:ts! valid_to:ts"),
    "deal_changes": _columns(
        "deal_id:id! field:text! old:text new:text changed_at:ts! actor:text change_source:text"
    ),
    "leads": _columns(
        "lead_id:id! created_at:ts! source:text owner:id status:text converted_at:ts deal_id:id"
    ),
    "activities": _columns(
        "activity_id:id! deal_id:id rep:id type:text! created_at:ts! due_at:ts done_at:ts "
        "duration_min:number outcome:text"
    ),
    "people": _columns(
        "person_id:id! name:text! team:text manager_id:id role:text hired_on:date left_on:date "
        "valid_from:date valid_to:date"
    ),
    "quotas": _columns(
        "holder_type:text! holder_id:id! period_start:date! period_end:date! measure:text! "
        "value:money! currency:text"
    ),
    "credits": _columns("deal_id:id! person_id:id! share:share! type:text!"),
    "satisfaction": _columns(
        "deal_id:id account_id:id person_id:id asked_at:ts! answered_at:ts score:number "
        "scale_max:number"
    ),
    "payments": _columns("deal_id:id! paid_on:date! amount:money!"),
}

ALLOWED: dict[tuple[str, str], tuple[str, ...]] = {
    ("deals", "status"): ("open", "won", "lost", "removed"),
    ("deal_changes", "field"): ("amount", "expected_close", "forecast_category", "probability"),
    ("quotas", "holder_type"): ("person", "team"),
    ("quotas", "measure"): ("amount", "count", "activity"),
    ("credits", "type"): ("revenue", "overlay"),
}

KEYS: dict[str, tuple[str, ...]] = {
    "stages": ("pipeline", "stage"),
    "deals": ("deal_id",),
    "activities": ("activity_id",),
    "leads": ("lead_id",),
    "people": ("person_id", "valid_from"),
    "quotas": ("holder_type", "holder_id", "period_start", "measure"),
}

SEGMENTS = ("region", "product", "team", "owner", "source", "segment")


def on(column: str) -> str:
    """
    Name of the local-day column beside an instant.

    >>> on("created_at")
    'created_on'
    """
    return column.removesuffix("_at") + "_on"
