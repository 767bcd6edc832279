"""Installs this checkout's package into the environment of the Python that runs it.

The library is the one that `make` had cargo build together with the command line, Node's and C's, and laid into the
package. `maturin develop` and `pip install --editable .` have cargo build this package alone: with other features and
another environment, so that everything is compiled a second time. Both work; they take longer.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    from pip._vendor import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Writes what an installer writes (PyPA's "Recording installed projects"), and a path file in place of the package."""
    project = read("pyproject.toml")["project"]
    version = read("Cargo.toml")["workspace"]["package"]["version"]
    name = project["name"]
    packages, programs = Path(sysconfig.get_path("purelib")), Path(sysconfig.get_path("scripts"))
    for older in packages.glob(f"{name}-*.dist-info"):
        shutil.rmtree(older)

    info = f"{name}-{version}.dist-info"
    entries = {"console_scripts": project["scripts"], **project["entry-points"]}
    files = {
        f"{name}.pth": f"{ROOT / 'bindings-python' / 'python'}\n",
        f"{info}/INSTALLER": "make\n",
        f"{info}/METADATA": "\n".join([
            "Metadata-Version: 2.1",
            f"Name: {name}",
            f"Version: {version}",
            f"Summary: {project['description']}",
            f"Requires-Python: {project['requires-python']}",
            *(f"Requires-Dist: {dependency}" for dependency in project["dependencies"]),
            "",
        ]),
        f"{info}/entry_points.txt": "".join(
            f"[{group}]\n" + "".join(f"{key} = {target}\n" for key, target in members.items())
            for group, members in entries.items()
        ),
    }
    (packages / info).mkdir()
    for path, text in files.items():
        (packages / path).write_text(text, encoding="utf-8")
    record = [*files, f"{info}/RECORD"]
    for script, target in project["scripts"].items():
        module, function = target.split(":")
        program = programs / script
        program.write_text(
            f"#!{sys.executable}\nimport sys\nfrom {module} import {function}\nsys.exit({function}())\n", encoding="utf-8"
        )
        program.chmod(0o755)
        record.append(str(program))
    (packages / info / "RECORD").write_text("".join(f"{path},,\n" for path in record), encoding="utf-8")
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", *project["dependencies"]], check=True)


def read(path: str) -> dict[str, Any]:
    """One TOML file of the checkout."""
    return tomllib.loads((ROOT / path).read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
