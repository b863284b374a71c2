"""Metric tables: from the tables as seen on a day to small frames of counts, rates and bounds."""
