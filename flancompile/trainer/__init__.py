"""The JAX trainer: a build in, a fine-tuned model out. Start at `train.py`.

`config`, `log` and `flops` need no JAX; everything else is imported when it is used.
"""
