"""Draws a run's loss by step as SVG: `python benchmarks/curve.py METRICS.jsonl OUT.svg`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

WIDTH, HEIGHT, LEFT, BELOW = 640, 280, 48, 32


def main(metrics: str, out: str) -> None:
    lines = [json.loads(line) for line in Path(metrics).read_text().splitlines()]
    steps, losses = [m["step"] for m in lines], [m["loss"] for m in lines]
    top, last = max(losses), steps[-1]

    def spot(step: float, loss: float) -> tuple[float, float]:
        x = LEFT + (WIDTH - LEFT - 8) * step / last
        return x, (HEIGHT - BELOW) - (HEIGHT - BELOW - 12) * loss / top

    points = " ".join(
        "{:.1f},{:.1f}".format(*spot(s, v)) for s, v in zip(steps, losses, strict=True)
    )
    marks = []
    for loss in range(int(top) + 1):
        _, y = spot(0, loss)
        marks.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - 8}" stroke="#8884"/>')
        marks.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{loss}</text>')
    for part in range(5):
        x, _ = spot(last * part / 4, 0)
        marks.append(
            f'<text x="{x:.1f}" y="{HEIGHT - 10}" text-anchor="middle">{last * part // 4}</text>'
        )
    Path(out).write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12" fill="#777">'
        f"<title>loss, nats a target, by step</title>{''.join(marks)}"
        f'<polyline points="{points}" fill="none" stroke="#4078c0" stroke-width="1.5"/></svg>\n'
    )


if __name__ == "__main__":
    main(*sys.argv[1:3])
