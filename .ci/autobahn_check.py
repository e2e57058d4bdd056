"""Judges a report of the Autobahn test suite, which itself never fails.

    python .ci/autobahn_check.py FOLDER NUMBER_OF_CASES

Every case that was to run has a verdict; all are OK but for three that RFC 6455 leaves open; and
every connection was closed with a code that the suite has received.
"""

import collections
import json
import pathlib
import sys

# What happens to data after a Close (7.1.6), and close codes that nobody has defined (7.13).
OPEN = {"7.1.6", "7.13.1", "7.13.2"}
# The suite sends a Close without a code, and "the endpoint typically echos the status code it
# received" (RFC 6455 section 5.5.1): there is none to echo, and 1005 "MUST NOT be set as a status
# code in a Close control frame" (section 7.4.1). So the right answer is an empty Close.
EMPTY = "7.3.1"


def is_empty_close(case):
    """Whether one Close was sent and one received, both without payload, to a clean end."""
    frames = [it for it in case["wirelog"] if it[0] in ("TF", "RF")]
    closes = [(kind, payload[0], opcode) for kind, payload, opcode, *_ in frames]
    return case["wasClean"] and closes == [("TF", 0, 8), ("RF", 0, 8)]


def main(folder, wanted):
    folder = pathlib.Path(folder)
    (cases,) = json.loads((folder / "index.json").read_text()).values()
    wrong = []
    without = 0
    for name, case in cases.items():
        allowed = {"OK", "INFORMATIONAL"} if name in OPEN else {"OK"}
        for key in "behavior", "behaviorClose":
            if case[key] not in allowed:
                wrong.append(f"{name}: {key} is {case[key]}")
        if case["remoteCloseCode"] is None:
            report = json.loads((folder / case["reportfile"]).read_text())
            if name != EMPTY or not is_empty_close(report):
                without += 1
                wrong.append(f"{name}: closed without a code")
    if len(cases) != wanted:
        wrong.append(f"{len(cases)} cases instead of {wanted}")
    for key in "behavior", "behaviorClose":
        found = collections.Counter(case[key] for case in cases.values())
        print(f"{key}: " + ", ".join(f"{count} {what}" for what, count in found.most_common()))
    print(f"{len(cases)} of {wanted} cases, {without} closed without a code")
    print("\n".join(wrong) or "all as it should be")
    return int(bool(wrong))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
