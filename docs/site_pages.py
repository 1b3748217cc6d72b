"""What the site adds to the folder `docs/`, made at every build: mkdocs calls it (`hooks` in mkdocs.yml).

The commands come from the signatures that the command line itself uses, the reference from docstrings, and the pages at
the root of the repository stand beside those of `docs/`.
"""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import priorcraft
from priorcraft import declared
from priorcraft.cli.command import command
from priorcraft.verbs.schema import schema

BAR = r"\|"  # within a table
ROOT = Path(__file__).parent.parent
PACKAGE = Path(priorcraft.__file__).parent
EXAMPLES = re.compile(
    r"^```(?:.|\n)*?^```|^>>> .*(?:\n.+|\n+>>> .*)*", re.MULTILINE
)  # what is marked already, and what is not
PAGES = {  # at the root of the repository, and where the site has them
    "README.md": "index.md",
    "README.ko.md": "ko/index.md",
    "ARCHITECTURE.md": "architecture.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that are not in `docs/`, and places what mkdocs.yml does not: the reference, and newer pages."""
    made = {to: moved((ROOT / source).read_text("utf-8"), to) for source, to in PAGES.items()}
    made |= {"commands.md": "\n".join(commands())} | dict(reference())
    for path, content in made.items():
        files.append(File.generated(config, path, content=content))
    files.append(File.generated(config, "CITATION.cff", abs_src_path=str(ROOT / "CITATION.cff")))
    sections = {title: pages for item in config.nav or [] for title, pages in item.items()}
    sections["Reference"] += [path for path, _ in reference()]
    known = set(placed(config.nav or []))
    sections["Project"] += [page.src_uri for page in files.documentation_pages() if page.src_uri not in known]
    return files


def placed(nav: list[Any]) -> Iterator[str]:
    """The pages of a navigation, at any depth.

    >>> list(placed([{"Start": "index.md"}, {"Course": ["a.md", {"B": "b.md"}]}]))
    ['index.md', 'a.md', 'b.md']
    """
    for item in nav:
        for pages in item.values() if isinstance(item, dict) else (item,):
            yield from [pages] if isinstance(pages, str) else placed(pages)


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links into the sources become links into the reference."""
    return re.sub(r"\]\(\.\./src/priorcraft/(\w+)[^)]*\)", r"](reference/\1.md)", markdown)


def on_post_page(output: str, *, page: Page, config: MkDocsConfig) -> str:
    """Says of the Korean pages that they are Korean, to screen readers and to the line breaker."""
    return output.replace('<html lang="en"', '<html lang="ko"', 1) if page.url.startswith("ko/") else output


def moved(text: str, to: str) -> str:
    """The text of a page at the root, with its links as they must be at its place in the site.

    >>> moved("[a](docs/gan.md) ![b](docs/demo.png) [c](README.ko.md) [d](https://e.f)", "index.md")
    '[a](gan.md) ![b](demo.png) [c](ko/index.md) [d](https://e.f)'
    >>> moved("[a](docs/ko/chapter.md) [c](README.md)", "ko/index.md")
    '[a](../ko/chapter.md) [c](../index.md)'
    """
    up = "../" * to.count("/")

    def link(found: re.Match[str]) -> str:
        target = found[1]
        return f"]({up}{PAGES.get(target, target.removeprefix('docs/'))})"

    return re.sub(r"\]\((?!https?:|#)([^)]+)\)", link, text)


def commands() -> Iterator[str]:
    """The page of commands: each with its words, options, files and the fields of its answer."""
    yield "# Commands\n"
    yield "Made from the signatures and docstrings of the verbs, as the commands themselves are. Each is a function of"
    yield "`priorcraft`, too, with the same arguments: `priorcraft score RUN` is `pc.score(run)`."
    yield "`priorcraft studio`, the one command that gives no answer, has [a page of its own](studio.md).\n"
    for name in declared.names():
        verb, parameters = declared.verb(name), inspect.signature(command(name)).parameters.values()
        placed = [each for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]
        words = [f"[{each.name.upper()}]" if each.default is not each.empty else each.name.upper() for each in placed]
        fields = schema(verb.name)
        yield f"## {verb.name}\n\n{fenced(verb.text)}\n"
        yield f"```sh\n{' '.join(['priorcraft', verb.name, *words, '[OPTIONS]'])}\n```\n"
        yield "| | what | default |\n|---|---|---|"
        yield from (row(each) for each in parameters)
        if answered := getattr(fields, "answer", {}).get("properties", ()):
            yield "\nThe answer has " + ", ".join(f"`{field}`" for field in answered) + "."
        yield f"\nIn Python: [`priorcraft.{name}`][{verb.module}.{name}].\n"


def row(parameter: inspect.Parameter) -> str:
    """A word or an option of a command as a line of a table."""
    shown = parameter.annotation.__metadata__[0]
    placed = parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    names = (parameter.name.upper(),) if placed else shown.name
    default = parameter.default
    told = "required" if default is parameter.empty else "" if default is None or default is False else f"`{default}`"
    return f"| {' '.join(f'`{name}`' for name in names)} | {(shown.help or '').replace('|', BAR)} | {told} |"


def reference() -> Iterator[tuple[str, str]]:
    """The pages of the reference: one a package or module of `priorcraft`, and one that lists them."""
    found = sorted(path for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists())
    names = [path.stem for path in found if not path.stem.startswith("_")]
    lines = [f"- [`priorcraft.{name}`]({name}.md)" for name in names]
    yield "reference/index.md", "\n".join(["# Reference\n", *lines])
    for name in names:
        yield f"reference/{name}.md", f"# priorcraft.{name}\n\n::: priorcraft.{name}\n"


def fenced(text: str) -> str:
    """Examples that stand in a text, marked as code; Markdown takes `>>>` for a quotation.

    >>> fenced("So:\\n\\n>>> 1 + 1\\n2\\n\\nThen.")
    'So:\\n\\n```python\\n>>> 1 + 1\\n2\\n\\n```\\n\\nThen.'
    """
    return EXAMPLES.sub(lambda found: found[0] if found[0].startswith("`") else f"```python\n{found[0]}\n\n```", text)


class Examples(griffe.Extension):
    """Marks the examples of docstrings as code, before they are rendered."""

    def on_instance(self, *, obj: griffe.Object, **kwargs: object) -> None:
        """Called for everything that has a docstring."""
        if obj.docstring:
            obj.docstring.value = fenced(inspect.cleandoc(obj.docstring.value))
