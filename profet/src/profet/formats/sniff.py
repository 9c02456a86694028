"""Which format some bytes are in, by their beginning and never by their name."""

from __future__ import annotations

import re

from profet.enums import FileType
from profet.errors import DamagedFileError

_HEAD_BYTES = 4096
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# CIF wants a name behind data_; gemmi writes none for a structure that has none, and reads that, too.
_CIF = re.compile(rb"(?:\s+|#[^\n]*(?:\n|\Z))*data_\s*\S", re.IGNORECASE)
# Records that a PDB file can begin with: those of the title section and, in files that programs write, all
# that can follow. Source: PDB format 3.30, sections 1 to 9.
_PDB = re.compile(
    rb"\s*(?:(?:HEADER|OBSLTE|TITLE |SPLIT |CAVEAT|COMPND|SOURCE|KEYWDS|EXPDTA|NUMMDL|MDLTYP|AUTHOR|REVDAT"
    rb"|SPRSDE|JRNL  |REMARK|DBREF[ 12]|SEQADV|SEQRES|MODRES|HET   |HETNAM|HELIX |SHEET |SSBOND|LINK  "
    rb"|CISPEP|CRYST1|ORIGX[123]|SCALE[123]|MTRIX[123]|MODEL |ATOM[ 0-9]{2}|HETAT[M0-9]|HETSYN|FORMUL|SITE  "
    rb"|USER  )|(?:TITLE|REMARK|MODEL)\s)"
)
# BinaryCIF is a MessagePack map of three or so items, one of which is called dataBlocks; which of them comes
# first is not laid down. Source: the BinaryCIF specification (molstar/BinaryCIF), section "Data Layout".
_BINARY_CIF = re.compile(rb"[\x81-\x8f].{0,200}?(?:encoder|version|dataBlocks)", re.DOTALL)
_MARKUP = re.compile(rb"\s*(?:<!doctype|<html|<\?xml|<)", re.IGNORECASE)


def file_type_of(data: bytes) -> FileType:
    r"""Tell mmCIF, BinaryCIF and PDB format apart.

    Parameters
    ----------
    data
        The file, or at least its beginning.

    Raises
    ------
    DamagedFileError
        If it is none of them; a web page sent in place of a structure is named as such.

    Examples
    --------
    >>> file_type_of(b"data_4V1W\n#\n"), file_type_of(b"HEADER    VIRUS\n")
    (<FileType.cif: 'cif'>, <FileType.pdb: 'pdb'>)
    """
    head = data[:_HEAD_BYTES].removeprefix(_BYTE_ORDER_MARK)
    if _CIF.match(head):
        return FileType.cif
    if _PDB.match(head):
        return FileType.pdb
    if _BINARY_CIF.match(head):
        return FileType.bcif
    if _MARKUP.match(head):
        raise DamagedFileError("a web page came in place of a structure")
    what = f"it begins with {head[:20]!a}" if head else "it is empty"
    raise DamagedFileError(f"neither mmCIF nor PDB format: {what}")


def check_file_type(data: bytes, expected: FileType) -> None:
    """Make sure that a file is in the format that was asked for.

    Raises
    ------
    DamagedFileError
        If it is in another one, or in none.
    """
    found = file_type_of(data)
    if found is not expected.content:
        raise DamagedFileError(f"asked for {expected}, but it begins like {found}")
