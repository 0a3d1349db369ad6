#!/usr/bin/env python3
"""The course (docs/course.md) and its pages: they are complete, and what they show happens.

    tests/docs/course.py BUILD              runs the commands of the pages
    tests/docs/course.py BUILD --changes    and makes the changes of "Change something"

A page shows commands in two ways. One that is indented by four spaces and begins with
build/default/ must succeed. In a block of ```console a command begins with "$ ", and the lines
below it must occur in its output, but for the number of spaces; "..." stands for any text.

A block of ```diff is a change. Its first line names the file ("--- kernels/..."), and its lines
with " " and "-" must stand there once, one below the other. A console block after it, in the same
section, shows what the changed kernel gives: with --changes the change is made in a copy of the
sources, what depends on it is compiled as the build does, and the output is compared as above.
"""

import argparse
import functools
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SECTIONS = ["## Run it", "## What to expect", "## Change"]
failures = []


def fail(page, text):
    failures.append(f"{page.relative_to(ROOT)}: {text}")


# ---- the pages ----


def kernel_pages():
    """One for each family of kernels, which is a folder with .cu files, and Hopper's."""
    folders = {path.parent for path in (ROOT / "kernels").glob("*/*.cu")}
    folders.discard(ROOT / "kernels/gpu")  # the runtime's
    return [folder / "README.md" for folder in sorted(folders)] + [ROOT / "kernels/gemm/HOPPER.md"]


def check_sections(page):
    text = page.read_text()
    places = [text.find(f"\n{section}") for section in SECTIONS]
    if -1 in places or places != sorted(places):
        fail(page, f"it must have the sections {', '.join(SECTIONS)}, in this order")


def check_rungs(folder, pages):
    """Each rung is led to by a page of its folder."""
    text = "".join(page.read_text() for page in pages if page.parent == folder)
    for rung in sorted(folder.glob("[0-9][0-9]_*.cu")):
        if f"]({rung.name})" not in text:
            fail(folder / "README.md", f"it does not lead to {rung.name}")


def check_links(page):
    for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        if not (page.parent / link).exists():
            fail(page, f"the link to {link} leads nowhere")


def check_pages():
    """Returns the pages that are there."""
    course, pages = ROOT / "docs/course.md", []
    for page in kernel_pages():
        if page.exists():
            pages.append(page)
            check_sections(page)
        else:
            fail(page, "there is no page for this folder of kernels")
    for folder in sorted({page.parent for page in pages}):
        check_rungs(folder, pages)
    links = [f"../{page.relative_to(ROOT)}" for page in pages]
    for page in ROOT.glob("docs/experiments/e[0-9][0-9].md"):
        check_sections(page)
        links.append(f"experiments/{page.name}")
    for link in links:
        if f"]({link})" not in course.read_text():
            fail(course, f"it does not lead to {link}")
    for page in [course] + pages:
        check_links(page)
    return [course] + pages


def blocks_of(page):
    """(kind, lines, the change before it in its section) of each: indented, console, diff."""
    found, change, language, block = [], None, None, []
    for line in page.read_text().splitlines():
        if language is not None and not line.startswith("```"):
            block.append(line)
        elif language is not None:
            if language in ("console", "diff"):
                found.append((language, block, change))
            change = block if language == "diff" else change
            language = None
        elif line.startswith("```"):
            language, block = line[3:].strip(), []
        elif line.startswith("## "):
            change = None
        elif line.startswith("    build/default/"):
            found.append(("indented", [line.strip()], None))
    return found


def commands_of(block):
    """(command, expected lines) of a console block."""
    commands = []
    for line in block:
        if line.startswith("$ "):
            commands.append((line[2:], []))
        elif commands and line.strip() not in ("", "..."):
            commands[-1][1].append(line)
    return commands


# ---- what they show ----


def plain(line):
    return " ".join(line.split())


def compare(page, command, expected, said):
    """Each expected line is a line of what was said."""
    lines = [plain(line) for line in said.splitlines()]
    for line in map(plain, expected):
        pattern = ".*".join(re.escape(part) for part in line.split("..."))
        if any(re.fullmatch(pattern, given) for given in lines):
            continue
        near = [given for given in lines if given.startswith(line.split(" ")[0])] or lines[:12]
        text = "\n    ".join(near)
        return fail(page, f"'{command}' does not say\n    {line}\n  but\n    {text}")


