"""What a released model does with files: detections, tables of them, and their review."""
