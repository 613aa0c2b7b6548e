"""The two built-in sample projects, generated on the spot: bricks on a belt and sounds of a forest."""
