#!/usr/bin/env python3
"""includes.py [--draw]

Checks the structure of src/ by what its files include, and prints what is wrong.
Each folder says in its README.md, in a line "May include: ...", which other folders
it may include.

- Files include those folders, their own and the server, by path from src/.
- src/core includes itself and the C library, and nothing else.
- An internal.h is included by its own folder only.
- Neither folders nor files include each other in a circle.  A file is a .c with the
  .h of its name.
- A README.md names each file of its folder.

With --draw, prints which folder includes which, as a diagram for Mermaid.
"""

import collections
import pathlib
import re
import sys

SRC = pathlib.Path("src")
C_LIBRARY = re.compile(r"<(std[a-z]*|string)\.h>$")


def allowed_by_readme(folder):
    text = (folder / "README.md").read_text()
    line = re.search(r"^May include: (.*)$", text, re.M)
    if line is None:
        sys.exit(f"{folder}/README.md has no line \"May include: ...\"")
    names = line.group(1).strip()
    return set() if names == "nothing" else set(names.split(", "))


def sources():
    return sorted(p for p in SRC.rglob("*.[ch]"))


def includes(path):
    return re.findall(r"^\s*#\s*include\s+(\S+)", path.read_text(), re.M)


def circles(graph):
    """The strongly connected components with more than one node (Tarjan)."""
    order, low, stack, found = {}, {}, [], []

    def visit(node):
        order[node] = low[node] = len(order)
        stack.append(node)
        for other in graph.get(node, ()):
            if other not in order:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], order[other])
        if low[node] == order[node]:
            component = []
            while not component or component[-1] != node:
                component.append(stack.pop())
            if len(component) > 1:
                found.append(sorted(component))

    for node in sorted(graph):
        if node not in order:
            visit(node)
    return found


def check_file(path, folders, allowed):
    """Yields what is wrong with the includes of one file."""
    folder = path.parent.name if path.parent != SRC else None
    for name in includes(path):
        target = name.strip('"')
        other = target.split("/")[0]
        is_ours = name.startswith('"') and other in folders
        if folder == "core" and not (C_LIBRARY.match(name) or
                                     is_ours and other == "core"):
            yield f"{path} includes {name}, and core includes nothing but itself"
        elif not is_ours and name.startswith('"') and (path.parent / target).exists():
            yield f"{path} includes {name}; write it as a path from src/"
        elif not is_ours or folder is None or other == folder:
            continue
        elif other not in allowed[folder]:
            yield f"{path} includes {name}; src/{folder}/README.md does not allow it"
        elif target.endswith("/internal.h"):
            yield f"{path} includes {name}, which is for its own folder"


def check(folders, allowed, folder_graph, file_graph):
    for path in sources():
        yield from check_file(path, folders, allowed)
    for folder in folders:
        readme = (SRC / folder / "README.md").read_text()
        for path in sorted((SRC / folder).glob("*.c")):
            if f"`{path.name}`" not in readme:
                yield f"src/{folder}/README.md does not name {path.name}"
    for graph, what in ((allowed, "may include"), (folder_graph, "include"),
                        (file_graph, "include")):
        for circle in circles(graph):
            yield f"these {what} each other: {', '.join(circle)}"


def main():
    folders = sorted(p.name for p in SRC.iterdir() if p.is_dir())
    allowed = {f: allowed_by_readme(SRC / f) for f in folders}
    folder_graph = collections.defaultdict(set)
    file_graph = collections.defaultdict(set)
    for path in sources():
        node = str(path.relative_to(SRC).with_suffix(""))
        for name in includes(path):
            target = name.strip('"')
            other = target.split("/")[0]
            if not name.startswith('"') or other not in folders:
                continue
            if target[:-2] != node:
                file_graph[node].add(target[:-2])
            if path.parent != SRC and path.parent.name != other:
                folder_graph[path.parent.name].add(other)

    if sys.argv[1:] == ["--draw"]:
        print("graph TD")
        for folder in folders:
            for other in sorted(folder_graph[folder]):
                print(f"    {folder} --> {other}")
        return
    findings = list(check(folders, allowed, folder_graph, file_graph))
    print("\n".join(findings), end="\n" if findings else "")
    sys.exit(1 if findings else 0)


main()
