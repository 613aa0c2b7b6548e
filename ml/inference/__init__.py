"""What a released model does with files: answers, tables, detections, packages, rules."""
