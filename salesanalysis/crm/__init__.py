"""CRM data in: `load` an export into a store, `observe` it as of a day; `read_process` the rules it is judged by."""

from salesanalysis.crm.load import load
from salesanalysis.crm.process_file import read_process
from salesanalysis.crm.seen import observe

__all__ = ["load", "observe", "read_process"]
