"""Import labels from CSV tables, Audacity label tracks and Raven selection tables."""
