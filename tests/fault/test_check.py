"""The checker on good histories and on bad ones: bad/RULE.history and bad/RULE-how.history must be
caught as exactly that rule."""
import glob
import os
import re
import subprocess

import pytest

from belfry import BUILD

HERE = os.path.dirname(os.path.realpath(__file__))
PROGRAM = os.path.join(BUILD, "tests/fault/check_history")


def histories(folder):
    return sorted(os.path.basename(path)[:-len(".history")] for path in
                  glob.glob(os.path.join(HERE, folder, "*.history")))


def judge(folder, name):
    """The exit code, and how often each rule was broken."""
    options = ["--no-closes"] if name.startswith("stream_closed") else []
    path = os.path.join(HERE, folder, name + ".history")
    done = subprocess.run([PROGRAM] + options + [path], capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    counts = dict(re.findall(r"(\w+)=(\d+)", done.stdout.splitlines()[-1].partition("events=")[0]))
    return done.returncode, set(counts), done.stdout


@pytest.mark.parametrize("name", histories("good"))
def test_good(name):
    code, broken, said = judge("good", name)
    assert code == 0 and not broken, said


@pytest.mark.parametrize("name", histories("bad"))
def test_bad(name):
    code, broken, said = judge("bad", name)
    assert code == 1 and broken == {name.partition("-")[0]}, said


def test_every_rule_has_a_bad_history():
    with open(os.path.join(HERE, "check.c"), encoding="utf-8") as source:
        rules = set(re.findall(r'\[RULE_\w+\] = "(\w+)"', source.read()))
    assert rules == {name.partition("-")[0] for name in histories("bad")}
