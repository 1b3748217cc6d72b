"""Pictures as files: one for each image that was asked about, in one file or a folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

from priorcraft import disk
from priorcraft.answer import Answer
from priorcraft.contents import printable
from priorcraft.errors import UsageError
from priorcraft.outputs import check_out, write_bytes

ENDINGS = (".png", ".tif", ".tiff")


class Pictures(Answer):
    """An answer that has a picture for each image, which `save(path, "restored")` writes.

    A path with the ending of a picture is one file, or several with the images' names behind its own; a path without an
    ending is a folder, in which the pictures have the names of their images; one that holds files takes more with
    `overwrite` alone.
    """

    pictured: ClassVar[Sequence[str]] = ("restored",)  # what is these pictures, and nothing else

    def images_named(self) -> Sequence[str]:
        """The name of each image, without its ending."""
        raise NotImplementedError

    def restored(self, number: int, suffix: str) -> bytes:
        """The picture of one image, as a file of that ending."""
        raise NotImplementedError

    @classmethod
    def writable(cls, path: str | Path, what: str = "out", *, overwrite: bool = False) -> Path:
        """The path, if it may be written; of pictures it may be a folder."""
        path = Path(path)
        if path.suffix or what not in ("restored", "out"):
            return super().writable(path, what, overwrite=overwrite)
        if path.exists() and not path.is_dir():
            raise UsageError(f"{printable(path)} is a file; a folder, or a name that ends in .png, is needed.")
        if path.is_dir() and any(path.iterdir()) and not overwrite:
            raise UsageError(f"{printable(path)} holds files; choose another folder, or add to it with --overwrite.")
        if not path.parent.is_dir():
            raise UsageError(f"{printable(path)} cannot be written: there is no folder {printable(path.parent)}.")
        return path

    def save(self, path: str | Path, what: str = "out", *, overwrite: bool = False) -> Self:
        """Writes the answer, or the pictures in it."""
        ending = Path(path).suffix.lower()
        if ending and (what not in self.pictured or ending == ".npz"):
            return super().save(path, what, overwrite=overwrite)
        target, names = self.writable(path, what, overwrite=overwrite), self.images_named()
        files = [target] if len(names) == 1 else [target.with_stem(f"{target.stem}-{name}") for name in names]
        if not target.suffix:
            files = [target / f"{name}.png" for name in names]
        if not target.suffix and not target.exists():
            with disk.tree(target) as tree:
                for number, file in enumerate(files):
                    disk.write(tree / file.name, self.restored(number, ".png"))
        else:
            for file in files:
                check_out(file, ENDINGS, overwrite=overwrite)
            for number, file in enumerate(files):
                write_bytes(file, self.restored(number, file.suffix.lower()), overwrite=overwrite)
        self.saved[what] = str(target) if len(files) == 1 or not target.suffix else ", ".join(map(str, files))
        return self


def distinct(files: Sequence[str | Path]) -> list[str]:
    """The stem of each file, numbered where several have the same.

    >>> distinct(["a/x.png", "b/x.jpg", "y.png"])
    ['x-1', 'x-2', 'y']
    """
    stems = [Path(file).stem for file in files]
    seen: dict[str, int] = {}
    names = []
    for stem in stems:
        seen[stem] = seen.get(stem, 0) + 1
        names.append(f"{stem}-{seen[stem]}" if stems.count(stem) > 1 else stem)
    return names
