"""Files from the page: names and sizes are checked before they are kept, archives before they are opened."""

import re
import secrets
import shutil
import stat
import zipfile
import zlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path, PurePosixPath

from priorcraft import disk
from priorcraft.errors import DataError, UsageError
from priorcraft.studio.workspace import NAME, PICTURES, UPLOADS

TABLES = frozenset({".csv", ".tsv", ".parquet"})
ARRAYS = frozenset({".npy", ".npz"})
ARCHIVE = ".zip"
KINDS = PICTURES | TABLES | ARRAYS | {ARCHIVE}
LONGEST = 200  # characters of a name with its folders
DEEPEST = 4  # folders in folders
MOST_FILES = 20_000  # of an archive
MOST_BYTES = 2**30  # of an archive when it is unpacked, and of arrays in one
RATIO = 200  # of an archive's contents to its own size
CHUNK = 2**20
FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\]')


class Unwelcome(DataError):
    """A file that is not taken, with the reason."""


def checked_name(name: str) -> PurePosixPath:
    """The name of an uploaded file with its folders, if it can do no harm.

    Raises:
        Unwelcome: a way up, an absolute path, a drive, control characters, a name that is too long, or another kind
            of file.

    >>> checked_name("cats/1.png").name
    '1.png'
    """
    parts = name.split("/")
    if len(name) > LONGEST or len(name.encode()) > 2 * LONGEST or len(parts) > DEEPEST + 1:
        raise Unwelcome(f"a name may have at most {LONGEST} characters and {DEEPEST} folders; rename the file.")
    if FORBIDDEN.search(name) or any(not part.strip(". ") or part.startswith(".") for part in parts):
        raise Unwelcome("a name must be a plain one, with / between folders and without .., drives or signs.")
    path = PurePosixPath(name)
    if path.suffix.lower() not in KINDS:
        raise Unwelcome(f"a file must be an image, a table, arrays or a zip of them: {', '.join(sorted(KINDS))}.")
    return path


class Uploads:
    """Folders of uploaded files, `uploads/<id>` in a workspace.

    Args:
        folder: of the workspace.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / UPLOADS

    def begin(self, called: str = "") -> str:
        """A new, empty upload; returns its id.

        Args:
            called: what its folder or file was called, from which the id is made.
        """
        stem = re.sub(r"[^A-Za-z0-9]+", "-", called.rsplit(".", 1)[0])[:40].strip("-") or "data"
        name = f"{stem}-{secrets.token_hex(4)}"
        (self.folder / name).mkdir(parents=True)
        return name

    def path(self, upload: str) -> Path:
        """The folder of an upload.

        Raises:
            UsageError: no such upload.
        """
        if not NAME.fullmatch(upload) or not (self.folder / upload).is_dir():
            raise UsageError("there is no such upload; drop the files again.")
        return self.folder / upload

    async def receive(self, upload: str, name: str, body: AsyncIterator[bytes]) -> int:
        """Keeps one file of an upload, unpacked if it is an archive; returns its size in bytes.

        What cannot be kept whole is not kept at all.
        """
        folder, relative = self.path(upload), checked_name(name)
        size = 0
        with disk.aside(folder / relative.name) as part, disk.explained(relative.name, folder):
            with disk.stream(part) as file:
                async for chunk in body:
                    size += file.write(chunk)
            if relative.suffix.lower() == ARCHIVE:
                unpack(part, folder)
            else:
                if relative.suffix.lower() == ".npz":
                    check_archive(part)
                keep({folder / relative: part})
        return size

    def forget(self, upload: str) -> None:
        """Removes an upload."""
        shutil.rmtree(self.path(upload))


def keep(received: Mapping[Path, Path]) -> None:
    """Gives whole files their names, all or none; an earlier file of a name stays."""
    done: list[Path] = []
    try:
        for target, part in received.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            if not disk.named(part, target):
                raise Unwelcome("there is a file of this name in the upload already.")
            done.append(target)
    except (FileExistsError, NotADirectoryError):
        raise Unwelcome("the file cannot be kept under this name; rename it.") from None
    finally:
        for path in done if len(done) < len(received) else ():
            path.unlink(missing_ok=True)


def check_archive(path: Path) -> list[zipfile.ZipInfo]:
    """The entries of an archive, if it is one and unpacks to a bearable size by its own account.

    Raises:
        Unwelcome: not an archive, too many files, too large, or packed too well to be data.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise Unwelcome("the archive is damaged or none; pack the files anew.") from None
    total = sum(entry.file_size for entry in entries)
    if len(entries) > MOST_FILES or total > MOST_BYTES or total > RATIO * max(path.stat().st_size, 2**16):
        raise Unwelcome(
            f"an archive may hold {MOST_FILES:,} files and {MOST_BYTES // 2**20} MB when it is unpacked, at most "
            f"{RATIO} times its own size; found {len(entries):,} files and {total // 2**20:,} MB."
        )
    return entries


def unpack(path: Path, folder: Path) -> None:
    """The files of an archive, every name checked before the first is written; what is a side effect of the packing
    program (__MACOSX, hidden files) is left out.

    Raises:
        Unwelcome: as `check_archive` and `checked_name`; or a link, an encrypted file, or more bytes than were said.
    """
    entries = [entry for entry in check_archive(path) if not is_side_effect(entry.filename)]
    names = [checked_name(entry.filename) for entry in entries]
    for entry, name in zip(entries, names, strict=True):
        if entry.flag_bits & 1 or stat.S_ISLNK(entry.external_attr >> 16) or name.suffix.lower() == ARCHIVE:
            raise Unwelcome("an archive must hold plain files: no links, no passwords, no archives in it.")
    if len({*names}) < len(names):
        raise Unwelcome("an archive must hold each name once.")
    with disk.aside(folder / "unpacked") as place:
        parts = {folder / name: place / str(i) for i, name in enumerate(names)}
        place.mkdir()
        try:
            with zipfile.ZipFile(path) as archive:
                for entry, part in zip(entries, parts.values(), strict=True):
                    extract(archive, entry, part)
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
            raise Unwelcome("the archive is damaged; pack the files anew.") from error
        keep(parts)


def extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, part: Path) -> None:
    """One file of an archive, no longer than its entry says."""
    left = entry.file_size
    with archive.open(entry) as source, disk.stream(part) as file:
        while chunk := source.read(CHUNK):
            left -= len(chunk)
            if left < 0:
                raise Unwelcome("the archive holds more than it says; pack the files anew.")
            file.write(chunk)


def is_side_effect(name: str) -> bool:
    """Whether an entry is none of the user's files."""
    return name.startswith("__MACOSX/") or PurePosixPath(name).name in (".DS_Store", "Thumbs.db", "desktop.ini")
