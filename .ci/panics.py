#!/usr/bin/env python3
"""Follows each call of what panics, in programs with lines for debugging, to the source it stands for.

    .ci/panics.py PROGRAM.. -- PROGRAM..

None may stand in `frame`, `mask`, `utf8` or `close`, however it was inlined. Of those rooms' functions
nearly all must be seen, in the programs of either list; of the first list the calls are followed.
"""

import pathlib
import re
import subprocess
import sys

SRC = pathlib.Path(__file__).resolve().parent.parent / "src"
# What the machine does not compile, or only for tests, is not among them.
ROOMS = "frame utf8 close mask/mod mask/body mask/short mask/vector mask/x86 mask/portable".split()
PANIC = re.compile(
    r"^ *([0-9a-f]+):\s+(?:call|jmp) .*<(?:core|alloc|std|bytes)::.*(?:panic|fail|unwrap|expect|overflow)"
)
FUNCTION = re.compile(r"^ *(?:pub(?:\(\w+\))? )?(?:const )?(?:unsafe )?fn (\w+)", re.M)


def run(*command, text=""):
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def sites(program):
    """For each call of what panics the source lines, the innermost first."""
    code = run("objdump", "-d", "-C", "--no-show-raw-insn", program)
    calls = [match[1] for match in map(PANIC.match, code.splitlines()) if match]
    lines = run("addr2line", "-a", "-i", "-e", program, text="\n".join(calls))
    return [site.split("\n")[1:] for site in re.split(r"^0x", lines, flags=re.M)[1:]]


def functions(program):
    """The names of all functions, also of those that are only left inlined."""
    names = set(re.findall(r"\b_(?:ZN|R)\w[\w.$]*", run("readelf", "--debug-dump=info", program)))
    return [name for name in run("c++filt", text="\n".join(names)).split("\n") if "sockless" in name]


def main():
    at = sys.argv.index("--")
    followed, others = sys.argv[1:at], sys.argv[at + 1 :]
    found, elsewhere = [], 0
    for site in (site for program in followed for site in sites(program)):
        ours = [line for line in site if line.startswith(f"{SRC}/")]
        elsewhere += bool(ours)
        if any(line[len(f"{SRC}/") :].startswith(("frame.rs", "utf8.rs", "close.rs", "mask/")) for line in ours):
            found.append("\n  ".join(["a panic site:", *ours]))
    seen = "\n".join(name for program in followed + others for name in functions(program))
    names = {
        (room.split("/")[0], name)
        for room in ROOMS
        for name in FUNCTION.findall((SRC / f"{room}.rs").read_text().split("#[cfg(test)]\nmod tests")[0])
    }
    unseen = [
        f"{room}::{name}"
        for room, name in sorted(names)
        if not re.search(rf"sockless::{room}\b.*::{name}(?:::|$)", seen, re.M)
    ]
    print(f"inlined    {len(found)} panic sites, {elsewhere} in other rooms of ours")
    print(f"           {len(names) - len(unseen)} of {len(names)} functions; not {', '.join(unseen)}")
    if not elsewhere:
        found.append("no site at all was followed to a line of ours: this looked at nothing")
    if len(unseen) > len(names) // 10:
        found.append("too many functions were not seen")
    if found:
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()
