"""What must hold when something breaks: each test breaks it on purpose, many times, and counts."""
