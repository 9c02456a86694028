"""UniProt entries as text: FASTA, a short XML, and the flat file's sequence part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as ET

NAMESPACE = "http://uniprot.org/uniprot"
_XML_TYPES = {
    "Signal": "signal peptide", "Transit peptide": "transit peptide", "Propeptide": "propeptide",
    "Chain": "chain", "Initiator methionine": "initiator methionine", "Peptide": "peptide",
}  # fmt: skip


def protein_name(record: Mapping[str, Any]) -> str:
    """Recommended full name, or the first submitted one."""
    description = record.get("proteinDescription", {})
    names = [description.get("recommendedName", {}), *description.get("submissionNames", [])]
    return next(
        (name["fullName"]["value"] for name in names if name.get("fullName")), "Uncharacterized protein"
    )


def fasta(
    record: Mapping[str, Any],
    *,
    isoform: tuple[str, str, str] | None = None,
    span: tuple[int, int] | None = None,
) -> str:
    """FASTA of an entry, of an isoform (its accession, name and sequence), or of a range of either."""
    letters: str = record["sequence"]["value"]
    accession, title, tail = record["primaryAccession"], protein_name(record), _tail(record)
    if record.get("proteinDescription", {}).get("flag", "Precursor") != "Precursor":
        title += " (Fragment)"
    if isoform is not None:
        accession, name, letters = isoform
        title, tail = f"Isoform {name} of {title}", tail.partition(" PE=")[0]
    if span is not None:  # the header stays that of the whole
        letters = letters[span[0] - 1 : span[1]]
    base = "sp" if "Swiss-Prot" in record["entryType"] else "tr"
    lines = [letters[at : at + 60] for at in range(0, len(letters), 60)]
    return "\n".join([f">{base}|{accession}|{record['uniProtkbId']} {title}{tail}", *lines]) + "\n"


def _tail(record: Mapping[str, Any]) -> str:
    organism = record.get("organism", {})
    text = f" OS={organism.get('scientificName', '')} OX={organism.get('taxonId', '')}"
    gene = _gene(record.get("genes", []))
    if gene:
        text += f" GN={gene}"
    evidence = str(record.get("proteinExistence", "1")).partition(":")[0]
    return f"{text} PE={evidence} SV={record.get('entryAudit', {}).get('sequenceVersion', 1)}"


def _gene(genes: Sequence[Mapping[str, Any]]) -> str | None:
    """Name of the gene, or else of its locus, or else of its open reading frame."""
    named = [gene["geneName"]["value"] for gene in genes if "geneName" in gene]
    for other in ("orderedLocusNames", "orfNames"):
        named += [gene[other][0]["value"] for gene in genes if gene.get(other)]
    return named[0] if named else None


def xml(record: Mapping[str, Any]) -> str:
    """The parts of the XML that fetching and cleaning structures needs: names, features, sequence."""
    ET.register_namespace("", NAMESPACE)
    root = ET.Element("uniprot", {"xmlns": NAMESPACE})
    reviewed = "Swiss-Prot" if "Swiss-Prot" in record["entryType"] else "TrEMBL"
    entry = ET.SubElement(root, "entry", {"dataset": reviewed})
    for accession in (record["primaryAccession"], *record.get("secondaryAccessions", [])):
        ET.SubElement(entry, "accession").text = accession
    ET.SubElement(entry, "name").text = record["uniProtkbId"]
    name = ET.SubElement(ET.SubElement(entry, "protein"), "recommendedName")
    ET.SubElement(name, "fullName").text = protein_name(record)
    organism = ET.SubElement(entry, "organism")
    ET.SubElement(organism, "name", {"type": "scientific"}).text = record["organism"]["scientificName"]
    for feature in record.get("features", []):
        if feature["type"] in _XML_TYPES:
            entry.append(_feature(feature))
    sequence = record["sequence"]
    ET.SubElement(entry, "sequence", {"length": str(sequence["length"])}).text = sequence["value"]
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _feature(feature: Mapping[str, Any]) -> ET.Element:
    element = ET.Element("feature", {"type": _XML_TYPES[feature["type"]]})
    location = ET.SubElement(element, "location")
    start, end = feature["location"]["start"], feature["location"]["end"]
    if start == end and start.get("value") is not None:
        ET.SubElement(location, "position", {"position": str(start["value"])})
        return element
    for tag, edge in (("begin", start), ("end", end)):
        known = edge.get("value") is not None
        ET.SubElement(location, tag, {"position": str(edge["value"])} if known else {"status": "unknown"})
    return element


def flat(record: Mapping[str, Any]) -> str:
    """Flat file with its identification and its sequence."""
    sequence = record["sequence"]
    blocks = [sequence["value"][at : at + 10] for at in range(0, sequence["length"], 10)]
    lines = ["     " + " ".join(blocks[at : at + 6]) for at in range(0, len(blocks), 6)]
    return "\n".join(
        [
            f"ID   {record['uniProtkbId']}   Reviewed;   {sequence['length']} AA.",
            f"AC   {record['primaryAccession']};",
            f"SQ   SEQUENCE   {sequence['length']} AA;",
            *lines,
            "//\n",
        ]
    )
