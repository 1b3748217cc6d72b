"""Every command that a page shows is one that the program takes, and those of the shell blocks do what they say."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cyclopts import CycloptsError
from PIL import Image

import priorcraft as pc
from priorcraft.cli.app import application

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"```(?:bash|sh|shell|console)\n(.*?)```", re.DOTALL)
INLINE = re.compile(r"`(priorcraft [^`]+)`")
BUDGETS = (
    (r" --(minutes \S+|steps \d+)", ""),
    (r"priorcraft fit", "priorcraft fit --steps 20"),
    (r"-n 1\d{3,}", "-n 2000"),
    (r"--samples \d+", "--samples 10"),
    (r",\.\.\.", "," + ",".join(map(str, range(60, -1, -1)))),
)
ELSEWHERE = ("ray://", "torchrun", "venv", "benchmarks/")  # of other machines, or run by others


def shown(page: Path) -> list[str]:
    """Its command lines, those of shell blocks and those in the text."""
    text = page.read_text()
    lines = [part for block in BLOCK.findall(text) for line in block.splitlines() for part in line.split("&&")]
    told = [line for line in INLINE.findall(text) if not re.search(r"[\[…|]|\.\.\.", line)]
    return [line.strip() for line in [*lines, *told] if line.strip().startswith("priorcraft ")]


@pytest.mark.parametrize("shown_on", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_of_a_page_is_one(shown_on):
    for line in shown(shown_on):
        words = ["3" if word == "N" else word for word in shlex.split(line, comments=True)[1:]]
        if len(words) == 1 or words[0] == "studio":  # names of commands, and the one that is no verb
            assert words[0].startswith("-") or words[0] in set(application()), line
            continue
        try:
            application().parse_args(words, exit_on_error=False, print_error=False)
        except CycloptsError as error:
            pytest.fail(f"{line}: {error}")


@pytest.mark.parametrize("name", ["README", "docs/chapter"])
def test_a_page_in_korean_shows_what_the_english_one_shows(name):
    korean = f"{name}.ko.md" if name == "README" else name.replace("docs/", "docs/ko/") + ".md"
    english, other = ((ROOT / each).read_text() for each in (f"{name}.md", korean))
    for what in (INLINE, re.compile(r"[=≤] [\d.]+"), re.compile(r"arXiv:\d+\.\d+"), re.compile(r"^#+ ", re.MULTILINE)):
        assert sorted(what.findall(other)) == sorted(what.findall(english))


def data(page: str, folder: Path) -> None:
    """What the commands of a page find in the folder that they are typed in."""
    rng = np.random.default_rng(0)
    if page == "data.md":
        kinds = np.array(["cat", "dog"])[rng.integers(0, 2, 300)]
        rows = [f"{kind},{rng.normal(4 + (kind == 'dog'), 1):.1f},{rng.integers(3, 5)}" for kind in kinds]
        (folder / "pets.csv").write_text("\n".join(["kind,weight,legs", *rows]) + "\n")
        (folder / "holes.csv").write_text("\n".join(["kind,weight,legs", "cat,,4", ",5.0,"]) + "\n")
    elif page == "scale.md":
        (folder / "photos").mkdir()
        for i in range(60):
            Image.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8)).save(folder / "photos" / f"{i}.png")
        np.savetxt(folder / "t.csv", rng.integers(0, 5, (300, 3)), "%d", ",", header="a,b,c", comments="")
        pc.fit(folder / "t.csv", "chow-liu", steps=5, out=folder / "runs" / "t")
    elif page == "vae.md":
        pc.fit("digits", "vae", steps=20, out=folder / "runs" / "vae", settings={"hidden": 16, "depth": 1})


@pytest.mark.slow
@pytest.mark.parametrize("shown_on", [p for p in PAGES if BLOCK.search(p.read_text())], ids=lambda path: path.name)
def test_the_blocks_of_a_page_run_as_they_stand(shown_on, tmp_path):
    """Word for word but for budgets, which are cut."""
    data(shown_on.name, tmp_path)
    shims = {"priorcraft": f'exec {sys.executable} -m priorcraft "$@"', "python": f'exec {sys.executable} "$@"'}
    for name, line in shims.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)
    for block in BLOCK.findall(shown_on.read_text()):
        kept = "\n".join(line for line in block.splitlines() if not any(word in line for word in ELSEWHERE))
        for pattern, short in BUDGETS:
            kept = re.sub(pattern, short, kept)
        command = [shutil.which("bash") or "bash", "-euc", f'PATH="{tmp_path}:$PATH"\n{kept}']
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, f"{kept}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
