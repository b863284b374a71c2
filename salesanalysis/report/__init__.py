"""Runs notebooks, renders their pages and publishes them; knows no metric."""

import sys

# Under nbformat, jsonschema would spend most of a second on a grammar of international addresses, if it is
# installed; no notebook has one, and jsonschema does without.
sys.modules.setdefault("rfc3987_syntax", None)
