"""Whether the tests would notice: two mutants of the product are built and must be caught. All of
them, fault/mutants/*.patch, take a quarter of an hour."""
import os
import subprocess

from belfry import BUILD, PATIENCE, ROOT


def test_two_mutants_are_caught():
    done = subprocess.run([os.path.join(ROOT, "tests/fault/mutants/run"), "skip-resync",
                           "synchronous-off"], env=dict(os.environ, BUILD=BUILD), text=True,
                          capture_output=True, timeout=600 * PATIENCE, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
