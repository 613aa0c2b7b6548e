"""Labels that others wrote down: CSV tables, Audacity label tracks, Raven selection tables."""
