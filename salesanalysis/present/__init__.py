"""Charts, tables and sentences of metric tables, and the words they use; draws and formats, never computes."""
