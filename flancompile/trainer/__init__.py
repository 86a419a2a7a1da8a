"""Fine-tune a decoder on a build, in JAX. Start at `train.py`.

`config`, `checks`, `log` and `flops` do not import JAX; the other modules are imported on use.
"""
