"""Ditto's networks as ONNX graphs, in the precisions that runtimes want, and engines made of them ahead of time.

`graphs` says what a graph takes and gives, `write` makes the file, `half` and `quantize` make a narrower one of it,
`build` makes everything that a runtime needs. Graphs are made by torch and used without it.
"""
