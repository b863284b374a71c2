"""Tests of the room that runs, renders and publishes; a package, as it shares `tiny`."""
