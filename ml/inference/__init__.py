"""What a released model does with files: answers, tables, pictures, copies. Loads no torch."""
