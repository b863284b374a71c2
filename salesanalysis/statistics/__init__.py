"""Estimates and intervals from counts; knows no CRM and imports nothing of ours."""
