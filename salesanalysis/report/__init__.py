"""Runs notebooks, renders their pages and publishes them; knows no metric."""
