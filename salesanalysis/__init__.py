"""Sales-process reports that are right, say how sure they are, and say what to do."""
