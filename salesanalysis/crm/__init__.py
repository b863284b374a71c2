"""CRM data in: `load` an export into a store, `observe` it as of a day."""

from salesanalysis.crm.load import load
from salesanalysis.crm.seen import observe

__all__ = ["load", "observe"]
