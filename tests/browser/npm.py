"""What tests need from npm: installed once for each build, into its folder."""
import fcntl
import filecmp
import os
import shutil
import subprocess

from belfry import BUILD

HERE = os.path.join(os.path.dirname(os.path.realpath(__file__)), "npm")
FOLDER = os.path.join(os.path.realpath(BUILD), "npm")


def node_modules():
    """The folder with the packages of npm/package.json."""
    os.makedirs(FOLDER, exist_ok=True)
    wanted, have = os.path.join(HERE, "package.json"), os.path.join(FOLDER, "package.json")
    modules = os.path.join(FOLDER, "node_modules")
    with open(os.path.join(FOLDER, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(have) or not filecmp.cmp(wanted, have, shallow=False):
            shutil.copy(wanted, have + ".new")
            os.replace(have + ".new", os.path.join(FOLDER, "package.json"))
            done = subprocess.run(["npm", "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"],
                                  cwd=FOLDER, capture_output=True, text=True, check=False)
            if done.returncode:
                os.unlink(have)
                raise RuntimeError("npm install: " + done.stderr[-2000:])
    return modules
