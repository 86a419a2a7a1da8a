"""Score a model's answers to a build's evaluation tasks, without JAX. Start at `task.py`."""
