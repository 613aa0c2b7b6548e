"""The ground floor: values that every part of `ml` uses. Imports nothing else of `ml`."""