@functools.cache
def run(command, build, folder):
    """Exit status and output of a command that a reader gives in the project's folder."""
    program, *arguments = shlex.split(command)
    program = build / pathlib.Path(program).relative_to("build/default")
    if not program.exists():
        return 127, f"{program} has not been built"
    done = subprocess.run([program, *arguments], cwd=folder, text=True, capture_output=True,
                          timeout=120)
    return done.returncode, done.stdout + done.stderr


def check_command(page, command, expected, build, folder):
    status, said = run(command, build, folder)
    if status != 0:
        return fail(page, f"'{command}' failed:\n{said[-600:]}")
    compare(page, command, expected, said)


def checked_change(page, change):
    """(file, text before, text after) of a change that applies."""
    path = ROOT / change[0].removeprefix("--- ")
    if not change[0].startswith("--- ") or not path.exists():
        return fail(page, f"a change begins with '--- FILE', not with '{change[0]}'")
    before = "".join(line[1:] + "\n" for line in change[1:] if line[:1] != "+")
    after = "".join(line[1:] + "\n" for line in change[1:] if line[:1] != "-")
    found = path.read_text().count(before)
    if found != 1:
        return fail(page, f"in {change[0][4:]} these lines stand {found} times:\n{before}")
    return path, before, after


def includes(path, wanted, seen):
    """Whether a file includes another one of its project, itself or by way of others."""
    if path == wanted:
        return True
    if path in seen or not path.exists():
        return False
    seen.add(path)
    names = re.findall(r'#include "(kernels/[^"]+)"', path.read_text())
    return any(includes(ROOT / name, wanted, seen) for name in names)


def build_changed(target, objects, path, copy, build):
    """Builds a program with the kernels that the changed file `path` concerns taken from `copy`:
    those whose objects are the build's `objects`."""
    steps = subprocess.run(["ninja", "-C", build, "-t", "commands", target], text=True,
                           capture_output=True, check=True).stdout.splitlines()
    link, first = steps[-1], []
    for step in steps:
        match = re.search(rf"-o (CMakeFiles/{objects}\.dir/(kernels/\S+\.cu)\.o) -c", step)
        if not match or not includes(ROOT / match[2], path, set()):
            continue
        source = ROOT / match[2]
        made = f"{copy}/{source.stem}.o"
        step = re.sub(r"-MD -MT \S+ -MF \S+", "", step)  # the build's own notes stay as they are
        step = step.replace(f"-o {match[1]}", f"-o {made}")
        step = step.replace(f"{ROOT}/kernels", f"{copy}/kernels")
        step = step.replace(f"-I{ROOT}", f"-I{copy} -I{ROOT}")
        subprocess.run(step, shell=True, cwd=build, check=True)
        if match[1] in link:
            link = link.replace(match[1], made)
        else:  # it is in a library, which is not asked for what there is already
            first.append(made)
    program = f"{copy}/program"
    link = link.replace(f"-o {target} ", f"{' '.join(first)} -o {program} ")
    subprocess.run(link, shell=True, cwd=build, check=True)
    return program


def try_change(page, change, commands, build):
    checked = checked_change(page, change)
    if not checked:
        return
    path, before, after = checked
    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(ROOT / "kernels", f"{copy}/kernels")
        changed = pathlib.Path(copy) / path.relative_to(ROOT)
        changed.write_text(changed.read_text().replace(before, after))
        for command, expected in commands:
            program, *arguments = shlex.split(command)
            if arguments[0] == "xray":
                target, objects = "strata-xray", "strata_traced_kernels"
                arguments = arguments[1:]
            else:  # the family's test
                target = program.removeprefix("build/default/")
                objects = f"strata_kernels_{path.parent.name}"
            program = build_changed(target, objects, path, copy, build)
            done = subprocess.run([program, *arguments], cwd=copy, text=True, capture_output=True,
                                  timeout=300)
            compare(page, f"{command}' with the change '{change[0]}", expected,
                    done.stdout + done.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--changes", action="store_true")
    parser.add_argument("--only", default="", help="pages whose path contains this")
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    with tempfile.TemporaryDirectory() as folder:
        for page in check_pages():
            if arguments.only not in str(page):
                continue
            for kind, block, change in blocks_of(page):
                if kind == "diff":
                    checked_change(page, block)
                elif kind == "indented":
                    check_command(page, block[0], [], build, folder)
                elif change is None:
                    for command, expected in commands_of(block):
                        check_command(page, command, expected, build, folder)
                elif arguments.changes:
                    try_change(page, change, commands_of(block), build)
    for failure in failures:
        print("FAIL:", failure)
    print(f"{run.cache_info().currsize} commands ran, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
