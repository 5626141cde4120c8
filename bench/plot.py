"""Pictures, drawn by gnuplot: small SVG files that need nothing to be seen."""

import math
import subprocess

# More bars than this show noise, and fewer hide a second peak.
BARS = 50

# What is taken for zero where a scale is logarithmic.
SMALLEST = 0.01

WIDTH = 720
HEIGHT = 300

# Of one of several panels, which are beneath each other.
PANEL_HEIGHT = 220

# In which part of the width a text is to the left of its line, to have room.
CROWDED = 0.75


def quoted(text):
    """A literal of gnuplot that means exactly this text."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def data_block(name, rows):
    """The definition of a data block, a line for each row of numbers."""
    lines = [" ".join(f"{number:.6g}" for number in row) for row in rows]
    return "\n".join([f"${name} << END", *lines, "END"])


def draw(path, height, commands):
    """Writes one picture."""
    head = [
        f"set terminal svg size {WIDTH},{height} enhanced "
        f'background "white" font "sans-serif,12"',
        f"set output {quoted(path)}",
        "set grid ytics lc rgb '#dddddd'",
        "set border 3",
        "set tics nomirror",
        "set key off",
    ]
    subprocess.run(["gnuplot"], input="\n".join([*head, *commands, ""]),
                   text=True, check=True)


def bars_of(values):
    """(from, to, part of all values in percent) of each bar, equally wide on
    a logarithmic scale.
    """
    clamped = [max(value, SMALLEST) for value in values]
    first = math.log(min(clamped))
    width = max((math.log(max(clamped)) - first) / BARS, 1e-3)
    counts = [0] * BARS
    for value in clamped:
        counts[min(BARS - 1, int((math.log(value) - first) / width))] += 1
    return [(math.exp(first + number * width),
             math.exp(first + (number + 1) * width),
             100 * count / len(values))
            for number, count in enumerate(counts) if count]


def mark(value, text, number, scale):
    """The commands for a vertical line with a text; number says which one."""
    x = f"{value:.6g}"
    place = math.log(value / scale[0]) / math.log(scale[1] / scale[0])
    side = "right offset -0.5,0" if place > CROWDED else "left offset 0.5,0"
    # One beneath the other, for the lines may be close together.
    height = 0.97 - 0.07 * number
    return [
        f"set arrow from {x}, graph 0 to {x}, graph 1 nohead "
        f"lc rgb '#aa3333' dt 2",
        f"set label {quoted(text)} at {x}, graph {height:.2f} {side} "
        f"noenhanced tc rgb '#aa3333' front",
    ]


def histogram(path, values, label, marks=()):
    """Draws how often which of the values occur, on a logarithmic scale.

    label says what they are; marks are (value, text) of vertical lines.
    """
    bars = bars_of(values)
    scale = (min([bars[0][0], *(value for value, _ in marks)]) / 1.1,
             max([bars[-1][1], *(value for value, _ in marks)]) * 1.1)
    tics = [digit * 10.0 ** power for power in range(-3, 6)
            for digit in (1, 2, 5)]
    commands = [
        data_block("bars", [((low + high) / 2, height / 2, low, high, 0,
                             height) for low, high, height in bars]),
        "set logscale x",
        f"set xrange [{scale[0]:.6g}:{scale[1]:.6g}]",
        f"set xtics ({', '.join(f'{tic:g}' for tic in tics)})",
        # With room for the texts.
        f"set yrange [0:{1.25 * max(height for _, _, height in bars):.6g}]",
        f"set xlabel {quoted(label)} noenhanced",
        f"set ylabel {quoted('% of ' + format(len(values), ','))}",
        "set style fill solid 0.7 noborder",
    ]
    for number, (value, text) in enumerate(marks):
        commands += mark(max(value, SMALLEST), text, number, scale)
    commands.append("plot $bars using 1:2:3:4:5:6 with boxxyerror "
                    "lc rgb '#4477aa'")
    draw(path, HEIGHT, commands)


def timeline(path, panels, shaded=None):
    """Draws several figures over the same time, one beneath the other.

    A panel is a label and points (seconds, value); shaded is the part of the
    time that has a grey background.
    """
    commands = [data_block(f"panel{number}", points)
                for number, (_, points) in enumerate(panels)]
    commands.append(f"set multiplot layout {len(panels)},1")
    # Or panels with labels of different widths would not be aligned.
    commands.append("set lmargin 11")
    if shaded is not None:
        commands.append(
            f"set object rectangle from {shaded[0]}, graph 0 to {shaded[1]}, "
            f"graph 1 behind fc rgb '#eeeeee' fs solid noborder")
    end = max(points[-1][0] for _, points in panels)
    commands += [f"set xrange [0:{end:.6g}]", "set yrange [0:*]"]
    for number, (label, _) in enumerate(panels):
        if number == len(panels) - 1:
            commands.append('set xlabel "seconds"')
        commands += [
            f"set ylabel {quoted(label)} noenhanced",
            f"plot $panel{number} using 1:2 with lines lw 1.5 "
            f"lc rgb '#4477aa'",
        ]
    commands.append("unset multiplot")
    draw(path, PANEL_HEIGHT * len(panels), commands)
