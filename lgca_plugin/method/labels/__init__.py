"""Given labels: calibration by them, suspected errors among them, and triage cases."""
