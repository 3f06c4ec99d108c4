"""Makes uncertainty.svg, the picture of docs/uncertainty.md: delays, what is predicted, and the 90 % interval.

To run in an environment with netwright: `python docs/images/uncertainty.py`. It takes its data from the page.
"""

import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

HERE = Path(__file__).resolve().parent
BLUE, ORANGE, GREY = "#2f6db3", "#d9722e", "#57606a"


def main():
    page = (HERE.parent / "uncertainty.md").read_text()
    names = {}
    exec(re.search(r"```python\n(.*?)```", page, re.DOTALL)[1], names)  # its first block
    model, fresh = names["model"], names["flights"](500, 2)
    hours = np.linspace(6, 22, 200)
    value, low, high = model.predict({"hour": hours, "carrier": ["a"] * 200}, interval=0.9)
    own = fresh["carrier"] == "a"
    inside = np.interp(fresh["hour"], hours, low) <= fresh["delay"]
    inside &= fresh["delay"] <= np.interp(fresh["hour"], hours, high)
    plt.rcParams.update({"svg.hashsalt": "netwright", "svg.fonttype": "none"})
    figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
    axes.fill_between(hours, low, high, color=BLUE, alpha=0.18, linewidth=0, label="90 % interval")
    axes.plot(hours, value, color=BLUE, linewidth=1.6, label="prediction")
    axes.plot(fresh["hour"][own & inside], fresh["delay"][own & inside], "o", color=GREY, markersize=3, label="inside")
    outside = own & ~inside
    axes.plot(fresh["hour"][outside], fresh["delay"][outside], "o", color=ORANGE, markersize=4, label="outside")
    axes.set(xlabel="hour", ylabel="delay, minutes")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper left", ncols=2)
    figure.savefig(HERE / "uncertainty.svg", metadata={"Date": None})
    print(f"{inside[own].mean():.0%} of {own.sum()} delays are inside")


if __name__ == "__main__":
    main()
